"""The decision whether an update whose reply was lost was carried out, from the stored record.

In most cases the stored record shows that: a new id is generated for one request only, and
`changes.expect` holds the bytes that the request had read.  A lifetime is stored together with the
time of the request.  If the record does not show it, the update must not be repeated, because an
item might be appended twice, or a change of another request be overwritten.
"""

from __future__ import annotations

from typing import NamedTuple

from sojourn.providers.redis.faults import Lost
from sojourn.record import NO_FIELDS, Assignment, Changes, Outcome, Record, is_live


class Fate(NamedTuple):
    """The conclusion about an update whose reply was lost; by default, nothing is known."""

    outcome: Outcome | None = None
    """The outcome, if the update is known to have been carried out."""
    again: bool = False
    """Whether it may be repeated: it was not carried out, or repeating it changes nothing."""


UNKNOWN = Fate()


def of(changes: Changes, stands: Record | None) -> Fate:
    """Return the conclusion about an update.

    stands: the record that is stored under the id now, after the reply was lost; None if none is.
    """
    move = changes.move
    if move is not None:
        # Only this request has the new id, so a tombstone that names it proves the move.  While the
        # session is there, the move was not made.
        if stands is not None and stands.successor == move.id:
            return Fate(outcome=Outcome.APPLIED)
        return Fate(again=stands is not None and stands.successor is None)
    # Without fields to store, the update itself may have emptied the session.  With some, another
    # request or the expiry has ended the session, before the update or after it.
    if stands is None or not is_live(stands, changes.now):
        return Fate(outcome=Outcome.GONE) if changes.put else UNKNOWN
    if not (changes.put or changes.drop or changes.clear):
        return _of_times(changes, stands)
    # If each field to change still has the expected bytes, the update was not carried out, or
    # another request has restored these bytes since: in both cases it may be applied now.
    # Otherwise nothing is known, since another request may have stored the very same bytes.
    seen = {*changes.put, *changes.drop} <= {*changes.expect} and not changes.clear
    unheard = all(stands.fields.get(key) == held for key, held in changes.expect.items())
    return Fate(again=seen and unheard)


def of_assignment(assignment: Assignment, stands: Record | None, lost: Lost) -> Record | None:
    """Return the answer to an assignment whose reply was lost: the record without its fields.

    None if the session has ended, so that nothing can be stored any more.  Raises `lost` if the
    record does not hold the values: they were not stored, or another request has replaced them.
    """
    if stands is None or not is_live(stands, assignment.now):
        return None
    if any(stands.fields.get(key) != value for key, value in assignment.put.items()):
        raise lost
    return stands._replace(fields=NO_FIELDS)


def _of_times(changes: Changes, stands: Record) -> Fate:
    """Return the conclusion about an update of the times, perhaps with a lifetime."""
    # A touch only moves the times forward, and only while its lifetime is in force, so a second one
    # changes nothing.
    if changes.persistent is None or changes.expires is None:
        return Fate(again=True)
    # Later touches count from the same lifetime, so they may have moved the expiry forward.
    lifetime = stands.lifetime, stands.persistent
    if lifetime == (changes.lifetime, changes.persistent) and stands.expires >= changes.expires:
        return Fate(outcome=Outcome.APPLIED)
    # The update would have moved "last seen" to its own time, which no other update takes back.
    # Otherwise nothing is known: another request may have set its lifetime after this one did.
    return Fate(again=stands.seen < changes.now)
