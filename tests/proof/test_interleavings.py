"""Laws 3 to 6, 8, 10: overlapping requests of one session, in every order of their calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import combinations_with_replacement
from pathlib import Path

import pytest

from sojourn import Provider
from sojourn.providers.memory import MemoryProvider
from sojourn.testing.simulation import SwapStore
from sojourn.testing.simulation.virtual_loop import VirtualLoop
from tests.contract.own import OwnAssigningProvider
from tests.proof.assigning import AssigningMemory
from tests.proof.interleavings import Setting, Unexplained, count_schedules
from tests.proof.planted import PLANTED
from tests.proof.programs import ESSENTIAL, PROGRAMS

SETTINGS = {
    "memory": Setting(MemoryProvider),
    "memory, two processes": Setting(MemoryProvider, managers=2),
    "memory, signed in": Setting(MemoryProvider, managers=2, member=True),
    "assigning": Setting(AssigningMemory, managers=2),
    "swaps": Setting(SwapStore, swaps=True, managers=2),
    "swaps, signed in": Setting(SwapStore, swaps=True, member=True),
}


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    with closing(VirtualLoop()) as loop:
        yield loop


@pytest.mark.parametrize("setting", SETTINGS)
def test_pairs_in_every_order(setting: str, loop: VirtualLoop) -> None:
    _try_all_pairs(SETTINGS[setting], loop)


def test_triples_in_every_order(loop: VirtualLoop) -> None:
    setting = Setting(AssigningMemory, managers=2)
    for names in combinations_with_replacement(ESSENTIAL[:6], 3):
        assert count_schedules(setting, names, loop) > 0


def test_pairs_over_a_store_on_disk(tmp_path: Path, loop: VirtualLoop) -> None:
    numbers = iter(range(1_000_000))

    def make() -> Provider:
        return OwnAssigningProvider(tmp_path / f"{next(numbers)}.db")

    for names in combinations_with_replacement(ESSENTIAL, 2):
        assert count_schedules(Setting(make), names, loop) > 0


@pytest.mark.parametrize(
    "fault",
    [
        "an update without its condition",
        "a merge that drops `clear`",
        "a merge that drops deletions",
        "an update that creates",
        "a logout that does not follow the tombstones",
        "a collision in which the last one wins",
        "a late release that deletes the cookie",
        "a touch that moves no times",
    ],
)
def test_planted_faults_are_found(fault: str, loop: VirtualLoop) -> None:
    with PLANTED[fault].plant(), pytest.raises(Unexplained):
        _try_all_pairs(Setting(PLANTED[fault].store, member=True), loop)


def _try_all_pairs(setting: Setting, loop: VirtualLoop) -> None:
    for names in combinations_with_replacement(PROGRAMS, 2):
        assert count_schedules(setting, names, loop) > 0
