"""The encoding of a whole record as bytes, for stores that keep one value per id.

A frame is a MessagePack array: the number of its layout, the times, then the other attributes of
`Record`.  The id is left out, since it is the key of the frame in the store.  The layout number
changes with every change of the layout.  The times have fixed positions, so that the expiry can be
read without decoding the rest.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import NoneType

import ormsgpack

from sojourn.errors import CorruptRecord
from sojourn.record import Record, is_id, record_of

FORM = 1
"""The number of the layout that this release writes."""

LATEST = 1e11
"""The largest time that a frame may hold, in seconds: some 3,000 years from now."""

LATEST_VERSION = 2**62
"""The largest version that a frame may hold.  It leaves room for every store to count further."""

_BYTES, _STR, _TEXT = {bytes}, {str}, {str, NoneType}
_OPTION = ormsgpack.OPT_NON_STR_KEYS  # the keys of the fields are bytes
_pack, _unpack = ormsgpack.packb, ormsgpack.unpackb
_expires = struct.Struct(">d").unpack_from
# The head of the array, the layout number, two floats of nine bytes, and the type byte of the
# third.
_EXPIRES_AT = 21


def pack(record: Record) -> bytes:
    """Return the record as bytes."""
    return _pack((FORM, *record[2:], record[1]), option=_OPTION)


def pack_as(record: Record, version: int) -> bytes:
    """Return the record as bytes, with another version."""
    return _pack((FORM, *record[2:10], version, record.successor, record[1]), option=_OPTION)


def unpack(id: str, data: bytes) -> Record:
    """Return the record in a frame.  Raises CorruptRecord if it cannot be read."""
    try:
        record = unpack_own(id, data)
        # Byte 0 is the head of the array, byte 1 the layout number, which `unpack_own` replaces.
        if data[1] == FORM and len(record) == len(Record._fields) and _is_sound(record):
            return record
    except (ValueError, TypeError, IndexError, AttributeError, KeyError):
        pass
    raise CorruptRecord(f"what is stored under {id} is no session of this release", id=id)


def unpack_own(id: str, data: bytes) -> Record:
    """Return the record in a frame that this process wrote itself; nothing is checked."""
    record = _unpack(data, option=_OPTION)
    # In `pack`, the layout number takes the place of the id, and the fields come last, so that the
    # expiry has a fixed position.
    record[0] = id
    record.insert(1, record.pop())
    return record_of(record)


def expiry(data: bytes) -> float:
    """Return the expiry of the record in a frame, without decoding the rest."""
    expires: float = _expires(data, _EXPIRES_AT)[0]
    return expires


def _is_sound(record: Record) -> bool:
    """Whether each attribute has its type and range, so that later code can rely on them."""
    fields = record.fields
    return (
        # Exact types and `issuperset` with `map` are several times faster than `isinstance` in a
        # loop.  Every read checks all fields, so the time matters.
        type(fields) is dict
        and _BYTES.issuperset(map(type, fields))
        and _BYTES.issuperset(map(type, fields.values()))
        and _is_number(record.created)
        and _is_number(record.seen)
        and _is_number(record.expires)
        and (record.lifetime is None or (_is_number(record.lifetime) and record.lifetime > 0.0))
        and (record.authenticated is None or _is_number(record.authenticated))
        and type(record.user) in _TEXT
        and (record.successor is None or _is_way_on(record))
        and (record.about is None or _is_text(record.about))
        and type(record.persistent) is bool
        and type(record.version) is int
        and 0 <= record.version <= LATEST_VERSION
    )


def _is_way_on(record: Record) -> bool:
    """Whether the successor has the form of an id and differs from the record's own id."""
    successor = record.successor
    return is_id(successor) and successor != record.id


def _is_text(about: Mapping[str, str]) -> bool:
    """Whether `about` is a dict of str to str."""
    return (
        type(about) is dict
        and _STR.issuperset(map(type, about))
        and _STR.issuperset(map(type, about.values()))
    )


def _is_number(seconds: float) -> bool:
    """Whether a time is a float in the valid range; the comparisons exclude NaN and infinity."""
    return type(seconds) is float and 0.0 <= seconds <= LATEST
