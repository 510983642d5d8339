"""The storage format: MessagePack in a frame, with marks for types that MessagePack lacks.

A value is stored in a frame, which is the array [value, size of the frame in bytes].  `ormsgpack`
ignores bytes that follow an array; the size reveals them.

A container that MessagePack lacks is stored as an array that begins with a mark: the tuple (1, 2)
is [TUPLE, 1, 2].  A mark is never a value, so no list can be mistaken for such a container.  The
payload of a mark is 0xc1, the one byte that MessagePack never uses: data without this byte
contains no mark.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any, NamedTuple

import ormsgpack
from ormsgpack import Ext, packb, unpackb

from sojourn.codec.scalars import EXACT_WRITERS, READERS, Refused
from sojourn.codec.scalars import WRITERS as LEAF_WRITERS

MAX_DEPTH = 100
"""The deepest nesting of containers.  A registered object counts as the value its `to` returned."""

OPTIONS = (
    ormsgpack.OPT_PASSTHROUGH_BIG_INT
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_UUID
)
"""ormsgpack would store these as other types; with the options it calls `default` for them."""


class Mark(Enum):
    """The kinds of container that MessagePack lacks, by the number that is stored as their mark.

    A number is never changed or reused.
    """

    TUPLE = 16
    SET = 17
    FROZENSET = 18
    DICT = 19
    """Key, value, key, value ...: a dict with keys other than str."""
    OBJECT = 20
    """The name of a registered type, and the result of its `to`."""


FRAME = b"\x92"
"""The first byte of a frame: an array of two items."""


def size_of(size: int) -> bytes:
    """Return the last item of a frame of `size` bytes, a number that always takes five bytes."""
    return (0xCE << 32 | size).to_bytes(5, "big")


SIZES = [size_of(size) for size in range(1024)]
"""The last items of small frames, computed once."""

SIZE = len(size_of(0))
"""The length of a frame's last item in bytes."""

MARK = b"\xc1"
TUPLE, SET, FROZENSET, DICT, OBJECT = (Ext(mark.value, MARK) for mark in Mark)

NATIVE = frozenset({NoneType, bool, int, float, bytes, bytearray})
"""The types that `packb` encodes itself, except ints of more than 64 bits."""

SEQUENCES: Mapping[type, tuple[Ext, ...]] = {
    list: (),
    tuple: (TUPLE,),
    set: (SET,),
    frozenset: (FROZENSET,),
}
"""The first items of the array for each of these container types."""


def _not_by_itself(_: Any) -> Any:
    """Make `packb` fail, so that the value takes the slow path."""
    raise TypeError


WRITERS: Mapping[type, Callable[[Any], Any]] = {
    **LEAF_WRITERS,
    tuple: lambda value: [TUPLE, *value],
    memoryview: bytes,  # only those that are not contiguous
    set: _not_by_itself,
    frozenset: _not_by_itself,
}
"""Per type that `packb` does not encode: the function that returns a substitute."""

STRICT_WRITERS = {**WRITERS, **EXACT_WRITERS}
"""The same, but with time zones refused unless they are decoded unchanged."""

NODES = frozenset({list, dict, Mark})
"""The types in an unpacked tree that are not complete values."""

_FIX_ARRAY = 0x90
_ARRAYS = {0xDC: 2, 0xDD: 4}
"""The number of bytes of an array's length, by its first byte; short ones have it in that byte."""
_FIX_EXT = b"\xd4"
"""The first byte of a mark."""

_MARKS = {mark.value: mark for mark in Mark}
_OPENING = bytes([*range(0x80, 0xA0), *range(0xDC, 0xE0)])
_NOT_OPENING = bytes(set(range(256)).difference(_OPENING))
"""All bytes except those that open an array or a map."""


def extended(base: bytes, mine: bytes, theirs: bytes) -> bytes | None:
    """Return the frame of the list in `theirs`, extended by the items that `mine` adds to `base`.

    Returns None unless all three are lists, and the two others begin with the items of `base`.
    Nothing is decoded: a list's items are stored one after the other without separators, so bytes
    can be compared and joined.
    """
    old, ours, stored = map(_opened, (base, mine, theirs))
    if old is None or ours is None or stored is None:
        return None
    # Equal bytes are equal items, and an item's bytes show their own end: a match of bytes is a
    # match of items.
    if not (ours.items.startswith(old.items) and stored.items.startswith(old.items)):
        return None
    head = FRAME + _array(stored.length + ours.length - old.length)
    more = ours.items[len(old.items) :]
    size = len(head) + len(stored.items) + len(more) + SIZE
    return b"".join((head, stored.items, more, size_of(size)))


class _List(NamedTuple):
    """A list: the number of its items, and the bytes of the items."""

    length: int
    items: bytes


def _opened(data: bytes) -> _List | None:
    """Return the list in a frame, or None if the value is not a list."""
    if data[:1] != FRAME or data[-SIZE:] != size_of(len(data)):
        return None
    first = data[1]
    size = 0 if first & 0xF0 == _FIX_ARRAY else _ARRAYS.get(first)
    # An array that begins with a mark is another container.
    if size is None or data[2 + size :].startswith(_FIX_EXT):
        return None
    length = int.from_bytes(data[2 : 2 + size], "big") if size else first & 0x0F
    return _List(length, data[2 + size : -SIZE])


