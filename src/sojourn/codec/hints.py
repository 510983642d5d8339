"""Advice for error messages: how to store a value of a type that cannot be stored."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import is_dataclass
from enum import Enum
from typing import Any


def way_out(value: Any) -> str:  # noqa: PLR0911 - a list of cases
    """Return advice on a value of an unknown type, for the end of an error message."""
    kind = type(value)
    register = f"register the class, types={{{kind.__name__.lower()!r}: {kind.__name__}}}"
    if isinstance(value, type) or callable(value) or hasattr(kind, "__await__"):
        return "store the data that it works on"
    if issubclass(kind, Enum):
        return f"{register}, or store its `value`"
    if hasattr(kind, "model_dump"):
        return f"{register}, or store value.model_dump()"
    if is_dataclass(kind):
        return f"{register}, or store dataclasses.asdict(value)"
    if hasattr(kind, "__mapper__") or hasattr(kind, "_meta"):  # of SQLAlchemy, Django and others
        return "store its primary key, and load it again where it is needed"
    if hasattr(kind, "tolist"):  # numpy, array
        return "store value.tolist()"
    if issubclass(kind, Mapping):
        return "store dict(value)"
    if issubclass(kind, Collection | Iterator):
        return "store list(value)"
    way = f"register the class, types={{{kind.__name__.lower()!r}: ({kind.__name__}, to, from_)}}"
    return f"{way}, or store str(value)"
