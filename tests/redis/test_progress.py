"""Sweeps of one provider that overlap: each notes its progress, and none stumbles over another."""

from __future__ import annotations

from sojourn.providers.redis.census import Progress


def test_a_sweep_may_end_after_another_of_the_same_moment() -> None:
    progress = Progress()
    progress.check(1000.0, 300)
    progress.check(1000.0, 300)
    progress.swept(1000.0, 100, 200)  # the last records of that moment
    progress.swept(1000.0, 100, 100)


def test_a_sweep_may_end_after_many_others_have_begun() -> None:
    progress = Progress()
    progress.check(1000.0, 300)
    for number in range(2 * Progress.SWEEPS):
        progress.check(2000.0 + number, 300)
        progress.swept(2000.0 + number, 100, 100)
    progress.swept(1000.0, 100, 100)
