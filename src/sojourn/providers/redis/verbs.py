"""The verbs of the contract as commands, and what the replies mean.  No I/O.

Both providers are a thin rim around this: they send what stands here, and hand the replies back.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from sojourn.errors import CorruptRecord, StoreError
from sojourn.providers.redis import scripts
from sojourn.providers.redis.layout import (
    FRAME,
    NO_LIFETIME,
    Layout,
    corrupt,
    expiry_ms,
    frame,
    identity,
    live_entry,
    record_of,
    unframed,
    user_entry,
)
from sojourn.providers.redis.scripts import Script
from sojourn.record import Changes, Move, Outcome, Record

FORGOTTEN_AFTER = 3600.0
"""Seconds after its expiry that an entry is forgotten where nobody sweeps."""
STAYS = 2
"""For a script: no lifetime is set."""
LIVE, USERS = 1, 2
"""The sorted sets that are kept true: that of tombstones is of use to sweeps alone."""
LOOKED_AT = 400
"""Entries of each tag that a sweep compares with what there is: 100,000 in all."""

_HEAD = struct.Struct(">dddBBBIII").pack
_OUTCOMES = {0: Outcome.GONE, 1: Outcome.APPLIED, 2: Outcome.EMPTIED}

Words = tuple[Any, ...]
Command = tuple[Words, str]
"""What is sent, and the tag of the keys in it."""


class Verb(NamedTuple):
    """A script with its keys and arguments."""

    script: Script
    tag: str
    rest: Words

    @property
    def short(self) -> Command:
        """By its digest, which Redis may have forgotten."""
        return ("EVALSHA", self.script.digest, *self.rest), self.tag

    @property
    def whole(self) -> Command:
        """With its source."""
        return ("EVAL", self.script.source, *self.rest), self.tag


def read(layout: Layout, id: str) -> Command:
    """Ask for a hash."""
    return ("HGETALL", layout.of(id).stem + id), id[:2]


def create(layout: Layout, record: Record) -> Verb:
    """Store a new record; the answer is 1, or 0 if anything stands there."""
    keys = layout.of(record.id)
    order = keys.live if record.successor is None else keys.retired
    flat = [word for pair in record.fields.items() for word in pair]
    return Verb(
        scripts.CREATE,
        record.id[:2],
        (
            3,
            keys.stem + record.id,
            order,
            keys.users,
            repr(record.expires),
            expiry_ms(record.expires),
            live_entry(record),
            user_entry(record),
            repr(record.created - FORGOTTEN_AFTER),
            FRAME,
            frame(record),
            *flat,
        ),
    )


def update(layout: Layout, id: str, changes: Changes) -> Verb:
    """Apply changes; `outcome` reads the answer."""
    keys = layout.of(id)
    names = [keys.stem + id, keys.live, keys.users]
    move = changes.move
    if move is not None:
        names += [keys.retired, keys.stem + move.id]
    equal = [(key, value) for key, value in changes.expect.items() if value is not None]
    absent = [key for key, value in changes.expect.items() if value is None]
    drops = dict.fromkeys(changes.drop)
    head = _HEAD(
        changes.now,
        -1.0 if changes.expires is None else changes.expires,
        NO_LIFETIME if changes.lifetime is None else changes.lifetime,
        STAYS if changes.persistent is None else changes.persistent,
        changes.clear,
        0 if move is None else 1 if move.user is None else 2,
        len(equal),
        len(absent),
        len(drops),
    )
    rest = (
        *(key for key, _ in equal),
        *absent,
        *(value for _, value in equal),
        *drops,
        *(() if move is None else _moved(move)),
        *(word for pair in changes.put.items() for word in pair),
    )
    return Verb(scripts.UPDATE, id[:2], (len(names), *names, head, id, FRAME, *rest))


def _moved(move: Move) -> Words:
    who = identity(move.user, move.authenticated, move.about)
    return move.id, who, repr(move.until), expiry_ms(move.until)


def outcome(id: str, reply: Any) -> Outcome | Record:
    """Return what an update came to."""
    if type(reply) is int:
        if reply in _OUTCOMES:
            return _OUTCOMES[reply]
        if reply == -1:
            raise corrupt(id)
        raise StoreError(f"something stands already under the new id of {id}")
    record = record_of(id, reply)
    assert record is not None
    return record


def destroy(layout: Layout, id: str) -> Verb:
    """Take away what stands; the answer is its frame."""
    keys = layout.of(id)
    return Verb(
        scripts.DESTROY, id[:2], (4, keys.stem + id, keys.live, keys.users, keys.retired, id)
    )


def readable(id: str, frame: Any) -> Record | None:
    """Return the record of a frame, without fields; None if there is none that can be read."""
    try:
        return unframed(id, frame, {}) if frame else None
    except CorruptRecord:
        return None


def ends(changes: Changes) -> bool:
    """Whether an update may end a session or a token: what replicas shall know of at once."""
    shrinks = changes.clear or bool(changes.drop)
    return changes.move is not None or (shrinks and not changes.put)
