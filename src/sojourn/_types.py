"""Types that an application registers, by names that are stored: no stored name leads to code."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, Flag
from functools import partial
from typing import Any

from sojourn import _msgpack as form
from sojourn._leaves import type_name
from sojourn.errors import ConfigError

To = Callable[[Any], Any]
From = Callable[[Any], Any]
Registration = type | tuple[type, To, From]
"""An Enum or a Flag; or a class, its way to a value that can be stored, and its way back."""

BUILT_IN = form.NATIVE.union(form.SEQUENCES, form.WRITERS, {dict})


def checked(name: str, registration: Registration) -> tuple[type, To, From]:
    """The class, `to` and `from_` of one entry of `types`.  Raises ConfigError for a bad one."""
    if type(name) is not str or not name:
        raise ConfigError(f"types[{name!r}]: the name that is stored is a str, and not empty")
    match registration:
        case type() if issubclass(registration, Flag):
            return registration, lambda member: member.value, partial(_flag, registration)
        case type() if issubclass(registration, Enum):
            return registration, lambda member: member.name, registration.__getitem__
        case (type() as cls, to, from_) if callable(to) and callable(from_):
            if cls in BUILT_IN:
                raise ConfigError(f"types[{name!r}]: {type_name(cls)} is stored as it is: drop it")
            return cls, to, from_
    raise ConfigError(f"types[{name!r}]: give an Enum, or a class with `to` and `from_`")


def _flag(flag: type[Flag], value: Any) -> Flag:
    member = flag(value)
    if member.value != value:
        raise ValueError("bits that it has not")  # which Python 3.11.2 drops in silence
    return member
