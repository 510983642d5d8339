"""Values to bytes and back: equal, of the same type, and the same value always the same bytes.

The form is in `_msgpack`.  `ormsgpack` writes what it keeps exactly, and asks for the rest.  What
it refuses outright (sets, keys that are no str, surrogates) `_lower` first brings into the same
form, more slowly; where that is impossible it knows the type and the place to name.  What is
unpacked is the value, unless there are marks in it: then `_lift` does the reverse.

No stored name leads to code, and bytes of any origin raise ValueError at worst.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from types import NoneType
from typing import Any
from uuid import UUID

from ormsgpack import packb, unpackb

from sojourn import _msgpack as form
from sojourn._leaves import Refused, type_name
from sojourn._msgpack import (
    FRAME,
    MARK,
    MAX_DEPTH,
    OPTIONS,
    SIZES,
    Mark,
    is_deep,
    open_any,
    size_of,
)
from sojourn._types import From, Registration, To, checked
from sojourn.errors import ConfigError, EncodeError

Key = str | bytes | int | UUID | tuple["Key", ...]
"""A session's key.  Equal keys of these types have equal bytes; 1, True and 1.0 have not."""

ATOMIC: frozenset[type] = frozenset(
    {NoneType, bool, int, float, str, bytes, date, timedelta, Decimal, UUID}
)
"""A value of exactly such a type never changes in place and can always be encoded."""

_TOO_DEEP = f"nested deeper than {MAX_DEPTH}, or cyclic"


class Codec:
    """Turns values into bytes and back.  It never changes once made, so threads may share it."""

    __slots__ = ("_default", "_from", "_writers")

    def __init__(self, types: Mapping[str, Registration] | None = None) -> None:
        """Register `types` under the names that are stored.  Raises ConfigError for a bad one."""
        self._from: dict[str, From] = {}
        writers = dict(form.WRITERS)
        for name, registration in (types or {}).items():
            cls, to, self._from[name] = checked(name, registration)
            if cls in writers:
                raise ConfigError(f"types[{name!r}]: {type_name(cls)} has another name: drop one")
            writers[cls] = _object_writer(name, to)
        self._writers = writers
        self._default = lambda value: writers[type(value)](value)

    def encode(self, value: Any) -> bytes:
        """The bytes of `value`.  Raises EncodeError with the type, and the place in the value."""
        try:
            packed = packb(value, self._default, OPTIONS)  # as `mark`, without the call
        except TypeError:
            packed = self._pack_slowly(value)
        size = len(packed) + 6
        data = FRAME + packed + (SIZES[size] if size < len(SIZES) else size_of(size))
        if len(data) > MAX_DEPTH and type(value) not in ATOMIC and is_deep(data):
            raise EncodeError(_TOO_DEEP)
        return data

    def mark(self, value: Any) -> bytes:
        """Bytes that are equal for what is the same value, to compare with; as `encode`."""
        try:
            return packb(value, self._default, OPTIONS)
        except TypeError:
            return self._pack_slowly(value)

    def is_still(self, value: Any, data: bytes) -> bool:
        """Whether `encode` gave `data` for what `value` is now."""
        try:
            return packb(value, self._default, OPTIONS) == data[1:-5]
        except TypeError:
            return False  # it takes the slow way: `encode` shall tell

    def decode(self, data: bytes) -> Any:
        """The value of `data`.  Raises ValueError, which shows nothing of it, if there is none."""
        try:
            value, size = unpackb(data, ext_hook=open_any)
        except TypeError:
            raise ValueError("no frame") from None
        if type(size) is not int or size != len(data):
            raise ValueError("the bytes are cut short, or others follow")
        return self._assemble(value) if MARK in data else value

    def _pack(self, tree: Any) -> bytes:
        return packb(tree, self._default, OPTIONS)

    def _pack_slowly(self, value: Any) -> bytes:
        try:
            return self._pack(self._lower(value))
        except Refused as refused:
            raise EncodeError(str(refused)) from refused.__cause__
        except (TypeError, RecursionError):
            raise EncodeError(_TOO_DEEP) from None

    def _lower(self, value: Any) -> Any:
        """The value as a tree that `packb` takes.  Raises Refused."""
        kind = type(value)
        if kind in form.NATIVE:
            return value
        if kind is str:
            return form.text(value)
        if kind is dict:
            return self._lower_dict(value)
        if kind not in form.SEQUENCES:
            return self._lower_object(value)
        items = self._lower_each(value, lambda index: f"{kind.__name__} item {index}")
        if kind is set or kind is frozenset:
            items.sort(key=self._pack)
        return [*form.SEQUENCES[kind], *items]

    def _lower_each(self, values: Iterable[Any], step: Callable[[int], str]) -> Any:
        lowered: list[Any] = []
        for value in values:
            try:
                lowered.append(self._lower(value))
            except Refused as refused:
                refused.steps.append(step(len(lowered)))
                raise
        return lowered

    def _lower_dict(self, value: dict[Any, Any]) -> Any:
        names = list(value)
        keys = self._lower_each(names, lambda _: "a key of the dict")
        values = self._lower_each(value.values(), lambda at: f"key {_shown(names[at])}")
        pairs = zip(keys, values, strict=True)
        if all(type(key) is str for key in keys):
            return dict(pairs)
        return [form.DICT, *(part for pair in pairs for part in pair)]

    def _lower_object(self, value: Any) -> Any:
        name = type_name(type(value))
        writer = self._writers.get(type(value))
        if writer is None:
            raise Refused(f"a value of type {name} cannot be stored")
        try:
            written = writer(value)
        except (Refused, RecursionError):
            raise
        except Exception as error:
            raise Refused(f"a {name} could not be turned into a value") from error
        if type(written) is not list:
            return written
        *head, made = written
        return [*head, *self._lower_each([made], lambda _: f"what `to` made of {name}")]

    def _assemble(self, tree: Any) -> Any:
        try:
            return self._lift(tree)
        except Refused as refused:
            raise ValueError(str(refused)) from None
        except Exception as error:  # noqa: BLE001  `from_`, a hash, an equality: anything may come
            raise ValueError(f"not a value: {type(error).__name__}") from None

    def _lift(self, node: Any) -> Any:
        """The value that a tree stands for.  Raises Refused, and whatever the parts raise."""
        if type(node) is dict:
            return {key: self._lift(value) for key, value in node.items()}
        if type(node) is not list:
            return form.value(node)
        lift = self._lift
        mark = node[0] if node and type(node[0]) is Mark else None
        parts = node if mark is None else node[1:]
        items = [lift(part) if type(part) in form.NODES else part for part in parts]
        if mark is None:
            return items
        return self._object(*items) if mark is Mark.OBJECT else form.container(mark, items)

    def _object(self, name: str, made: Any) -> Any:
        if name not in self._from:
            raise Refused(f"no type is registered as {_shown(name)}")
        return self._from[name](made)


