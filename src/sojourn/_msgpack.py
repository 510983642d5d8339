"""MessagePack as Sojourn stores it: the frame, the marks, and how deep it may nest.

A value stands in a frame, [value, number of bytes in all]: `ormsgpack` does not look at what
follows an array, and so nothing can.

A container that MessagePack lacks is an array that begins with a mark: the tuple (1, 2) is
[TUPLE, 1, 2].  No value is a mark, so a list is never mistaken for one.  A mark's payload is
0xc1, the one byte that MessagePack never uses: bytes without it hold no mark.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from types import NoneType
from typing import Any

import ormsgpack
from ormsgpack import Ext, unpackb

from sojourn._leaves import READERS, Refused
from sojourn._leaves import WRITERS as LEAF_WRITERS

MAX_DEPTH = 100
"""How deep containers may nest.  A registered object is as deep as what its `to` returns."""

OPTIONS = (
    ormsgpack.OPT_PASSTHROUGH_BIG_INT
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_UUID
)
"""All that ormsgpack would store as another type goes to `default` instead."""


class Mark(Enum):
    """What an array is if it is no list.  The tags are stored: none is ever changed or reused."""

    TUPLE = 16
    SET = 17
    FROZENSET = 18
    DICT = 19
    """Key, value, key, value: a dict with other keys than str."""
    OBJECT = 20
    """The name of a registered type, and what its `to` returned."""


FRAME = b"\x92"
"""With what a frame begins: an array of two."""


def size_of(size: int) -> bytes:
    """The last item of a frame of `size` bytes: a number of four bytes."""
    return (0xCE << 32 | size).to_bytes(5, "big")


SIZES = [size_of(size) for size in range(1024)]
"""Those of most values, made once."""

MARK = b"\xc1"
TUPLE, SET, FROZENSET, DICT, OBJECT = (Ext(mark.value, MARK) for mark in Mark)

NATIVE = frozenset({NoneType, bool, int, float, bytes, bytearray})
"""What `packb` takes as it is; an int beyond 64 bits it hands on."""

SEQUENCES: Mapping[type, tuple[Ext, ...]] = {
    list: (),
    tuple: (TUPLE,),
    set: (SET,),
    frozenset: (FROZENSET,),
}
"""With what the array of such a container begins."""

WRITERS: Mapping[type, Callable[[Any], Any]] = {
    **LEAF_WRITERS,
    tuple: lambda value: [TUPLE, *value],
    memoryview: bytes,  # one that is not contiguous
}
"""What `packb` is handed in place of a value that it does not take itself."""

NODES = frozenset({list, dict, Mark})
"""What an unpacked tree has inside besides values."""

_MARKS = {mark.value: mark for mark in Mark}
_OPENING = bytes([*range(0x80, 0xA0), *range(0xDC, 0xE0)])
_NOT_OPENING = bytes(set(range(256)).difference(_OPENING))
"""All bytes but those that open an array or a map."""


def text(value: str) -> str | Ext:
    """A str as `packb` takes it: one that UTF-8 cannot express is an extension."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return LEAF_WRITERS[str](value)
    return value


def leaf(value: Any) -> Ext:
    """A `default` for `packb` that knows the leaves alone."""
    return LEAF_WRITERS[type(value)](value)


def open_leaf(tag: int, payload: bytes) -> Any:
    """An `ext_hook` for `unpackb` that knows the leaves alone."""
    return READERS[tag](payload)


def open_any(tag: int, payload: bytes) -> Any:
    """An `ext_hook` for `unpackb` that knows leaves and marks."""
    return _MARKS[tag] if payload == MARK and tag in _MARKS else READERS[tag](payload)


def value(node: Any) -> Any:
    """What is no container.  Raises Refused for a mark."""
    if type(node) is Mark:
        raise Refused("a mark where none belongs")
    return node


def container(mark: Mark, items: list[Any]) -> Any:
    """The tuple, set, frozenset or dict of `items`.  Raises Refused if an entry stands twice."""
    if mark is Mark.TUPLE:
        return tuple(items)
    if mark is Mark.DICT:
        entries: Any = dict(zip(items[::2], items[1::2], strict=True))
        size = len(items) // 2
    else:
        entries = set(items) if mark is Mark.SET else frozenset(items)
        size = len(items)
    if len(entries) != size:
        raise Refused("an entry stands twice")
    return entries


def is_deep(data: bytes) -> bool:
    """Whether the containers in a frame nest deeper than `MAX_DEPTH`.

    Where fewer bytes than that could open one, as in most values, a glance is enough.
    """
    if len(data.translate(None, _NOT_OPENING)) <= MAX_DEPTH:
        return False
    level = [unpackb(data, ext_hook=_open_mark)]
    for _ in range(MAX_DEPTH + 1):
        level = _containers(level)
        if MARK in data:
            level = [inner for node in level for inner in _unwrapped(node)]
        if not level:
            return False
    return True


def _open_mark(tag: int, _payload: bytes) -> Mark | None:
    return _MARKS.get(tag)


def _containers(nodes: list[Any]) -> list[Any]:
    """The containers directly inside of those."""
    return [
        item
        for node in nodes
        for item in (node.values() if type(node) is dict else node)
        if type(item) is list or type(item) is dict
    ]


def _unwrapped(node: Any) -> list[Any]:
    """Instead of an object what `to` made of it, if that is a container."""
    is_object = type(node) is list and node and node[0] is Mark.OBJECT
    return _containers([node]) if is_object else [node]
