"""Encodes values as bytes and decodes them; equal values of one type always give the same bytes.

A decoded value equals the original and has the same type, for the types in the table of
`docs/concepts.md` and for registered ones.  A value of any other subclass of such a type is stored,
and decoded, as the equal value of its base type.

`msgpack` describes the format.  `ormsgpack` encodes the types that it preserves exactly and calls
a hook for others.  Values that it cannot encode at all (sets, dict keys other than str, surrogates)
take a slower path: `_lower` rebuilds them as a tree that it can encode, or raises an error with the
type and the place in the value.  Decoded data is the value itself, unless it contains marks;
then `_lift` reverses the work of `_lower`.

No stored name is ever imported or called.  Decoding bytes of any origin raises nothing worse
than ValueError.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from types import NoneType
from typing import Any
from uuid import UUID

from ormsgpack import packb, unpackb

from sojourn.codec import msgpack as form
from sojourn.codec.custom_types import BUILT_IN, From, Registration, To, checked
from sojourn.codec.derived import base_of, plain, unknown
from sojourn.codec.msgpack import (
    FRAME,
    MARK,
    MAX_DEPTH,
    OPTIONS,
    SIZES,
    Mark,
    in_lists,
    is_deep,
    may_be_deep,
    open_any,
    size_of,
)
from sojourn.codec.scalars import GENUINE, Refused, type_name
from sojourn.errors import ConfigError, EncodeError

Key = str | bytes | int | UUID | tuple["Key", ...]
"""The types of a session's key.  Equal keys of these types have equal bytes; 1 and 1.0 do not."""

ATOMIC: frozenset[type] = frozenset(
    {NoneType, bool, int, float, str, bytes, GENUINE["date"], timedelta, Decimal, UUID}
)
"""Values of exactly these types never change in place, and can always be encoded."""

_KEY_TYPES = frozenset({str, bytes, int, UUID, tuple})

_TOO_DEEP = f"nested deeper than {MAX_DEPTH}, or cyclic"


