"""Extensions for the scalar types that MessagePack lacks.

Each type has its own tag.  Tags and formats are stored, so none is ever changed or reused.  All
formats are exact: a Decimal keeps its exponent, its sign and the payload of a NaN; a datetime or
time keeps `fold`, and the name of its time zone rather than the offset on that day.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from ormsgpack import Ext

Write = Callable[[Any], bytes]
Read = Callable[[bytes], Any]


class Refused(Exception):
    """The reason why a value cannot be stored, the steps to it from the inside out, a remedy."""

    def __init__(self, reason: str, way_out: str = "") -> None:
        super().__init__(reason)
        self.steps: list[str] = []
        self._way_out = way_out

    def __str__(self) -> str:
        where = ", ".join(reversed(self.steps))
        reason = f"{self.args[0]} ({where})" if where else str(self.args[0])
        return f"{reason}: {self._way_out}" if self._way_out else reason


def type_name(cls: type) -> str:
    """Return the name of a type for a message, with its module unless it is a builtin."""
    prefix = "" if cls.__module__ == "builtins" else f"{cls.__module__}."
    return prefix + cls.__qualname__


def _genuine(cls: type[Any]) -> type[Any]:
    """Return the class of the standard library, even if a test has replaced it by a subclass."""
    return next(base for base in cls.__mro__ if base.__module__ == "datetime")


GENUINE: Mapping[str, type[Any]] = {
    "datetime": _genuine(datetime),
    "date": _genuine(date),
    "time": _genuine(time),
}
"""The classes of dates and times, by name.

While freezegun is active, the names `datetime` and `date` in every module refer to its own
subclasses.  It does not look into containers, so these entries keep the original classes, and the
stored types do not depend on it.
"""


# One bit more than the value has, for the sign.
def _write_int(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def _read_int(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


# A str with lone surrogates, such as a file name of undecodable bytes, has no UTF-8 form.
def _write_text(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _read_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _write_date(value: date) -> bytes:
    return value.isoformat().encode()


def _read_date(data: bytes) -> Any:
    return GENUINE["date"].fromisoformat(data.decode())


def _write_moment(value: datetime | time) -> bytes:
    """Return `2026-11-23T16:48:00|0|Europe/Berlin`: the local time, fold, and time zone.

    A zone that cannot be stored exactly is replaced by the nearest one.
    """
    try:
        zone = _zone_text(value)
    except Refused:
        zone = _nearest_zone_text(value)
    return _moment(value, zone)


def _write_exact_moment(value: datetime | time) -> bytes:
    """Return the same bytes, but raise Refused for a zone that cannot be stored exactly."""
    return _moment(value, _zone_text(value))


def _moment(value: datetime | time, zone: str) -> bytes:
    """Return the bytes of a datetime or time, with the given text for its zone."""
    clock = value.replace(tzinfo=None).isoformat()
    return _write_text(f"{clock}|{value.fold}|{zone}")


def _read_datetime(data: bytes) -> Any:
    return _read_moment(GENUINE["datetime"], data)


def _read_time(data: bytes) -> Any:
    return _read_moment(GENUINE["time"], data)


def _read_moment(cls: type[Any], data: bytes) -> Any:
    """Return the datetime or time in the bytes of `_moment`."""
    clock, fold, zone = _read_text(data).split("|", 2)
    return cls.fromisoformat(clock).replace(fold=int(fold), tzinfo=_zone(zone))


def _nearest_zone_text(value: datetime | time) -> str:
    """Return the key of a zone derived from ZoneInfo, or else the offset at that moment."""
    zone = value.tzinfo
    if isinstance(zone, ZoneInfo) and zone.key and _is_found(zone, value):
        return zone.key
    offset = value.utcoffset()
    if offset is None:  # for a `time`, whose offset may depend on the day
        raise Refused(
            f"a {type(value).__name__} with a tzinfo of type {type_name(type(zone))}, which has no "
            "key and no offset for it, cannot be stored",
            "store a datetime, or a time without a tzinfo",
        )
    return _offset_text(offset)


def _offset_text(offset: timedelta) -> str:
    """Return an offset in microseconds, always with its sign."""
    return f"{offset // timedelta(microseconds=1):+d}"


def _zone_text(value: datetime | time) -> str:
    """Return "", a key of the zone database, or an offset in microseconds: `+3600000000 name`.

    The name is left out if it is the usual one of that offset.
    """
    zone = value.tzinfo
    if zone is None:
        return ""
    # A shortcut for a common zone: the general case below gives the same text.
    if zone is UTC:
        return "+0"
    # The exact class: a subclass could compute other offsets.
    if type(zone) is timezone:
        offset, name = zone.utcoffset(None), zone.tzname(None)
        text = _offset_text(offset)
        return text if name == timezone(offset).tzname(None) else f"{text} {name}"
    if type(zone) is ZoneInfo and zone.key:
        if not _is_found(zone, value):
            raise Refused(
                f"a ZoneInfo named {zone.key!r:.60} that the zone database does not have so cannot "
                "be stored: use ZoneInfo(key), or store the moment in UTC"
            )
        return zone.key
    raise Refused(
        f"a tzinfo of type {type_name(type(zone))} without a key cannot be stored",
        "store the moment in UTC, value.astimezone(UTC)",
    )


def _is_found(zone: ZoneInfo, value: datetime | time) -> bool:
    """Whether the key of a zone leads to the same zone; one read from a file may have any key."""
    try:
        found = ZoneInfo(zone.key)
    except (KeyError, OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError
        return False
    if found is zone:
        return True
    # Zones of equal rules may be two objects, so their effect on this moment is compared.
    same = value.replace(tzinfo=found)
    return same.utcoffset() == value.utcoffset() and same.tzname() == value.tzname()


def _zone(text: str) -> tzinfo | None:
    """Return the time zone for a text of `_zone_text`."""
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
    return str(value).upper().encode()  # the decimal context may ask for a lower-case "e"


def _read_decimal(data: bytes) -> Decimal:
    value = Decimal(data.decode())
    if _write_decimal(value) != data:  # a context without traps turns invalid text into NaN
        raise ValueError("not a decimal number")
    return value


def _write_uuid(value: UUID) -> bytes:
    return value.bytes


def _read_uuid(data: bytes) -> UUID:
    return UUID(bytes=data)


_LEAVES: tuple[tuple[int, type, Write, Read], ...] = (
    (1, int, _write_int, _read_int),  # of more than 64 bits
    (2, str, _write_text, _read_text),  # with surrogates
    (3, GENUINE["datetime"], _write_moment, _read_datetime),
    (4, GENUINE["date"], _write_date, _read_date),
    (5, time, _write_moment, _read_time),
    (6, timedelta, _write_timedelta, _read_timedelta),
    (7, Decimal, _write_decimal, _read_decimal),
    (8, UUID, _write_uuid, _read_uuid),
)


def _writer(tag: int, write: Write) -> Callable[[Any], Ext]:
    """Return a function that wraps the written value in an extension."""
    return lambda value: Ext(tag, write(value))


WRITERS = {cls: _writer(tag, write) for tag, cls, write, _ in _LEAVES}
"""Per type, the function that returns a value's extension."""

EXACT_WRITERS = {
    cls: _writer(tag, _write_exact_moment)
    for tag, cls, write, _ in _LEAVES
    if write is _write_moment
}
"""Replacements for these that refuse a time zone which would not be decoded unchanged."""

READERS = {tag: read for tag, _, _, read in _LEAVES}
"""Per tag, the function that decodes an extension's payload.  They may raise any exception."""
