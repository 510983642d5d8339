"""What became of an update whose answer was lost: seen by what stands afterwards.

An id is minted for one request and the bytes that a request saw are its `expect`, so mostly it can
be told whether the update was done.  Where it cannot, it must not be done again: an item might
be appended twice, or what somebody else wrote meanwhile be overwritten.
"""

from __future__ import annotations

from typing import NamedTuple

from sojourn.record import Changes, Outcome, Record, is_live


class Fate(NamedTuple):
    """What is known of an update whose answer was lost."""

    outcome: Outcome | None = None
    """It was done, with this outcome."""
    again: bool = False
    """It was not done, or to do it again changes nothing."""


UNKNOWN = Fate()


def of(changes: Changes, stands: Record | None) -> Fate:
    """Return what became of an update, by what stands under the id afterwards."""
    move = changes.move
    if move is not None:
        if stands is not None and stands.successor == move.id:
            return Fate(outcome=Outcome.APPLIED)
        return Fate(again=stands is not None and stands.successor is None)
    if stands is None or not is_live(stands, changes.now):
        return Fate(outcome=Outcome.GONE) if changes.put else UNKNOWN
    if not (changes.put or changes.drop or changes.clear):
        return Fate(again=True)  # the times alone
    seen = {*changes.put, *changes.drop} <= {*changes.expect} and not changes.clear
    unheard = all(stands.fields.get(key) == held for key, held in changes.expect.items())
    return Fate(again=seen and unheard)  # else another may have put the very same bytes
