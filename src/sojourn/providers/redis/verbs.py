"""The operations of the provider contract as commands, and the interpretation of their replies.

This module does no I/O.  Both providers, synchronous and asynchronous, send the commands that it
returns and hand it the replies.
"""

from __future__ import annotations

import struct
from typing import Any

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
from sojourn.providers.redis.replies import Command, Odd, Words
from sojourn.record import Assignment, Changes, Move, Outcome, Record

STAYS = 2
"""The value of `persistent` in the update script that means: no lifetime is set."""
# The numbers of an update in one argument: three floats, three bytes and three 4-byte integers, as
# `update.lua` unpacks them.
_HEAD = struct.Struct(">dddBBBIII").pack
# The five numbers of an assignment, as `assign.lua` unpacks them.
_FIVE = struct.Struct(">ddddd").pack
# The replies of the update script other than the stored hash.
_OUTCOMES = {0: Outcome.GONE, 1: Outcome.APPLIED, 2: Outcome.EMPTIED}
_UNREADABLE, _TAKEN = -1, -2


def read(layout: Layout, id: str) -> Command:
    """Return the command that reads the hash of a session; its reply is empty if it is absent."""
    tag = id[:2]
    return Command(("HGETALL", layout.keys[tag].stem + id), tag, replies.fields)


def create(layout: Layout, record: Record) -> Command:
    """Return the script that stores a new record; its reply is 1, or 0 if the id is in use."""
    id, tag = record.id, record.id[:2]
    keys = layout.keys[tag]
    words: list[Any] = [
        "EVALSHA",
        scripts.CREATE.digest,
        "3",
        keys.stem + id,
        keys.live if record.successor is None else keys.retired,
        keys.users,
        repr(record.expires),
        expiry_ms(record.expires),
        live_entry(record),
        user_entry(record),
        # Ids are hashes, so one in four has one of these digits.
        repr(record.created - FORGOTTEN_AFTER) if id[-1] in "048c" else "",
        FRAME,
        frame(record),
    ]
    for field in record.fields.items():
        words += field
    return Command(tuple(words), tag, replies.flag)


def update(layout: Layout, id: str, changes: Changes) -> Command:
    """Return the script that applies changes; `outcome` interprets its reply."""
    # The script unpacks these arguments by position: their order is that in `update.lua`.
    tag = id[:2]
    keys = layout.keys[tag]
    expect, move = changes.expect, changes.move
    equal = {key: value for key, value in expect.items() if value is not None}
    absent = [] if len(equal) == len(expect) else [key for key in expect if key not in equal]
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
    names = [keys.stem + id, keys.live, keys.users]
    if move is not None:
        names += [keys.retired, keys.stem + move.id]
    words = ["EVALSHA", scripts.UPDATE.digest, str(len(names)), *names, head, id, FRAME]
    words += [*equal, *absent, *equal.values(), *drops]
    if move is not None:
        words += _moved(move)
    for field in changes.put.items():
        words += field
    return Command(tuple(words), tag, _updated)


def assign(layout: Layout, assignment: Assignment) -> Command:
    """Return the script that stores values in a session which was not read.

    Its reply is the frame of the session, or None if nothing was stored.
    """
    id, absolute = assignment.id, assignment.absolute_lifetime
    keys = layout.keys[id[:2]]
    numbers = assignment.now, assignment.touch_interval, assignment.max_lifetime
    limit = -1.0 if absolute is None else absolute
    head = _FIVE(*numbers, limit, float(assignment.max_size))
    words = ["3", keys.stem + id, keys.live, keys.users, head, id]
    for field in assignment.put.items():
        words += field
    return scripts.command(scripts.ASSIGN, id[:2], tuple(words), replies.text_or_none)


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


def destroy(layout: Layout, id: str) -> Command:
    """Return the script that deletes a session or a tombstone.

    Its reply is the frame, b"" if that was absent or invalid, or None if nothing was stored.
    """
    tag = id[:2]
    keys = layout.keys[tag]
    words = ("4", keys.stem + id, keys.live, keys.users, keys.retired, id)
    return scripts.command(scripts.DESTROY, tag, words, replies.text_or_none)


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
