"""Law 2: what comes back is equal to what was put in, of the same type, or refused at once."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Context, Decimal, getcontext, localcontext
from enum import Enum, Flag, IntEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ormsgpack import Ext, packb

from sojourn.codec import ATOMIC, Codec, decode_key, encode_key
from sojourn.errors import ConfigError, EncodeError

BERLIN = ZoneInfo("Europe/Berlin")
CODEC = Codec()


class Color(Enum):
    RED = "r"
    ALSO_RED = "r"
    BLUE = "b"


class Rights(Flag):
    READ = 1
    WRITE = 2


class Level(IntEnum):
    LOW = 1


@dataclass(frozen=True)
class Money:
    amount: Decimal
    currency: str


@dataclass(frozen=True)
class Box:
    inner: Any


def box(inner: tuple[Any]) -> Box:
    return Box(*inner)


RICH = Codec(
    {
        "color": Color,
        "rights": Rights,
        "level": Level,
        "money": (Money, lambda m: (m.amount, m.currency), lambda pair: Money(*pair)),
        "box": (Box, lambda b: (b.inner,), box),
    }
)


def look(value: Any) -> Any:
    """What tells any two values apart that law 2 tells apart: types, order, fold, zone, NaN."""
    kind = type(value)
    if kind in {list, tuple}:
        return kind, [look(item) for item in value]
    if kind in {set, frozenset}:
        return kind, sorted(repr(look(item)) for item in value)
    if kind is dict:
        return kind, [(look(key), look(item)) for key, item in value.items()]
    if kind is float:
        return kind, value.hex(), math.copysign(1, value)
    if kind is Decimal:
        return kind, value.as_tuple()
    if kind in {datetime, time}:
        return kind, value.replace(tzinfo=None).isoformat(), value.fold, look_zone(value.tzinfo)
    if kind is Box:
        return kind, look(value.inner)
    return kind, value


def look_zone(zone: tzinfo | None) -> Any:
    if isinstance(zone, ZoneInfo):
        return "key", zone.key
    return zone and (type(zone), zone.utcoffset(None), zone.tzname(None))


def assert_round_trip(value: Any, codec: Codec = RICH) -> None:
    data = codec.encode(value)
    back = codec.decode(data)
    assert look(back) == look(value)
    assert codec.encode(back) == data


def framed(tree: Any) -> bytes:
    """Any tree as the codec would store it."""
    packed = packb(tree)
    return b"\x92" + packed + b"\xce" + (len(packed) + 6).to_bytes(4, "big")


def nested(depth: int, wrap: Callable[[Any], Any], core: Any = 1) -> Any:
    for _ in range(depth):
        core = wrap(core)
    return core


LEAVES: list[Any] = [
    None,
    True,
    False,
    *[0, 1, -1, 127, 128, -33, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1],
    *[2**127, 2**128 - 1, -(2**127), -(2**128), 10**5000, -(10**5000)],
    *[0.0, -0.0, 1.0, math.pi, math.inf, -math.inf, math.nan, 5e-324],
    *["", "a", "é", "\0", "\U0010ffff", "\ud800", "a\udfffb", "\ud83d\ude00", "x" * 70_000],
    *[b"", b"\xc1", b"\0\xff", b"x" * 300],
    *[datetime.min, datetime.max, datetime(2026, 11, 23, 16, 48, 1, 5)],
    datetime(2026, 10, 25, 2, 30, fold=1),
    datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN),
    datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
    datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN, fold=1),
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC")),
    datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=-5), "EST | north")),
    datetime(2026, 1, 1, tzinfo=timezone(timedelta(0), "")),
    datetime(2026, 1, 1, tzinfo=timezone(-timedelta(seconds=1, microseconds=7), "\udc80")),
    datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    *[date.min, date.max, date(2026, 11, 23)],
    *[time.min, time.max, time(2, 30, fold=1), time(2, 30, tzinfo=UTC), time(1, tzinfo=BERLIN)],
    *[timedelta(0), timedelta.min, timedelta.max, timedelta(microseconds=-1)],
    *map(Decimal, ["0", "-0", "0E-10", "1.10", "1E+5", "-1E-999999", "NaN", "-NaN123", "sNaN9"]),
    *map(Decimal, ["Infinity", "-Infinity", "1" * 5000]),
    *[UUID(int=0), UUID("12345678-1234-5678-1234-567812345678")],
]

CONTAINERS: list[Any] = [
    *[[], (), set(), frozenset(), {}],
    [[], (), {}, set(), frozenset(), [()], ([],)],
    [1, 1.0, True, "1", b"1", Decimal(1)],
    {1: "int"},
    {True: "bool"},
    {1.0: "float"},
    {Decimal(1): "Decimal"},
    {-0.0: "zero"},
    {"1": 1, b"1": 2, 1: 3, None: 4, (1, "x"): 5, frozenset({1}): 6, date(2026, 1, 1): 7},
    {datetime(2026, 1, 1, tzinfo=BERLIN): 1, UUID(int=1): 2, timedelta(1): 3, math.nan: 4},
    {"b": 1, "a": 2},
    {"\ud800": 1, "a": 2},
    {"a": {"b": [({"c": {1, 2, (3, frozenset({4}))}},)]}},
    {math.nan, float("nan"), 2**70, -(2**70), "\ud800", b"\xc1"},
    [None] * 70_000,
    {str(number): number for number in range(70_000)},
]

OBJECTS: list[Any] = [
    *[Color.RED, Color.BLUE, Rights.READ, Rights.READ | Rights.WRITE, Rights(0), Level.LOW],
    Money(Decimal("1.10"), "EUR"),
    [Color.RED, (Color.BLUE,), {Color.RED: Money(Decimal(1), "EUR")}, {Color.RED, Rights.READ}],
    Box([Box({1: Box(())}), 2]),
]


@pytest.mark.parametrize("value", [*LEAVES, *CONTAINERS, *OBJECTS], ids="{0!r:.40}".format)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    assert_round_trip(value)


@pytest.mark.parametrize("value", LEAVES, ids="{0!r:.40}".format)
def test_a_leaf_comes_back_from_anywhere_inside(value: Any) -> None:
    assert_round_trip([value, (value,), {"a": value}, {1: value}])
    try:
        hash(value)
    except TypeError:  # a signaling NaN
        return
    assert_round_trip([{value}, frozenset({value}), {value: 1}, {(value,): value}])


@pytest.mark.parametrize("value", LEAVES, ids="{0!r:.40}".format)
def test_what_is_atomic_can_always_be_encoded(value: Any) -> None:
    assert (type(value) in ATOMIC) == (type(value) not in {datetime, time})


@pytest.mark.parametrize(
    "value",
    [
        bytearray(b"abc"),
        memoryview(b"abc"),
        memoryview(b"axbxcx")[::2],
        memoryview(b"abc").toreadonly(),
    ],
)
def test_buffers_come_back_as_bytes(value: Any) -> None:
    assert CODEC.decode(CODEC.encode(value)) == b"abc"
    assert CODEC.encode([value]) == CODEC.encode([b"abc"])
    assert CODEC.encode((value, {1: value})) == CODEC.encode((b"abc", {1: b"abc"}))


# -- the same value, the same bytes ---------------------------------------------------------------


def test_dicts_in_another_order_differ() -> None:
    assert CODEC.encode({"a": 1, "b": 2}) != CODEC.encode({"b": 2, "a": 1})
    assert CODEC.encode({1: 1, 2: 2}) != CODEC.encode({2: 2, 1: 1})


def test_what_is_equal_but_of_another_type_differs() -> None:
    ones = [1, 1.0, True, Decimal(1), Decimal("1.0")]
    for form in [list, tuple, frozenset, set]:
        assert len({CODEC.encode(form([one])) for one in ones}) == len(ones)
    assert len({CODEC.encode({one: 0}) for one in ones}) == len(ones)
    assert CODEC.encode(0.0) != CODEC.encode(-0.0)


def test_sets_do_not_depend_on_how_they_were_built() -> None:
    numbers = [8 * number for number in range(50)]  # they collide in a small table
    assert CODEC.encode(set(numbers)) == CODEC.encode(set(reversed(numbers)))
    assert list({0, 8}) != list({8, 0})


def test_sets_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "from sojourn.codec import Codec;"
        "value = {'a', 'b', 'c', ('d', frozenset('efgh'))};"
        "print(list(value), Codec().encode([value, {frozenset('xyz'): value}]).hex(), sep='|')"
    )
    command = [sys.executable, "-c", code]
    outputs = [
        subprocess.check_output(command, env={**os.environ, "PYTHONHASHSEED": seed}, text=True)
        for seed in ("1", "2")
    ]
    (order, data), (other_order, other_data) = (output.split("|") for output in outputs)
    assert order != other_order
    assert data == other_data


def test_a_part_has_the_same_bytes_on_the_fast_and_on_the_slow_way() -> None:
    parts = [leaf for leaf in LEAVES if type(leaf) is not str or leaf.isascii()]
    fast = [parts, (1, (2,)), {"a": Color.RED}, Money(Decimal(1), "EUR"), Box([(1, {"x": ()})])]
    slow = RICH.encode([fast, {1}])
    packed = RICH.encode(fast)[1:-5]
    assert slow[2 : 2 + len(packed)] == packed


def test_a_decimal_does_not_depend_on_the_context() -> None:
    data = [CODEC.encode(Decimal(text)) for text in ("1E+5", "NaN12", "1.23456789")]
    with localcontext(Context(prec=2, capitals=0, traps=[])):
        assert [CODEC.encode(Decimal(text)) for text in ("1E+5", "NaN12", "1.23456789")] == data
        assert str(CODEC.decode(data[2])) == "1.23456789"
        with pytest.raises(ValueError, match="ext_hook"):
            CODEC.decode(framed(Ext(7, b"RUBBISH")))
    assert getcontext().prec > 2


# -- refused at once ------------------------------------------------------------------------------


class Text(str):
    __slots__ = ()


class Zone(tzinfo):
    def utcoffset(self, _: datetime | None) -> timedelta:
        return timedelta(0)


Point = namedtuple("Point", "x y")  # noqa: PYI024

TZIF = b"TZif" + bytes(16 + 16) + bytes([0, 0, 0, 1, 0, 0, 0, 4]) + bytes(6) + b"UTC\0"
NO_KEY = ZoneInfo.from_file(io.BytesIO(TZIF))


@dataclass
class Plain:
    x: int = 1


REFUSED: list[tuple[Any, str]] = [
    (object(), "object"),
    (object, "type"),
    (Text("a"), "Text"),
    (Level.LOW, "Level"),
    (Color.RED, "Color"),
    (Point(1, 2), "Point"),
    (OrderedDict(a=1), "collections.OrderedDict"),
    (defaultdict(int), "collections.defaultdict"),
    (Counter("a"), "collections.Counter"),
    (type("Bytes", (bytes,), {})(b""), "Bytes"),
    (type("Array", (bytearray,), {})(b""), "Array"),
    (type("Float", (float,), {})(1), "Float"),
    (type("Items", (list,), {})(), "Items"),
    (type("Set", (set,), {})(), "Set"),
    (type("Moment", (datetime,), {})(2026, 1, 1), "Moment"),
    (type("Number", (Decimal,), {})(1), "Number"),
    (type("Id", (UUID,), {})(int=1), "Id"),
    (Plain(), "Plain"),
    (1j, "complex"),
    (range(3), "range"),
    (len, "builtin_function_or_method"),
    ((item for item in "ab"), "generator"),
    (datetime(2026, 1, 1, tzinfo=Zone()), "Zone"),
    (time(1, tzinfo=NO_KEY), "zoneinfo.ZoneInfo"),
]


@pytest.mark.parametrize(("value", "name"), REFUSED)
def test_any_other_type_is_refused_by_name(value: Any, name: str) -> None:
    with pytest.raises(EncodeError, match=rf"\b{name}\b"):
        CODEC.encode(value)
    with pytest.raises(EncodeError, match=rf"\b{name}\b.*\(list item 1, key 'x', tuple item 0\)$"):
        CODEC.encode([1, {"w": {1}, "x": (value,)}])


@pytest.mark.parametrize("key", [Text("a"), Level.LOW, Color.RED, Point(1, 2)])
def test_a_key_of_another_type_is_refused(key: Any) -> None:
    with pytest.raises(EncodeError, match=r"cannot be stored \(key 7, a key of the dict"):
        CODEC.encode({7: {"a": 1, key: 2}})
    with pytest.raises(EncodeError, match=r"cannot be stored \(set item 0"):
        CODEC.encode({key})


def test_a_long_key_is_cut_in_the_message() -> None:
    with pytest.raises(EncodeError) as caught:
        CODEC.encode({"secret" * 100: object()})
    assert len(str(caught.value)) < 100


def test_a_released_buffer_is_refused() -> None:
    view = memoryview(b"abc")
    view.release()
    with pytest.raises(EncodeError, match="memoryview"):
        CODEC.encode(view)


WRAPS: list[Callable[[Any], Any]] = [
    lambda inner: [inner],
    lambda inner: (inner,),
    lambda inner: {"a": inner},
    lambda inner: {1: inner},
    lambda inner: {(inner,): 1},
    lambda inner: frozenset({inner}),
    lambda inner: Box(inner),
]


@pytest.mark.parametrize(("wrap", "depth"), zip(WRAPS, [100, 100, 100, 100, 50, 100, 100], strict=True))
def test_a_hundred_deep_works_and_not_one_more(wrap: Callable[[Any], Any], depth: int) -> None:
    value = nested(depth, wrap) if depth == 100 else (nested_key := nested(49, lambda i: (i,)))
    assert_round_trip(value)
