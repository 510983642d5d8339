"""Values to store in a session, and a test whether a value came back unchanged."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo


class Color(Enum):
    """An enum of an application; Sojourn is told of it by `types={"color": Color}`."""

    RED = 1


def _nested(depth: int) -> list[Any]:
    return [_nested(depth - 1)] if depth else []


_AT = datetime(2026, 10, 25, 2, 30, 4, 678901)  # noqa: DTZ001 - a naive one is the point

VALUES: dict[str, Any] = {
    "None, bool, int, float, str, list": [None, True, 1, 1.5, "text", []],
    "int 2**63": 2**63,
    "int 2**100": 2**100,
    "nan": math.nan,
    "inf": math.inf,
    "str with a lone surrogate": "a\ud800b",
    "str with NUL, emoji": "a\0\N{GRINNING FACE}",
    "bytes": b"\x00\xff",
    "tuple": (1, 2),
    "tuple in a list in a dict": {"a": [(1, 2)]},
    "set": {1, 2},
    "frozenset": frozenset({1, 2}),
    "dict with int keys": {1: "a"},
    "dict with tuple keys": {(1, 2): "a"},
    "datetime, naive": _AT,
    "datetime, fixed offset": _AT.replace(tzinfo=timezone(timedelta(hours=2))),
    "datetime, zoneinfo, fold=1": _AT.replace(tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
    "datetime, UTC": _AT.replace(tzinfo=UTC),
    "date": date(2026, 1, 2),
    "time": time(3, 4, 5),
    "timedelta": timedelta(days=1, microseconds=5),
    "Decimal": Decimal("1.10"),
    "UUID": UUID(int=5),
    "Enum": Color.RED,
    "lists nested 90 deep": _nested(90),
}

KEPT, ALTERED, ERROR = "kept", "altered", "error"


def same(ours: Any, theirs: Any) -> bool:
    """Return whether two values are equal and of the same types, on all levels."""
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, dict):
        return same(list(ours.items()), list(theirs.items()))
    if isinstance(ours, list | tuple):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, float) and math.isnan(ours):
        return math.isnan(theirs)
    return bool(_whole(ours) == _whole(theirs))


def _whole(value: Any) -> Any:
    """Return all details of a value, including those that `==` ignores."""
    if isinstance(value, Decimal):
        return value.as_tuple()
    return _moment(value) if isinstance(value, datetime) else value


def _moment(at: datetime) -> tuple[object, ...]:
    zone = at.tzinfo
    return at.replace(tzinfo=None), at.fold, at.utcoffset(), type(zone), getattr(zone, "key", None)
