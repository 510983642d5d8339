"""The choices of a run: which of several things happens next.

A run that takes all its decisions from a `Schedule` can be repeated exactly, and all its schedules
can be taken one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence


class Schedule:
    """Takes the given choices first, and then the first alternative each time."""

    def __init__(self, given: Sequence[int] = ()) -> None:
        self._given = given
        self.taken: list[int] = []
        """The choices that were made so far."""
        self.widths: list[int] = []
        """Among how many alternatives each of them was."""

    def choose(self, alternatives: int) -> int:
        """Return the number of the alternative that happens: 0 for the first."""
        at = len(self.taken)
        choice = self._given[at] if at < len(self._given) else 0
        self.taken.append(choice)
        self.widths.append(alternatives)
        return choice


def every(run: Callable[[Schedule], object]) -> Iterator[Schedule]:
    """Run with each schedule there is, and yield it afterwards.

    run: must take all its decisions from the schedule, so that the same choices have the same
        effect.
    """
    given: list[int] | None = []
    while given is not None:
        schedule = Schedule(given)
        run(schedule)
        yield schedule
        given = _next(schedule)


def _next(schedule: Schedule) -> list[int] | None:
    """Return the choices after those of this schedule, as if counting up; None after the last."""
    for at in reversed(range(len(schedule.taken))):
        if schedule.taken[at] + 1 < schedule.widths[at]:
            return [*schedule.taken[:at], schedule.taken[at] + 1]
    return None