def encode_key(key: Any) -> bytes:
    """The bytes of a session's key.  Raises EncodeError for anything but a `Key`."""
    if type(key) is str:
        return _text_key(key)
    return packb(_lower_key(key, 0), form.leaf, OPTIONS)


@lru_cache(maxsize=1024)  # an application has few keys, and asks for them all the time
def _text_key(key: str) -> bytes:
    return packb(form.text(key), form.leaf, OPTIONS)


def decode_key(data: bytes) -> Key:
    """The key of `data`.  Raises ValueError unless `data` is what `encode_key` gave for it."""
    try:
        key: Key = _lift_key(unpackb(data, ext_hook=form.open_leaf))
        if encode_key(key) == data:
            return key
    except (EncodeError, RecursionError):
        pass
    raise ValueError("not a session's key")


def _lower_key(key: Any, depth: int) -> Any:
    kind = type(key)
    if kind is str:
        return form.text(key)
    if kind is int or kind is bytes or kind is UUID:
        return key
    if kind is not tuple:
        allowed = "str, bytes, int, UUID, or a tuple of these"
        raise EncodeError(f"a key is {allowed}, not {type_name(kind)}")
    if depth == MAX_DEPTH:
        raise EncodeError(_TOO_DEEP)
    return [_lower_key(part, depth + 1) for part in key]


def _lift_key(node: Any) -> Any:
    return tuple(map(_lift_key, node)) if type(node) is list else node


def _object_writer(name: str, to: To) -> To:
    return lambda value: [form.OBJECT, name, to(value)]


def _shown(key: Any) -> str:
    """A key for a message, if it is of a plain type, and short."""
    return f"{key!r:.40}" if type(key) in {str, int, bool} else f"of type {type_name(type(key))}"
