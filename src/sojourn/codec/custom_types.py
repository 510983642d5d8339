"""The types that an application registers under names, which are stored with their values.

Decoding looks a stored name up among the registered types only, so it never leads to other code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import InitVar, fields, is_dataclass
from enum import Enum, Flag
from functools import partial
from inspect import signature
from typing import Any, NamedTuple

from sojourn.codec import msgpack as form
from sojourn.codec.scalars import type_name
from sojourn.errors import ConfigError

To = Callable[[Any], Any]
From = Callable[[Any], Any]
Registration = type | tuple[type, To, From] | tuple[type, To]
"""An entry of `types`: an Enum, a Flag, a dataclass, a pydantic model or a NamedTuple; or a tuple
of a class, a function that turns a value into a storable one, and the function that reverses this.
Without the last function, values of the class and of its subclasses are stored as the first
function's result, and decoded as that result."""

BUILT_IN = form.NATIVE.union(form.SEQUENCES, form.WRITERS, {dict})
"""The types that can be stored without registration."""


class Known(NamedTuple):
    """A registered class, its function to a storable value, and the reverse one if it has one."""

    cls: type
    to: To
    from_: From | None


def checked(name: str, registration: Registration) -> Known:
    """Return the registration of one entry of `types`.  Raises ConfigError for an invalid one."""
    if type(name) is not str or not name:
        raise ConfigError(f"types[{name!r}]: the name that is stored is a str, and not empty")
    match registration:
        case type() if (known := _of_class(name, registration)) is not None:
            return known
        case (type() as cls, to) if callable(to):
            return _own(name, Known(cls, to, None))
        case (type() as cls, to, from_) if callable(to) and callable(from_):
            return _own(name, Known(cls, to, from_))
    raise ConfigError(
        f"types[{name!r}]: give an Enum, a dataclass, a pydantic model or a NamedTuple, or a class "
        "with `to` and `from_`"
    )


def _own(name: str, known: Known) -> Known:
    """Return a registration with its own functions, unless the class needs none."""
    if known.cls in BUILT_IN or known.cls is object:
        raise ConfigError(f"types[{name!r}]: {type_name(known.cls)} is stored as it is: drop it")
    return known


def _of_class(name: str, cls: type[Any]) -> Known | None:
    """Return the registration of a class that needs no functions of its own; None for others."""
    # A Flag is an Enum too, but its combined members cannot be looked up by name.
    if issubclass(cls, Flag):
        return Known(cls, lambda member: member.value, partial(_flag, cls))
    # By name, since the value of a member may be anything, even something that cannot be stored.
    if issubclass(cls, Enum):
        return Known(cls, lambda member: member.name, lambda member: cls[member])
    if is_dataclass(cls):
        return _dataclass(name, cls)
    if hasattr(cls, "model_dump") and hasattr(cls, "model_validate"):
        return _model(cls)
    if issubclass(cls, tuple) and hasattr(cls, "_make"):
        return Known(cls, tuple, cls._make)
    return None


def _flag(flag: type[Flag], value: Any) -> Flag:
    """Return the member of a Flag with this value."""
    member = flag(value)
    if member.value != value:
        raise ValueError("bits that it has not")  # Python 3.11.2 silently drops unknown bits
    return member


def _dataclass(name: str, cls: type[Any]) -> Known:
    """Return the registration of a dataclass, which is stored as a dict of its fields by name.

    A field that is added to the class later needs a default, since stored values lack it.
    """
    names = [field.name for field in fields(cls) if field.init]
    others = [field.name for field in fields(cls) if not field.init]
    variables = [key for key, kind in cls.__annotations__.items() if _is_init_var(kind)]
    if variables:
        raise ConfigError(
            f"types[{name!r}]: {type_name(cls)} has the InitVar {variables[0]!r}, which its values do "
            "not keep: give (class, to, from_)"
        )

    def to(value: Any) -> dict[str, Any]:
        return {key: getattr(value, key) for key in [*names, *others] if hasattr(value, key)}

    def from_(made: dict[str, Any]) -> Any:
        rest = {key: made.pop(key) for key in others if key in made}
        value = cls(**made)
        # Fields that `__init__` does not take are set afterwards, with the values that were stored.
        for key, part in rest.items():
            object.__setattr__(value, key, part)  # the class may be frozen
        return value

    return Known(cls, to, from_)


def _is_init_var(kind: Any) -> bool:
    """Whether an annotation, which may be a string, is an InitVar."""
    return (
        kind is InitVar
        or type(kind) is InitVar
        or str(kind).startswith(("InitVar", "dataclasses.InitVar"))
    )


def _model(cls: type[Any]) -> Known:
    """Return the registration of a pydantic model, stored as the result of its `model_dump`.

    The dump uses the names of the fields, or their aliases in pydantic before 2.11.
    """
    by_name = "by_name" in signature(cls.model_validate).parameters  # since pydantic 2.11
    reading = {"by_name": True, "by_alias": False} if by_name else {}

    def to(value: Any) -> Any:
        return value.model_dump(round_trip=True, by_alias=not by_name)

    return Known(cls, to, lambda made: cls.model_validate(made, **reading))
