"""Converts values of a subclass of a storable type to the equal value of that type.

Such values are common: a member of a `StrEnum`, an `OrderedDict`, a named tuple, the token of an
OAuth client, the UUID of a database driver.  Each is stored as the str, dict or tuple that it is by
inheritance, provided that this is equal to it; otherwise something would be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sojourn.codec.hints import way_out
from sojourn.codec.scalars import GENUINE, Refused, type_name


def _datetime(value: Any) -> Any:
    cls = GENUINE["datetime"]
    return cls.combine(cls.date(value), cls.timetz(value))


def _date(value: Any) -> Any:
    return GENUINE["date"].fromordinal(value.toordinal())


def _time(value: Any) -> Any:
    clock = value.hour, value.minute, value.second, value.microsecond
    return GENUINE["time"](*clock, value.tzinfo, fold=value.fold)


def _bytes(value: Any) -> bytes:
    return bytes(memoryview(value))


# The methods are those of the base type itself, since a subclass may have overridden them.
_MADE_PLAIN: Mapping[type, Callable[[Any], Any]] = {
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    bytes: _bytes,
    bytearray: _bytes,
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    dict: lambda value: dict(value.items()),
    GENUINE["datetime"]: _datetime,
    GENUINE["date"]: _date,
    GENUINE["time"]: _time,
    timedelta: timedelta.__pos__,
    Decimal: Decimal,
    UUID: lambda value: UUID(bytes=value.bytes),
}


def unknown(value: Any) -> Refused:
    """Return the error for a value of a type that cannot be stored."""
    return Refused(f"a value of type {type_name(type(value))} cannot be stored", way_out(value))


def base_of(kind: type) -> type | None:
    """Return the nearest storable base type of a class, or None."""
    return next((base for base in kind.__mro__[1:] if base in _MADE_PLAIN), None)


def plain(value: Any) -> Any:
    """Return the equal value of the storable type from which the value's class is derived.

    Raises Refused if there is no such type or the values differ, and any exception of the class's
    own methods.
    """
    kind = type(value)
    base = base_of(kind)
    if base is None:
        raise unknown(value)
    # The comparison guards against classes that hold more than their base, or compare differently.
    made = _MADE_PLAIN[base](value)
    if not (made == value or (made != made and value != value)):  # noqa: PLR0124 - NaN
        raise Refused(
            f"a value of type {type_name(kind)}, which is not equal to the {base.__name__} that it "
            "is derived from, cannot be stored",
            way_out(value),
        )
    return made
