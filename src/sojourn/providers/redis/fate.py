"""The decision whether an update whose reply was lost was carried out, from the stored record.

A new id is generated for one request only, and `expect` holds the bytes that a request read, so in
most cases the stored record shows whether the update was done.  If it does not, the update must not
be repeated: an item might be appended twice, or another request's change be overwritten.
"""

from __future__ import annotations

from typing import NamedTuple

from sojourn.record import Changes, Outcome, Record, is_live


class Fate(NamedTuple):
    """The knowledge about an update whose reply was lost; by default nothing is known."""

    outcome: Outcome | None = None
    """The outcome, if the update is known to have been carried out."""
    again: bool = False
    """Whether it may be repeated: it was not done, or to repeat it makes no difference."""


UNKNOWN = Fate()


def of(changes: Changes, stands: Record | None) -> Fate:
    """Return the fate of an update.  stands: the record that is stored under the id afterwards."""
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
