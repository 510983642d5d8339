"""The format of the data in Redis: the names of the keys, and the encoding of a record as a hash.

With the prefix `sojourn`, the sessions whose ids begin with the digits `3f` (their tag) have:

    sojourn:{3f}:3f81…       hash: one session, its fields and its frame
    sojourn:{3f}:live        sorted set of sessions by expiry: "id", or "id NUL user"
    sojourn:{3f}:retired     sorted set of tombstones by expiry: "id"
    sojourn:{3f}:users       sorted set of signed-in users by name: "user NUL id"

The braces place all of these keys in one slot of a cluster, and an id keeps its first two digits
when it is regenerated, so each operation is one script in one slot.  The hashes are authoritative.
The sorted sets are indexes, and a sweep that finds an entry which contradicts its hash repairs it.

The frame is a field with the empty name, which no field of a session can have.  It holds the head
of the record.  Its numbers have fixed positions and are binary, so that the Lua scripts read and
write them without loss of precision:

    form      1 byte    the version of this format
    flags     1 byte    the sum of PERSISTENT, HAS_USER and TOMBSTONE
    created   8 bytes   a float, like the next three; seconds since the epoch
    seen      8 bytes
    expires   8 bytes
    lifetime  8 bytes   the lifetime set for this session, in seconds; NO_LIFETIME if none was
    length    4 bytes   the number of bytes of the user
    user                UTF-8
    rest                MessagePack of the sign-in; on a tombstone the id of its successor

All numbers are big-endian.  The scripts use the same layout (scripts/frame.lua, update.lua).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping
from math import ceil
from typing import NamedTuple

import ormsgpack

from sojourn.errors import ConfigError, CorruptRecord
from sojourn.record import ID, Fields, Record

FORM = 1
"""The version of the format of a frame."""
FRAME = b""
"""The name of the hash field that holds the frame."""
PERSISTENT, HAS_USER, TOMBSTONE = 1, 2, 4
"""The bits of the flags in a frame."""
ALL_FLAGS = 7
NO_LIFETIME = -1.0
"""The number in a frame for a session whose lifetime is the configured one."""
MARGIN = 60
"""Redis deletes a hash by itself this many seconds after its expiry, because the clocks of Redis
and of the application may differ by as much."""
FORGOTTEN_AFTER = 3600.0
"""Entries that expired this many seconds ago are removed while sessions are created or moved, for
applications that never call `gc`.  Redis has deleted their hashes before, unless the clocks differ
by about an hour."""
LATEST = 1e11
"""The greatest valid time in seconds since the epoch, some 3,000 years from now."""

TAGS = tuple(f"{number:02x}" for number in range(256))
"""The first two digits of all ids."""

_HEAD = struct.Struct(">BBddddI")
_NUL = b"\0"
_NUMBERS, _TEXT = {float, int}, {str}
_is_id = re.compile(ID.encode()).fullmatch
"""Matches a valid id.  Names in Redis are checked, since other programs may have added keys."""


class Keys(NamedTuple):
    """The names of the keys that share one tag."""

    stem: str
    """The beginning of the names of the hashes; the id follows."""
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
        self.keys = {tag: _keys(f"{prefix}:{{{tag}}}:") for tag in TAGS}
        """The names of the keys for each tag, computed once, because each operation needs them."""
        self.pattern = f"{prefix}:{{??}}:*"
        """The pattern with which SCAN finds all keys of the prefix; no character that a prefix may
        contain has a special meaning in it."""

    def id_of(self, key: bytes) -> str | None:
        """Return the id of the session that is stored under a key; None for any other key."""
        id = key.rpartition(b":")[2]
        return id.decode() if _is_id(id) else None


def _keys(stem: str) -> Keys:
    return Keys(stem, stem + "live", stem + "retired", stem + "users")


# -- entries of the sorted sets ------------------------------------------------------------------


def encoded(user: str) -> bytes:
    """Return the bytes of a user's name; different names have different bytes.

    Every str can be encoded, even one with lone surrogates.
    """
    return user.encode("utf-8", "surrogatepass")


def live_entry(record: Record) -> bytes:
    """Return the entry of a session or a tombstone in its sorted set by expiry."""
    id = record.id.encode()
    return id if record.user is None else id + _NUL + encoded(record.user)


def user_entry(record: Record) -> bytes:
    """Return the entry of a session in `users`; empty bytes if it has no user."""
    return b"" if record.user is None else encoded(record.user) + _NUL + record.id.encode()


def user_range(user: str) -> tuple[bytes, bytes]:
    """Return the limits of a user's entries in `users`, for ZRANGEBYLEX."""
    # The entries are the name, NUL and an id, so the range goes from the name and NUL, inclusive,
    # to the name and the byte after NUL, exclusive.
    name = encoded(user)
    return b"[" + name + b"\0", b"(" + name + b"\1"


