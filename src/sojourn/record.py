"""The values that managers and providers exchange, and the rule for applying changes to a record.

A `Record` is the stored form of a session; `Changes` are the effect of one request on it.  `merge`
applies changes to a record.  Its rule is defined only here: a store that swaps whole records calls
`merge` under its lock or its version check, and any other store must give the same result.  Times
are seconds since the epoch.  They are arguments: nothing here reads a clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from enum import Enum, auto
from functools import partial
from typing import Any, Final, NamedTuple

Fields = Mapping[bytes, bytes]
"""A record's fields: encoded key to encoded value.  Stores do not interpret either."""

NO_FIELDS: Fields = {}

ID = "(?:[0-9a-f]{2}){16,64}"
"""An id as a regular expression: a digest in lower-case hex."""
MOVES = 100
"""The number of successors that are followed from one id.  A longer chain is not the history of a
session but a fault of the store, such as tombstones in a circle."""

_is_digest = re.compile(ID).fullmatch


class Record(NamedTuple):
    """The record stored under an id: a session, or the tombstone of one that moved to a new id."""

    id: str
    fields: Fields
    created: float
    seen: float
    expires: float
    """When the session or tombstone ends.  The record has expired once `expires <= now`."""
    user: str | None = None
    authenticated: float | None = None
    about: Mapping[str, str] | None = None
    lifetime: float | None = None
    """The idle lifetime in seconds that was set for this session; None is the configured one."""
    persistent: bool = False
    """Whether the cookie remains when the browser is closed."""
    version: int = 0
    """Changes with each write, in stores that compare it to find out whether a record has changed."""
    successor: str | None = None
    """Set on a tombstone: the id that the session moved to."""

    def __repr__(self) -> str:
        return f"<Record {self.id} user={self.user!r}, {len(self.fields)} fields>"


record_of: Callable[[tuple[Any, ...]], Record] = partial(tuple.__new__, Record)
"""Makes a Record of a tuple with all of its values, without a call of Python."""


class Move(NamedTuple):
    """A move to another id, the first two hex digits of which are the same as those of the old."""

    id: str
    user: str | None
    authenticated: float | None
    about: Mapping[str, str] | None
    until: float
    """When the tombstone under the old id expires."""


class Changes(NamedTuple):
    """The effect of one request on a record.  Without changed fields or a move it is a touch."""

    now: float
    expires: float | None = None
    """The new expiry; `seen` then becomes `now`.  None leaves both unchanged."""
    put: Fields = NO_FIELDS
    drop: Collection[bytes] = ()
    clear: bool = False
    """Whether to delete every field that is stored at that moment, before `put` is applied."""
    expect: Mapping[bytes, bytes | None] = NO_FIELDS
    """The values that these keys must still have (None: none); otherwise nothing is written."""
    move: Move | None = None
    lifetime: float | None = None
    """The session's own lifetime, as in `Record.lifetime`, from which `expires` was computed."""
    persistent: bool | None = None
    """None keeps the record's `lifetime` and `persistent`, and also its times if the stored lifetime
    differs from `lifetime` here.  Any other value sets both, and `expires` applies exactly."""

    def __repr__(self) -> str:
        names = f"put {len(self.put)}, drop {len(self.drop)}, expect {len(self.expect)}"
        return f"<Changes {names}, clear={self.clear}, move={self.move!r}>"


changes_of: Callable[[tuple[Any, ...]], Changes] = partial(tuple.__new__, Changes)
"""Makes Changes of a tuple with all of their values, without a call of Python."""


class Outcome(Enum):
    """The result of an update."""

    APPLIED = auto()
    EMPTIED = auto()
    """Neither a field nor a user was left, so the record was deleted."""
    GONE = auto()
    """The record was absent, a tombstone, or expired: nothing was written."""


# Python 3.11 takes 0.1 µs to look up a member in its class, which is too long for each request.
APPLIED: Final = Outcome.APPLIED
EMPTIED: Final = Outcome.EMPTIED
GONE: Final = Outcome.GONE


class Merged(NamedTuple):
    """The records that a store has to contain after an update."""

    outcome: Outcome
    record: Record | None
    """The new record, under `changes.move.id`, or under the old id without a move.  None: no record
    remains under the old id."""
    tombstone: Record | None
    """The record that replaces the old one after a move; None without a move."""


_merged: Callable[[tuple[Any, ...]], Merged] = partial(tuple.__new__, Merged)


def is_id(text: object) -> bool:
    """Return whether `text` has the form of an id.

    A text that comes from a client or from a store is checked before it is used as an id.
    """
    return isinstance(text, str) and _is_digest(text) is not None


class Assignment(NamedTuple):
    """Values for a session that the request did not read, and the settings that apply to it."""

    id: str
    put: Fields
    now: float
    touch_interval: float
    """The times are written if they were not for so long, or for a sixtieth of the lifetime of its
    own that the session has."""
    max_lifetime: float
    """The lifetime of a session that has none of its own, in seconds."""
    absolute_lifetime: float | None
    max_size: int


def size_of(fields: Fields) -> int:
    """Return the bytes of all keys and values together."""
    return sum(map(len, fields)) + sum(map(len, fields.values()))


def is_live(record: Record, now: float) -> bool:
    """Return whether the record is a session, not a tombstone, and has not expired."""
    return record.successor is None and record.expires > now


def merge(record: Record | None, changes: Changes) -> Merged | Outcome | Record:
    """Apply changes to the stored record, which is None if there is none.

    Return GONE if it is not a live session, `record` itself if it differs from `changes.expect`,
    and otherwise the records that the caller has to store, in one atomic step.
    """
    now, expires, put, drop, clear, expect, move, _, persistent = changes
    if record is None or not is_live(record, now):
        return GONE
    fields = record.fields
    for key, expected in expect.items():
        if fields.get(key) != expected:
            return record
    if clear or drop or put:
        fields = {} if clear else {**fields}
        for key in drop:
            fields.pop(key, None)
        fields.update(put)
    # A move also carries the user of the new record.
    whose = record if move is None else move
    # A session without data and user ends by itself, so that visitors leave no empty records.
    if not fields and whose.user is None:
        return Merged(EMPTIED, None, None)
    version = record.version + 1
    # Most requests change fields alone.
    if move is None and expires is None and persistent is None:
        merged = record_of((record.id, fields, *record[2:10], version, None))
        return _merged((APPLIED, merged, None))
    times = _times(record, changes)
    lifetime = _lifetime(record, changes)
    user = whose.user, whose.authenticated, whose.about
    merged = record_of((whose.id, fields, record.created, *times, *user, *lifetime, version, None))
    buried = None if move is None else tombstone(record, move)
    return Merged(APPLIED, merged, buried)


def tombstone(record: Record, move: Move) -> Record:
    """Return the tombstone that replaces a record after a move: it names only the successor."""
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
    """Return "last seen" and the expiry.  Only a lifetime set on purpose makes them earlier."""
    if changes.expires is None:
        return record.seen, record.expires
    if changes.persistent is None:
        # Another request has set a lifetime in the meantime.  This request computed its expiry from
        # the old one, so it must neither shorten nor extend the new one.
        if changes.lifetime != record.lifetime:
            return record.seen, record.expires
        # Requests may be released in another order than they began: the later times win.
        return max(record.seen, changes.now), max(record.expires, changes.expires)
    return max(record.seen, changes.now), changes.expires


def _lifetime(record: Record, changes: Changes) -> tuple[float | None, bool]:
    if changes.persistent is None:
        return record.lifetime, record.persistent
    return changes.lifetime, changes.persistent