class Codec:
    """Encodes values as bytes and decodes them.  Threads may share an instance."""

    __slots__ = ("_converted", "_default", "_from", "_strict", "_writers", "is_exact")

    def __init__(
        self, types: Mapping[str, Registration] | None = None, *, strict: bool = False
    ) -> None:
        """Register `types`, a mapping of stored names to types.

        strict: whether to refuse values of unregistered subclasses, and time zones without a key.
        Raises ConfigError for an entry that cannot be registered.
        """
        self._from: dict[str, From] = {}
        self._strict = strict
        self.is_exact = True
        """Whether every value encoded so far will be decoded with the type that it had."""
        self._converted: list[tuple[type, To]] = []
        writers = dict(form.STRICT_WRITERS if strict else form.WRITERS)
        for name, registration in (types or {}).items():
            cls, to, from_ = checked(name, registration)
            if cls in writers:
                raise ConfigError(f"types[{name!r}]: {type_name(cls)} has another name: drop one")
            if from_ is None:
                self._converted.append((cls, to))
            else:
                writers[cls], self._from[name] = _object_writer(name, to), from_
        self._writers = writers
        as_known = self._as_known

        # A closure, since ormsgpack calls it once per value, and attribute look-ups would cost
        # time.
        def default(value: Any) -> Any:
            writer = writers.get(type(value))
            return as_known(value) if writer is None else writer(value)

        self._default = default

    def encode(self, value: Any) -> bytes:
        """Return the bytes of a value.

        Raises EncodeError, with the type and the place of the part that cannot be stored.
        """
        try:
            packed = packb(value, self._default, OPTIONS)  # the body of `mark`, inlined for speed
        except TypeError:
            packed = self._pack_slowly(value)
        # The frame adds its head of one byte and the size, which takes five.
        size = len(packed) + 6
        data = FRAME + packed + (SIZES[size] if size < len(SIZES) else size_of(size))
        # Each level takes at least one byte, so short data cannot be too deep.
        if len(data) > MAX_DEPTH and type(value) not in ATOMIC and may_be_deep(data):
            self._check_depth(value, data)
        return data

    def mark(self, value: Any) -> bytes:
        """Return bytes for comparing values: equal for equal values of equal types.

        Raises EncodeError as `encode` does.
        """
        try:
            return packb(value, self._default, OPTIONS)
        except TypeError:
            return self._pack_slowly(value)

    def is_still(self, value: Any, data: bytes) -> bool:
        """Whether `encode` would give `data` for the present state of a value.

        False may also mean that this cannot be found out quickly: the caller then calls `encode`.
        """
        try:
            return packb(value, self._default, OPTIONS) == data[1:-5]  # without the frame
        except TypeError:
            return False  # left to `encode`, which takes the slow path

    def decode(self, data: bytes) -> Any:
        """Return the value in `data`.  Raises ValueError, with none of the data in its message."""
        try:
            value, size = unpackb(data, ext_hook=open_any)
        except TypeError:
            raise ValueError("no frame") from None
        # `unpackb` ignores bytes behind the array, so only the stored size reveals them.
        if type(size) is not int or size != len(data):
            raise ValueError("the bytes are cut short, or others follow")
        # The byte of a mark may also occur in other data; `_lift` then finds no mark, and only
        # costs time.
        return self._assemble(value) if MARK in data else value

    def _check_depth(self, value: Any, data: bytes) -> None:
        """Raise EncodeError if a value is nested too deep.  data: its encoded form."""
        try:
            # `packb` refuses values that are nested deeper than a limit of its own.  In as many lists
            # as bring `MAX_DEPTH` to that limit, it accepts only values that are not too deep.
            # That takes a fraction of the time of decoding the data and walking through them.  It
            # is left to the walk if a function of the application would have to run again.
            packb(in_lists(value), form.built_in, OPTIONS)
        except TypeError:
            if is_deep(data):
                raise EncodeError(_TOO_DEEP) from None

    def _as_known(self, value: Any) -> Any:
        """Return the storable value for a value of a type that is not known.  Raises Refused."""
        self.is_exact = False
        for cls, to in self._converted:
            if issubclass(type(value), cls):
                return to(value)
        if self._strict:
            raise unknown(value)
        return plain(value)

    def _pack(self, tree: Any) -> bytes:
        return packb(tree, self._default, OPTIONS)

    def _pack_slowly(self, value: Any) -> bytes:
        """Encode a value that `packb` refuses, by way of `_lower`."""
        try:
            return self._pack(self._lower(value))
        except Refused as refused:
            raise EncodeError(str(refused)) from refused.__cause__
        except (TypeError, RecursionError):
            raise EncodeError(_TOO_DEEP) from None

    def _lower(self, value: Any) -> Any:
        """Return a value as a tree that `packb` accepts.  Raises Refused."""
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
            form.check_hashes(value)
            self._check_apart(value, items)
            # Sets have no order of their own: sorting makes equal sets have equal bytes.
            items.sort(key=self._pack)
        return [*form.SEQUENCES[kind], *items]

    def _lower_each(self, values: Collection[Any], step: Callable[[int], str]) -> Any:
        """Lower each value of a container; on an error, note the step that leads to the value."""
        if form.NATIVE.issuperset(map(type, values)):
            return [*values]
        lowered: list[Any] = []
        for value in values:
            try:
                lowered.append(self._lower(value))
            except Refused as refused:
                refused.steps.append(step(len(lowered)))
                raise
        return lowered

    def _lower_dict(self, value: dict[Any, Any]) -> Any:
        """Lower a dict: one with str keys stays a dict, any other becomes a marked array."""
        names = list(value)
        form.check_hashes(names)
        keys = self._lower_each(names, lambda _: "a key of the dict")
        values = self._lower_each(value.values(), lambda at: f"key {_shown(names[at])}")
        if set(map(type, keys)) <= {str}:
            self._check_apart(names, keys)
            return dict(zip(keys, values, strict=True))
        self._check_apart(names, keys)
        lowered = [form.DICT] * (2 * len(keys) + 1)
        lowered[1::2], lowered[2::2] = keys, values
        return lowered

    def _check_apart(self, entries: Collection[Any], lowered: Collection[Any]) -> None:
        """Refuse a container two of whose entries would be stored as the same bytes.

        This happens to values of derived types, which are stored as their base types.
        """
        if BUILT_IN.issuperset(map(type, entries)):
            return
        form.check_hashes([_as_number(entry) for entry in entries])
        if len({*map(self._pack, lowered)}) < len(lowered):
            raise Refused("two entries of one container would be stored as the same")

    def _lower_object(self, value: Any) -> Any:
        """Lower a value of a registered type, of a derived type, or of a type with an extension."""
        name = type_name(type(value))
        writer = self._writers.get(type(value))
        try:
            written = self._as_known(value) if writer is None else writer(value)
        except (Refused, RecursionError):
            raise
        except Exception as error:
            raise Refused(f"a {name} could not be turned into a value") from error
        # Without a writer, the result is a plain value that may itself need lowering.
        if writer is None:
            return self._lower(written)
        if type(written) is not list:
            return written
        *head, made = written
        return [*head, *self._lower_each([made], lambda _: f"what `to` made of {name}")]

    def _assemble(self, tree: Any) -> Any:
        """Return the value of a tree with marks.  Raises ValueError for a faulty tree."""
        try:
            return self._lift(tree)
        except Refused as refused:
            raise ValueError(str(refused)) from None
        except Exception as error:  # noqa: BLE001  the application's code may raise anything
            raise ValueError(f"not a value: {type(error).__name__}") from None

    def _lift(self, node: Any) -> Any:
        """Return the value that a tree represents.

        Raises Refused, and any exception of a registered type's code.
        """
        if type(node) is dict:
            return {key: self._lift(value) for key, value in node.items()}
        if type(node) is not list:
            return form.value(node)
        lift = self._lift
        mark = node[0] if node and type(node[0]) is Mark else None
        parts = node if mark is None else node[1:]
        items = parts
        if not form.NODES.isdisjoint(map(type, parts)):
            items = [lift(part) if type(part) in form.NODES else part for part in parts]
        if mark is None:
            return items
        return self._object(*items) if mark is Mark.OBJECT else form.container(mark, items)

    def _object(self, name: str, made: Any) -> Any:
        """Return the object of a registered type.  Other names are refused, and never imported."""
        if name not in self._from:
            raise Refused(f"no type is registered as {_shown(name)}")
        return self._from[name](made)


