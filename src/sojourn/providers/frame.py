"""A whole record as bytes, for stores that keep one value under an id.

A MessagePack array: the form, the times, then the rest of `Record`; the id is the key it lies
under and stands outside.  The form says how to read what follows, and changes with every change
of the layout.  The times stand at fixed places, so that an expiry is read without the rest.
"""

from __future__ import annotations

import struct

import ormsgpack

from sojourn.errors import CorruptRecord
from sojourn.record import Record

FORM = 1
"""The layout that this release writes."""

_OPTION = ormsgpack.OPT_NON_STR_KEYS  # the fields' keys are bytes
_pack, _unpack = ormsgpack.packb, ormsgpack.unpackb
_expires = struct.Struct(">d").unpack_from
_EXPIRES_AT = 21  # array head, form, two floats of nine bytes, and the third one's type byte


def pack(record: Record) -> bytes:
    """Return the record as bytes."""
    _, fields, *times_and_rest = record
    return _pack((FORM, *times_and_rest, fields), option=_OPTION)


def unpack(id: str, data: bytes) -> Record:
    """Return the record that `data` is; raise CorruptRecord if it is none."""
    try:
        form, created, seen, expires, *rest, fields = _unpack(data, option=_OPTION)
        record = Record(id, fields, created, seen, expires, *rest)
    except (ValueError, TypeError):
        raise _corrupt(id) from None
    if not (
        form == FORM
        and type(fields) is dict
        and type(created) is float
        and type(seen) is float
        and type(expires) is float
        and type(record.version) is int
    ):
        raise _corrupt(id)
    return record


def expiry(data: bytes) -> float:
    """Return when the record that `data` is expires."""
    expires: float = _expires(data, _EXPIRES_AT)[0]
    return expires


def _corrupt(id: str) -> CorruptRecord:
    return CorruptRecord(f"what is stored under {id} is no session of this release", id=id)
