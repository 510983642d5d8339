"""The values that cross the layers, and the one function on them.

A `Record` is what a store holds under an id; `Changes` are what one request did to it.  `merge`
says what stands after the one was applied to the other.  It is the only place that knows, and
every store that swaps whole records calls it under its lock or its version check.  Times are
seconds since the epoch and come in from above: nothing here reads a clock.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from enum import Enum, auto
from typing import NamedTuple

Fields = Mapping[bytes, bytes]
"""A record's fields: encoded key to encoded value.  Opaque to every store."""

NO_FIELDS: Fields = {}

ID = "(?:[0-9a-f]{2}){16,64}"
"""An id as a regular expression: a digest in lower-case hex."""
MOVES = 100
"""How many successors are followed from one id.  More are no history of a session, but a fault of
the store, such as tombstones in a circle."""

_is_digest = re.compile(ID).fullmatch


class Record(NamedTuple):
    """What stands under an id: a session, or the tombstone of one that was regenerated away."""

    id: str
    fields: Fields
    created: float
    seen: float
    expires: float
    """When it ends, for a tombstone too.  It has expired once `expires <= now`."""
    user: str | None = None
    authenticated: float | None = None
    about: Mapping[str, str] | None = None
    lifetime: float | None = None
    """An idle lifetime of its own in seconds; None is the configured one."""
    persistent: bool = False
    """The cookie outlives the browser."""
    version: int = 0
    """Private to stores that swap whole records."""
    successor: str | None = None
    """Set on a tombstone: the id that the session moved to."""

    def __repr__(self) -> str:
        return f"<Record {self.id} user={self.user!r}, {len(self.fields)} fields>"


class Move(NamedTuple):
    """The session goes on under another id, of which the first two hex digits are the same."""

    id: str
    user: str | None
    authenticated: float | None
    about: Mapping[str, str] | None
    until: float
    """When the tombstone under the old id expires."""


class Changes(NamedTuple):
    """What one request did.  Without fields it is a touch, with a move a regeneration."""

    now: float
    expires: float | None = None
    """The new expiry; `seen` then becomes `now`.  None leaves both."""
    put: Fields = NO_FIELDS
    drop: Collection[bytes] = ()
    clear: bool = False
    """Take away every field that stands when this is applied, then drop and put."""
    expect: Mapping[bytes, bytes | None] = NO_FIELDS
    """What these keys must still hold (None: nothing) for anything to be written."""
    move: Move | None = None
    lifetime: float | None = None
    """The lifetime of its own with which `expires` was worked out."""
    persistent: bool | None = None
    """None: lifetime and cookie kind stay, and where the lifetime is another by now, the times
    stay too.  Otherwise both are set, and `expires` holds exactly."""

    def __repr__(self) -> str:
        names = f"put {len(self.put)}, drop {len(self.drop)}, expect {len(self.expect)}"
        return f"<Changes {names}, clear={self.clear}, move={self.move!r}>"


class Outcome(Enum):
    """What became of an update."""

    APPLIED = auto()
    EMPTIED = auto()
    """No field and no user was left: the record is gone."""
    GONE = auto()
    """Absent, a tombstone, or expired: nothing was written."""


class Merged(NamedTuple):
    """What shall stand after an update."""

    outcome: Outcome
    record: Record | None
    """Under `changes.move.id`, or the old id without a move.  None: nothing stands any more."""
    tombstone: Record | None
    """What takes the old record's place after a move."""


def is_id(text: str) -> bool:
    """Return whether `text` could be an id.

    One that comes from a client or out of a store is checked before it is used as an id.
    """
    return _is_digest(text) is not None


def is_live(record: Record, now: float) -> bool:
    """Whether the record is a session and not a tombstone, and has not expired."""
    return record.successor is None and record.expires > now


def merge(record: Record | None, changes: Changes) -> Merged | Outcome | Record:
    """Apply `changes` to what stands.

    Returns GONE if no live session stands there, `record` itself if it differs from what the
    changes expect, and otherwise what shall stand; the caller makes it so in one step.
    """
    if record is None or not is_live(record, changes.now):
        return Outcome.GONE
    fields = record.fields
    for key, expected in changes.expect.items():
        if fields.get(key) != expected:
            return record
    if changes.clear or changes.drop or changes.put:
        fields = {} if changes.clear else dict(fields)
        for key in changes.drop:
            fields.pop(key, None)
        fields.update(changes.put)
    whose = changes.move or record
    if not fields and whose.user is None:
        return Merged(Outcome.EMPTIED, None, None)
    seen, expires = _times(record, changes)
    lifetime, persistent = _lifetime(record, changes)
    merged = Record(
        whose.id,
        fields,
        record.created,
        seen,
        expires,
        whose.user,
        whose.authenticated,
        whose.about,
        lifetime,
        persistent,
        record.version + 1,
    )
    buried = None if changes.move is None else tombstone(record, changes.move)
    return Merged(Outcome.APPLIED, merged, buried)


def tombstone(record: Record, move: Move) -> Record:
    """What stands under the old id after `move`: no data, no user, only the way on."""
    return Record(
        id=record.id,
        fields=NO_FIELDS,
        created=record.created,
        seen=record.seen,
        expires=move.until,
        version=record.version + 1,
        successor=move.id,
    )


def _times(record: Record, changes: Changes) -> tuple[float, float]:
    """When it is seen and when it expires.  Only a lifetime set on purpose may shorten that."""
    if changes.expires is None:
        return record.seen, record.expires
    if changes.persistent is None:
        if changes.lifetime != record.lifetime:  # set meanwhile, and this request does not know it
            return record.seen, record.expires
        return max(record.seen, changes.now), max(record.expires, changes.expires)
    return max(record.seen, changes.now), changes.expires


def _lifetime(record: Record, changes: Changes) -> tuple[float | None, bool]:
    if changes.persistent is None:
        return record.lifetime, record.persistent
    return changes.lifetime, changes.persistent
