"""A whole record as bytes, for stores that keep one value under an id.

A MessagePack array: the form, the times, then the rest of `Record`; the id is the key it lies
under and stands outside.  The form says how to read what follows, and changes with every change
of the layout.  The times stand at fixed places, so that an expiry is read without the rest.
"""

from __future__ import annotations

import struct
from types import NoneType

import ormsgpack

from sojourn.errors import CorruptRecord
from sojourn.record import Record

FORM = 1
"""The layout that this release writes."""

LATEST = 1e11
"""The last second that a clock of ours can show, some 3,000 years from now."""

_BYTES, _TEXT = {bytes}, {str, NoneType}
_OPTION = ormsgpack.OPT_NON_STR_KEYS  # the fields' keys are bytes
_record = Record._make
_pack, _unpack = ormsgpack.packb, ormsgpack.unpackb
_expires = struct.Struct(">d").unpack_from
_EXPIRES_AT = 21  # array head, form, two floats of nine bytes, and the third one's type byte


def pack(record: Record) -> bytes:
    """Return the record as bytes."""
    return _pack((FORM, *record[2:], record[1]), option=_OPTION)


def unpack(id: str, data: bytes) -> Record:
    """Return the record that `data` is; raise CorruptRecord if it is none."""
    try:
        record = unpack_own(id, data)
        if data[1] == FORM and _is_sound(record):
            return record
    except (ValueError, TypeError, IndexError, AttributeError, KeyError):
        pass
    raise CorruptRecord(f"what is stored under {id} is no session of this release", id=id)


def unpack_own(id: str, data: bytes) -> Record:
    """Return the record of a frame that nobody else can have touched."""
    record = _unpack(data, option=_OPTION)
    record[0] = id  # in the place of the form
    record.insert(1, record.pop())
    return _record(record)


def expiry(data: bytes) -> float:
    """Return when the record that `data` is expires."""
    expires: float = _expires(data, _EXPIRES_AT)[0]
    return expires


def _is_sound(record: Record) -> bool:
    """Whether everything is of its type, so that nothing else stumbles over it."""
    fields = record.fields
    return (
        type(fields) is dict
        and _BYTES.issuperset(map(type, fields))
        and _BYTES.issuperset(map(type, fields.values()))
        and _is_number(record.created)
        and _is_number(record.seen)
        and _is_number(record.expires)
        and (record.lifetime is None or _is_number(record.lifetime))
        and (record.authenticated is None or _is_number(record.authenticated))
        and type(record.user) in _TEXT
        and type(record.successor) in _TEXT
        and (record.about is None or type(record.about) is dict)
        and type(record.persistent) is bool
        and type(record.version) is int
    )


def _is_number(seconds: float) -> bool:
    return type(seconds) is float and 0.0 <= seconds <= LATEST