def ids_of_user(entries: Iterable[bytes], user: str, tag: str) -> list[str]:
    """Return the ids in a user's entries of one tag; skip entries that are malformed.

    A name may contain NUL, so the entries of another user whose name is this one, NUL and more are
    among them.  They are skipped too: no valid id follows the first NUL.
    """
    start = len(encoded(user)) + 1
    return _ids((entry[start:] for entry in entries), tag)


def ids_of_live(entries: Iterable[bytes], tag: str) -> list[str]:
    """Return the ids in the entries of `live` of one tag, by expiry; skip malformed entries."""
    return _ids((entry.partition(_NUL)[0] for entry in entries), tag)


def _ids(names: Iterable[bytes], tag: str) -> list[str]:
    """Return the names that are valid ids of this tag, in their order, without duplicates."""
    start = tag.encode()
    found = [name.decode() for name in names if name.startswith(start) and _is_id(name)]
    return [*dict.fromkeys(found)]


# -- records -------------------------------------------------------------------------------------


def expiry_ms(expires: float) -> str:
    """Return the time at which Redis deletes a hash by itself, in milliseconds since the epoch.

    expires: the expiry of the session in seconds.
    """
    return f"{ceil(expires) + MARGIN}000"


def frame(record: Record) -> bytes:
    """Return the frame of a record: all of the record except its id and its fields."""
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
    """Return the end of a frame: the length of the user, the user and the sign-in.

    A move replaces exactly this part, so it is also an argument of the update script.
    """
    name = b"" if user is None else encoded(user)
    rest = b"" if authenticated is None and about is None else _packed(authenticated, about)
    return len(name).to_bytes(4, "big") + name + rest


def _packed(authenticated: float | None, about: Mapping[str, str] | None) -> bytes:
    return ormsgpack.packb((authenticated, about))


def stored(id: str, held: dict[bytes, bytes]) -> Record:
    """Return the record that is stored in a hash.

    held: the fields of the hash; the frame is removed from it, and the record keeps the rest.

    Raises CorruptRecord if the hash has no frame or an invalid one.
    """
    data = held.pop(FRAME, None)
    if data is None:
        raise corrupt(id)
    return unframed(id, data, held)


def unframed(id: str, data: bytes, fields: Fields) -> Record:
    """Return the record with this id, frame and fields; raise CorruptRecord for a bad frame."""
    try:
        form, flags, created, seen, expires, own, length = _HEAD.unpack_from(data)
        end = _HEAD.size + length
        if form != FORM or flags > ALL_FLAGS or end > len(data):
            raise corrupt(id)
        # `surrogatepass` as in `encoded`.  A UnicodeDecodeError is a ValueError, caught below.
        user = data[_HEAD.size : end].decode("utf-8", "surrogatepass") if flags & HAS_USER else None
        rest = data[end:]
        sound = 0.0 <= created <= LATEST and 0.0 <= seen <= LATEST and 0.0 <= expires <= LATEST
        if not sound or not (own == NO_LIFETIME or 0.0 <= own <= LATEST):
            raise corrupt(id)  # the comparisons are False for NaN, so it is rejected as well
        if flags & TOMBSTONE:
            if not _is_id(rest):
                raise corrupt(id)
            return Record(id, {}, created, seen, expires, successor=rest.decode())
        authenticated, about = _signed_in(rest) if rest else (None, None)
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


def _signed_in(rest: bytes) -> tuple[float | None, Mapping[str, str] | None]:
    """Return the time of the sign-in and `about`; raise ValueError or TypeError if invalid."""
    # `about` is given to applications as a mapping of str to str, so its types are checked.
    authenticated, about = ormsgpack.unpackb(rest)
    if authenticated is not None and not (
        type(authenticated) in _NUMBERS and 0.0 <= authenticated <= LATEST
    ):
        raise ValueError
    if about is not None and not (
        type(about) is dict
        and _TEXT.issuperset(map(type, about))
        and _TEXT.issuperset(map(type, about.values()))
    ):
        raise ValueError
    return authenticated, about


def corrupt(id: str) -> CorruptRecord:
    """Return the error for an id under which something other than a record is stored."""
    return CorruptRecord(f"what is stored under {id} is no session of this release", id=id)
