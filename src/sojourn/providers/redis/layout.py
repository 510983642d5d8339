"""How sessions lie in Redis: the names of the keys, and a record as the fields of a hash.

With the prefix `sojourn`, everything of the sessions whose ids begin with the digits `3f`:

    sojourn:{3f}:3f81…       the hash of one session: its own fields, and the frame
    sojourn:{3f}:live        sorted set by expiry: "id", or "id NUL user"
    sojourn:{3f}:retired     sorted set by expiry of tombstones: "id"
    sojourn:{3f}:users       sorted by name: "user NUL id"

The braces keep all of it in one slot of a cluster, and an id keeps its first two digits when it
is regenerated: so each verb is one script in one slot.  The hashes are the truth, and the sorted
sets are hints: whoever finds one wrong mends it.

The frame lies under the empty name, which no field of a session can have.  Its numbers stand at
fixed places, so that scripts read and write them without loss:

    form, flags, created, seen, expires, lifetime, length of the user, the user, the rest

The rest is MessagePack of the sign-in, or the successor's id on a tombstone.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple

import ormsgpack

from sojourn.errors import ConfigError, CorruptRecord
from sojourn.record import Fields, Record

FORM = 1
FRAME = b""
"""The name of the frame among the fields."""
PERSISTENT, HAS_USER, TOMBSTONE = 1, 2, 4
"""The flags."""
NO_LIFETIME = -1.0
MARGIN = 60
"""Seconds after its expiry that Redis drops a hash by itself: clocks may differ by as much."""
LATEST = 1e11
"""The last second that a clock of ours can show, some 3,000 years from now."""

TAGS = tuple(f"{number:02x}" for number in range(256))
"""The first two digits of all ids."""

_HEAD = struct.Struct(">BBddddI")
_NUL = b"\0"


class Keys(NamedTuple):
    """The names of the keys that share one tag."""

    stem: str
    """What the names of the hashes begin with; the id follows."""
    live: str
    retired: str
    users: str


class Layout:
    """The names of all keys under one prefix."""

    def __init__(self, prefix: str) -> None:
        if not isinstance(prefix, str) or not re.fullmatch(r"[A-Za-z0-9_.:-]{1,100}", prefix):
            raise ConfigError(
                f"prefix: {prefix!r:.60} must be 1 to 100 letters, digits or any of _ . : -"
            )
        self._keys = {tag: _keys(f"{prefix}:{{{tag}}}:") for tag in TAGS}
        self.pattern = f"{prefix}:{{??}}:*"
        """What SCAN finds everything by."""

    def of(self, id: str) -> Keys:
        """Return the names for a session with this id, or for its tag."""
        return self._keys[id[:2]]

    def id_of(self, key: bytes) -> str | None:
        """Return the id of the session that a key holds; None if it is a key of another kind."""
        id = key.rpartition(b":")[2].decode(errors="replace")
        return id if re.fullmatch("[0-9a-f]{32,128}", id) else None


def _keys(stem: str) -> Keys:
    return Keys(stem, stem + "live", stem + "retired", stem + "users")


# -- entries of the sorted sets ------------------------------------------------------------------


def encoded(user: str) -> bytes:
    """Return the bytes of a user's name; no two names share them."""
    return user.encode("utf-8", "surrogatepass")


def live_entry(record: Record) -> bytes:
    """Return what stands for a session, or a tombstone, in the order of expiry."""
    id = record.id.encode()
    return id if record.user is None else id + _NUL + encoded(record.user)


def user_entry(record: Record) -> bytes:
    """Return what stands for a session among the users'; nothing if nobody is signed in."""
    return b"" if record.user is None else encoded(record.user) + _NUL + record.id.encode()


def user_range(user: str) -> tuple[bytes, bytes]:
    """Return the limits between which the entries of a user stand."""
    name = encoded(user)
    return b"[" + name + b"\0", b"(" + name + b"\1"


def ids_of_user(entries: Sequence[bytes], user: str) -> list[str]:
    """Return the ids of a user's entries; passes by those of a name that only begins like it."""
    start = len(encoded(user)) + 1
    return [entry[start:].decode() for entry in entries if _NUL not in entry[start:]]


def ids_of_live(entries: Sequence[bytes]) -> list[str]:
    """Return the ids of entries in the order of expiry."""
    return [entry.partition(_NUL)[0].decode() for entry in entries if entry]


# -- records -------------------------------------------------------------------------------------


def expiry_ms(expires: float) -> int:
    """Return when Redis shall drop a hash by itself, in milliseconds since the epoch."""
    return (ceil(expires) + MARGIN) * 1000


def frame(record: Record) -> bytes:
    """Return everything of a record but its id and its fields."""
    flags = PERSISTENT * record.persistent
    flags |= HAS_USER * (record.user is not None) | TOMBSTONE * (record.successor is not None)
    own = NO_LIFETIME if record.lifetime is None else record.lifetime
    return (
        struct.pack(">BBdddd", FORM, flags, record.created, record.seen, record.expires, own)
        + identity(record.user, record.authenticated, record.about)
        if record.successor is None
        else _HEAD.pack(FORM, flags, record.created, record.seen, record.expires, own, 0)
        + record.successor.encode()
    )


def identity(
    user: str | None, authenticated: float | None, about: Mapping[str, str] | None
) -> bytes:
    """Return the end of a frame: who is signed in."""
    name = b"" if user is None else encoded(user)
    rest = b"" if authenticated is None and about is None else _packed(authenticated, about)
    return len(name).to_bytes(4, "big") + name + rest


def _packed(authenticated: float | None, about: Mapping[str, str] | None) -> bytes:
    return ormsgpack.packb((authenticated, about))


def record_of(id: str, reply: Any) -> Record | None:
    """Return the record that a hash holds; None if there is no hash.

    reply: the fields by name, or names and values in turn.
    """
    if not reply:
        return None
    fields = reply if type(reply) is dict else dict(zip(reply[::2], reply[1::2], strict=True))
    data = fields.pop(FRAME, None)
    if data is None:
        raise corrupt(id)
    return unframed(id, data, fields)


def unframed(id: str, data: bytes, fields: Fields) -> Record:
    """Return the record of this frame; raise CorruptRecord if it is none."""
    try:
        form, flags, created, seen, expires, own, length = _HEAD.unpack_from(data)
        end = _HEAD.size + length
        user = data[_HEAD.size : end].decode("utf-8", "surrogatepass") if flags & HAS_USER else None
        rest = data[end:]
        if form != FORM or end > len(data) or not 0.0 <= expires <= LATEST:
            raise corrupt(id)
        if flags & TOMBSTONE:
            return Record(id, {}, created, seen, expires, successor=rest.decode())
        authenticated, about = ormsgpack.unpackb(rest) if rest else (None, None)
    except (struct.error, ValueError, TypeError):
        raise corrupt(id) from None
    return Record(
        id,
        fields,
        created,
        seen,
        expires,
        user,
        authenticated,
        about,
        None if own == NO_LIFETIME else own,
        bool(flags & PERSISTENT),
    )


def corrupt(id: str) -> CorruptRecord:
    """Return the error for a key that holds something else."""
    return CorruptRecord(f"what is stored under {id} is no session of this release", id=id)