def encode_key(key: Any) -> bytes:
    """Return the bytes of a session's key.  Raises EncodeError for anything but a `Key`."""
    if type(key) is str:
        return text_key(key)
    return packb(_lower_key(key, 0), form.leaf, OPTIONS)


@lru_cache(maxsize=1024)  # an application has few keys and uses them all the time
def text_key(key: str) -> bytes:
    """Return the bytes of a str key."""
    return packb(form.text(key), form.leaf, OPTIONS)


def decode_key(data: bytes) -> Key:
    """Return the key in `data`.  Raises ValueError unless `encode_key` gives `data` for it."""
    try:
        key: Key = _lift_key(unpackb(data, ext_hook=form.open_leaf))
        # Only one encoding of a key is accepted; otherwise a session could hold a key twice.
        if encode_key(key) == data:
            return key
    except (EncodeError, RecursionError):
        pass
    raise ValueError("not a session's key")


def _lower_key(key: Any, depth: int) -> Any:
    """Return a key as a tree that `packb` accepts."""
    kind = type(key)
    if kind is str:
        return form.text(key)
    if kind is int or kind is bytes or kind is UUID:
        return key
    if kind is not tuple:
        return _lower_key(_plain_key(key), depth)
    if depth == MAX_DEPTH:
        raise EncodeError(_TOO_DEEP)
    return [_lower_key(part, depth + 1) for part in key]


def _plain_key(key: Any) -> Any:
    """Return the equal key of a permitted type, for a key of a derived one."""
    kind = type(key)
    # True is an int and equals 1: as a key it would overwrite that of 1.
    if kind is not bool and base_of(kind) in _KEY_TYPES:
        # Methods of a derived class may raise anything, and its value may differ from the base.
        with suppress(Exception):
            return plain(key)
    allowed = "str, bytes, int, UUID, or a tuple of these"
    raise EncodeError(f"a key is {allowed}, not {type_name(kind)}")


def _as_number(entry: Any) -> Any:
    """Return a number of a derived type as the number that is stored for it."""
    return plain(entry) if base_of(type(entry)) in (int, Decimal) else entry


def _lift_key(node: Any) -> Any:
    """Return the key for an unpacked one, in which tuples are lists."""
    return tuple(map(_lift_key, node)) if type(node) is list else node


def _object_writer(name: str, to: To) -> To:
    """Return the writer of a registered type."""
    return lambda value: [form.OBJECT, name, to(value)]


def shown(key: Any) -> str:
    """Return a key as text for a message."""
    try:
        return f"{key!r:.80}"
    except ValueError:
        # Python refuses to format very large ints.
        return f"of type {type_name(type(key))}"


def _shown(key: Any) -> str:
    """Return a key as text for a message if it is short and of a plain type, else only its type."""
    plain = type(key) in {str, int, bool}
    return f"{shown(key):.40}" if plain else f"of type {type_name(type(key))}"