def _array(length: int) -> bytes:
    """Return the first bytes of an array of `length` items."""
    if length < 16:
        return bytes([_FIX_ARRAY | length])
    if length < 1 << 16:
        return b"\xdc" + length.to_bytes(2, "big")
    return b"\xdd" + length.to_bytes(4, "big")


def text(value: str) -> str | Ext:
    """Return a str in the form that `packb` accepts: with surrogates it becomes an extension."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return LEAF_WRITERS[str](value)
    return value


def leaf(value: Any) -> Ext:
    """Return the extension for a value: a `default` for `packb` that accepts no containers."""
    return LEAF_WRITERS[type(value)](value)


def open_leaf(tag: int, payload: bytes) -> Any:
    """Return the value of an extension: an `ext_hook` for `unpackb` that refuses marks."""
    return READERS[tag](payload)


def open_any(tag: int, payload: bytes) -> Any:
    """Return the mark or the value of an extension: an `ext_hook` for `unpackb`."""
    return _MARKS[tag] if payload == MARK and tag in _MARKS else READERS[tag](payload)


def value(node: Any) -> Any:
    """Return a node that is not a container.  Raises Refused for a mark."""
    if type(node) is Mark:
        raise Refused("a mark where none belongs")
    return node


MAX_COLLISIONS = 100
"""The largest number of entries in a set or dict that share their hash with another entry."""
MAX_BITS = 1024
"""The size in bits of the largest int allowed beside a Decimal: comparing the two takes quadratic
time."""


def check_hashes(entries: Collection[Any]) -> None:
    """Raise Refused for entries that take quadratic time to put into a set or a dict.

    Ints are hashed modulo 2**61 - 1, so an attacker can easily find thousands with the same hash.
    """
    if len(entries) > MAX_COLLISIONS:
        hashes = {hash(entry) for entry in entries}
        if len(entries) - len(hashes) > MAX_COLLISIONS:
            raise Refused(f"more than {MAX_COLLISIONS} entries of one container share their hashes")
    if Decimal in map(type, entries) and any(
        type(entry) is int and entry.bit_length() > MAX_BITS for entry in entries
    ):
        raise Refused(f"a Decimal and an int of more than {MAX_BITS} bits are in one container")


def container(mark: Mark, items: list[Any]) -> Any:
    """Return the tuple, set, frozenset or dict of `items`.

    Raises Refused if an entry occurs twice, or if too many share a hash.
    """
    if mark is Mark.TUPLE:
        return tuple(items)
    # Before the container is built, since building it is the work that would take too long.
    check_hashes(items[::2] if mark is Mark.DICT else items)
    if mark is Mark.DICT:
        entries: Any = dict(zip(items[::2], items[1::2], strict=True))
        size = len(items) // 2
    else:
        entries = set(items) if mark is Mark.SET else frozenset(items)
        size = len(items)
    if len(entries) != size:
        raise Refused("an entry stands twice")
    return entries


def may_be_deep(data: bytes) -> bool:
    """Whether a frame has enough bytes that could open a container to be deeper than `MAX_DEPTH`."""
    return len(data.translate(None, _NOT_OPENING)) > MAX_DEPTH


def in_lists(value: Any) -> Any:
    """Return a value in so many lists that `packb` accepts it only if it is not deeper than
    `MAX_DEPTH`.

    Raises TypeError if this release of `packb` has no limit that could serve for that.
    """
    for _ in range(_lists_around()):
        value = [value]
    return value


@cache
def _lists_around() -> int:
    """Return the limit of `packb`, in nested lists, minus `MAX_DEPTH`.  See `in_lists`."""
    nested: list[Any] = []
    # The limit was 255 in each release so far.
    for depth in range(1, 1000):
        try:
            packb(nested)
        except TypeError:
            return depth - 1 - MAX_DEPTH
        nested = [nested]
    raise TypeError("packb has no limit")


def built_in(value: Any) -> Any:
    """Return the form of a built-in value: a `default` for `packb` that accepts no other types."""
    return WRITERS[type(value)](value)


def is_deep(data: bytes) -> bool:
    """Whether the containers in a frame are nested deeper than `MAX_DEPTH`."""
    # Level by level and without recursion, which could exhaust the stack on the very values
    # that this is to refuse.
    level = [unpackb(data, ext_hook=_open_mark)]
    for _ in range(MAX_DEPTH + 1):
        level = _containers(level)
        if MARK in data:
            level = [inner for node in level for inner in _unwrapped(node)]
        if not level:
            return False
    return True


def _open_mark(tag: int, _payload: bytes) -> Mark | None:
    """Return the mark with this tag, and None in place of any other value."""
    return _MARKS.get(tag)


def _containers(nodes: list[Any]) -> list[Any]:
    """Return the containers that are direct items of the given ones."""
    return [
        item
        for node in nodes
        for item in (node.values() if type(node) is dict else node)
        if type(item) is list or type(item) is dict
    ]


def _unwrapped(node: Any) -> list[Any]:
    """Return a node, or the containers in it if it is an object, which does not add a level."""
    is_object = type(node) is list and node and node[0] is Mark.OBJECT
    return _containers([node]) if is_object else [node]
