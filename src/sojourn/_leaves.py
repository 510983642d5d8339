"""The values that hold no others and that MessagePack lacks: each an extension with its own tag.

The tags and the forms behind them are stored: none is ever changed or used again for another.
All of them are exact: Decimal keeps its exponent, its sign and a NaN its payload; a moment keeps
fold, and the name of its zone rather than the offset of the day.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from ormsgpack import Ext

Write = Callable[[Any], bytes]
Read = Callable[[bytes], Any]


class Refused(Exception):
    """A value that cannot be stored: the reason, and the steps to it from the inside out."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.steps: list[str] = []

    def __str__(self) -> str:
        where = ", ".join(reversed(self.steps))
        return f"{self.args[0]} ({where})" if where else str(self.args[0])


def type_name(cls: type) -> str:
    """The name of a type for a message, with its module unless it is a builtin."""
    prefix = "" if cls.__module__ == "builtins" else f"{cls.__module__}."
    return prefix + cls.__qualname__


def _write_int(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def _read_int(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def _write_text(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _read_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _write_date(value: date) -> bytes:
    return value.isoformat().encode()


def _read_date(data: bytes) -> date:
    return date.fromisoformat(data.decode())


def _write_moment(value: datetime | time) -> bytes:
    """`2026-11-23T16:48:00|0|Europe/Berlin`: the clock on the wall, fold, zone."""
    clock = value.replace(tzinfo=None).isoformat()
    return _write_text(f"{clock}|{value.fold}|{_zone_text(value.tzinfo)}")


def _read_datetime(data: bytes) -> datetime:
    clock, fold, zone = _read_text(data).split("|", 2)
    return datetime.fromisoformat(clock).replace(fold=int(fold), tzinfo=_zone(zone))


def _read_time(data: bytes) -> time:
    clock, fold, zone = _read_text(data).split("|", 2)
    return time.fromisoformat(clock).replace(fold=int(fold), tzinfo=_zone(zone))


def _zone_text(zone: tzinfo | None) -> str:
    """Nothing, a key of the zone database, or `+3600000000 name`: microseconds, perhaps a name."""
    if zone is None:
        return ""
    if zone is UTC:
        return "+0"
    if type(zone) is timezone:
        offset, name = zone.utcoffset(None), zone.tzname(None)
        text = f"{offset // timedelta(microseconds=1):+d}"
        return text if name == timezone(offset).tzname(None) else f"{text} {name}"
    if type(zone) is ZoneInfo and zone.key:
        return zone.key
    raise Refused(f"a tzinfo of type {type_name(type(zone))} without a key cannot be stored")


def _zone(text: str) -> tzinfo | None:
    if not text:
        return None
    if text[0] not in "+-":
        return ZoneInfo(text)
    offset, named, name = text.partition(" ")
    delta = timedelta(microseconds=int(offset))
    return timezone(delta, name) if named else timezone(delta)


_DELTA = struct.Struct(">3i")


def _write_timedelta(value: timedelta) -> bytes:
    return _DELTA.pack(value.days, value.seconds, value.microseconds)


def _read_timedelta(data: bytes) -> timedelta:
    return timedelta(*_DELTA.unpack(data))


def _write_decimal(value: Decimal) -> bytes:
    return str(value).upper().encode()  # the context may ask for a small "e"


def _read_decimal(data: bytes) -> Decimal:
    value = Decimal(data.decode())
    if _write_decimal(value) != data:  # a context without traps makes NaN of any rubbish
        raise ValueError("not a decimal number")
    return value


def _write_uuid(value: UUID) -> bytes:
    return value.bytes


def _read_uuid(data: bytes) -> UUID:
    return UUID(bytes=data)


_LEAVES: tuple[tuple[int, type, Write, Read], ...] = (
    (1, int, _write_int, _read_int),  # beyond 64 bits
    (2, str, _write_text, _read_text),  # with surrogates
    (3, datetime, _write_moment, _read_datetime),
    (4, date, _write_date, _read_date),
    (5, time, _write_moment, _read_time),
    (6, timedelta, _write_timedelta, _read_timedelta),
    (7, Decimal, _write_decimal, _read_decimal),
    (8, UUID, _write_uuid, _read_uuid),
)


def _writer(tag: int, write: Write) -> Callable[[Any], Ext]:
    return lambda value: Ext(tag, write(value))


WRITERS = {cls: _writer(tag, write) for tag, cls, write, _ in _LEAVES}
"""The extension for a value, by its type."""

READERS = {tag: read for tag, _, _, read in _LEAVES}
"""The value for an extension's payload, by its tag.  They raise what they like."""
