"""The operations of the provider contract as commands, and the interpretation of their replies.

This module does no I/O.  Both providers, synchronous and asynchronous, send the commands that it
returns and hand it the replies.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from sojourn.errors import CorruptRecord, StoreError
from sojourn.providers.redis import replies, scripts
from sojourn.providers.redis.layout import (
    FORGOTTEN_AFTER,
    FRAME,
    NO_LIFETIME,
    Layout,
    corrupt,
    expiry_ms,
    frame,
    identity,
    live_entry,
    stored,
    unframed,
    user_entry,
)
from sojourn.providers.redis.replies import Command, Odd, Read, Words
from sojourn.providers.redis.scripts import Script
from sojourn.record import Changes, Move, Outcome, Record

STAYS = 2
"""The value of `persistent` in the update script that means: no lifetime is set."""
# The numbers of an update in one argument: three floats, three bytes and three 4-byte integers, as
# `update.lua` unpacks them.
_HEAD = struct.Struct(">dddBBBIII").pack
# The replies of the update script other than the stored hash.
_OUTCOMES = {0: Outcome.GONE, 1: Outcome.APPLIED, 2: Outcome.EMPTIED}
_UNREADABLE, _TAKEN = -1, -2


class Verb(NamedTuple):
    """A Lua script with its keys and arguments."""

    script: Script
    tag: str
    rest: Words
    """The number of keys, the keys and the arguments."""
    read: Read
    """The function that interprets the reply."""

    @property
    def short(self) -> Command:
        """The command with the digest of the script; the reply is NOSCRIPT if it is not cached."""
        return Command(("EVALSHA", self.script.digest, *self.rest), self.tag, self.read)

    @property
    def whole(self) -> Command:
        """The command with the source of the script, which Redis then caches."""
        return Command(("EVAL", self.script.source, *self.rest), self.tag, self.read)


def read(layout: Layout, id: str) -> Command:
    """Return the command that reads the hash of a session; its reply is empty if it is absent."""
    return Command(("HGETALL", layout.of(id).stem + id), id[:2], replies.fields)


def create(layout: Layout, record: Record) -> Verb:
    """Return the script that stores a new record; its reply is 1, or 0 if the id is in use."""
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
            # Ids are hashes, so each sixteenth has this digit.
            repr(record.created - FORGOTTEN_AFTER) if record.id[-1] == "0" else "",
            FRAME,
            frame(record),
            *flat,
        ),
        replies.flag,
    )


def update(layout: Layout, id: str, changes: Changes) -> Verb:
    """Return the script that applies changes; `outcome` interprets its reply."""
    # The script unpacks these arguments by position: their order is that in `update.lua`.
    keys = layout.of(id)
    names = [keys.stem + id, keys.live, keys.users]
    move = changes.move
    if move is not None:
        names += [keys.retired, keys.stem + move.id]
    equal = [(key, value) for key, value in changes.expect.items() if value is not None]
    absent = [key for key, value in changes.expect.items() if value is None]
    # Without duplicates: the script subtracts one for each of them to find out how many remain.
    drops = dict.fromkeys(changes.drop)
    head = _HEAD(
        changes.now,
        -1.0 if changes.expires is None else changes.expires,
        NO_LIFETIME if changes.lifetime is None else changes.lifetime,
        STAYS if changes.persistent is None else changes.persistent,
        changes.clear,
        # The script cannot see in a packed identity whether it has a user.
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
    words = (len(names), *names, head, id, FRAME, *rest)
    return Verb(scripts.UPDATE, id[:2], words, _updated)


def _moved(move: Move) -> Words:
    who = identity(move.user, move.authenticated, move.about)
    return move.id, who, repr(move.until), expiry_ms(move.until)


def _updated(reply: Any) -> Any:
    """Interpret the reply of the update script: a number, or the fields of the stored hash."""
    # Not `isinstance`: a bool is an int in Python, and is not a valid reply.
    if type(reply) is int:
        if reply in _OUTCOMES or reply in (_UNREADABLE, _TAKEN):
            return reply
    elif reply and (found := replies.fields(reply)):
        return found
    raise Odd


def outcome(id: str, reply: Any) -> Outcome | Record:
    """Return the outcome of an update, or the stored record if it was not as expected.

    Raises CorruptRecord if the data under the id is not a valid record, and StoreError if
    something is stored already under the id that the session was to move to.
    """
    if reply == _UNREADABLE:
        raise corrupt(id)
    if reply == _TAKEN:
        raise StoreError(f"something is stored already under the new id of {id}")
    if type(reply) is int:
        return _OUTCOMES[reply]
    return stored(id, reply)


def destroy(layout: Layout, id: str) -> Verb:
    """Return the script that deletes a session or a tombstone.

    Its reply is the frame, b"" if that was absent or invalid, or None if nothing was stored.
    """
    keys = layout.of(id)
    words = (4, keys.stem + id, keys.live, keys.users, keys.retired, id)
    return Verb(scripts.DESTROY, id[:2], words, replies.text_or_none)


def readable(id: str, frame: bytes | None) -> Record | None:
    """Return the record of a frame, without fields; None if the frame is absent or invalid."""
    try:
        return unframed(id, frame, {}) if frame else None
    except CorruptRecord:
        return None


def ends(changes: Changes) -> bool:
    """Whether an update may end a session or a token, and so must be confirmed by replicas.

    Otherwise a failover to a replica that has not received the update would revive the session or
    the token.
    """
    # An update that only removes data may leave nothing (EMPTIED), and then the session ends.
    shrinks = changes.clear or bool(changes.drop)
    return changes.move is not None or (shrinks and not changes.put)
