"""Law 2: what comes back is equal to what was put in, of the same type, or refused at once."""

# ruff: noqa: DTZ001, DTZ901  naive moments are values too

from __future__ import annotations

import io
import math
import os
import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Context, Decimal, getcontext, localcontext
from enum import Enum, Flag, IntEnum
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import TZPATH, ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ormsgpack import Ext, packb

from sojourn.codec import ATOMIC, Codec, decode_key, encode_key, msgpack
from sojourn.errors import ConfigError, EncodeError

BERLIN = ZoneInfo("Europe/Berlin")
CODEC = Codec()
STRICT = Codec(strict=True)


class Color(Enum):
    RED = "r"
    ALSO_RED = "r"  # noqa: PIE796
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


def type_of(value: Any) -> str:
    return type(value).__name__


def look(value: Any) -> Any:  # noqa: PLR0911
    """What tells any two values apart that law 2 tells apart: types, order, fold, zone, NaN."""
    kind = type(value)
    if kind in {list, tuple}:
        return kind, [look(item) for item in value]
    if kind in {set, frozenset}:
        return kind, sorted(map(look, value), key=repr)
    if kind is dict:
        return kind, [(look(key), look(item)) for key, item in value.items()]
    if kind is int:
        return kind, hex(value)
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


@pytest.mark.parametrize("value", [*LEAVES, *CONTAINERS, *OBJECTS], ids=type_of)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    assert_round_trip(value)


@pytest.mark.parametrize("value", LEAVES, ids=type_of)
def test_a_leaf_comes_back_from_anywhere_inside(value: Any) -> None:
    assert_round_trip([value, (value,), {"a": value}, {1: value}])
    try:
        hash(value)
    except TypeError:  # a signaling NaN
        return
    assert_round_trip([{value}, frozenset({value}), {value: 1}, {(value,): value}])


@pytest.mark.parametrize("value", LEAVES, ids=type_of)
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
    first, second = {0, 8}, {8, 0}  # they collide, so the one that came first stands first
    assert list(first) != list(second)
    assert CODEC.encode(first) == CODEC.encode(second)
    assert CODEC.encode({frozenset(first): 1}) == CODEC.encode({frozenset(second): 1})


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


STORED = [
    (None, "c0"),
    (1.0, "cb3ff0000000000000"),
    (["a", b"b", 1, True], "94a161c4016201c3"),
    ({"a": ()}, "81a16191d410c1"),
    (2**64, "c70901010000000000000000"),
    (-(2**63) - 1, "c70901ff7fffffffffffffff"),
    ("\ud800", "c70302eda080"),
    (datetime(2026, 1, 2, 3, 4, 5), "c71603" + b"2026-01-02T03:04:05|0|".hex()),
    (
        datetime(2026, 1, 1, 0, 0, 0, 7, BERLIN, fold=1),
        b"2026-01-01T00:00:00.000007|1|Europe/Berlin",
    ),
    (datetime(2026, 1, 1, tzinfo=UTC), b"2026-01-01T00:00:00|0|+0"),
    (datetime(2026, 1, 1, tzinfo=timezone(-timedelta(hours=1), "X")), b"|0|-3600000000 X"),
    (date(2026, 1, 2), "c70a04" + b"2026-01-02".hex()),
    (time(1, 2), "c70b05" + b"01:02:00|0|".hex()),
    (timedelta(-1, 2, 3), "c70c06ffffffff0000000200000003"),
    (Decimal("1.10"), "d607" + b"1.10".hex()),
    (UUID(int=1), "d808" + 15 * "00" + "01"),
    ((1,), "92d410c101"),
    ({2, 1}, "93d411c10102"),
    (frozenset({1}), "92d412c101"),
    ({1: 2}, "93d413c10102"),
    (Color.RED, "93d414c1a5636f6c6f72a3524544"),
    (Rights.READ | Rights.WRITE, "93d414c1a672696768747303"),
    (Money(Decimal(1), "EUR"), "93d414c1a56d6f6e657993d410c1d40731a3455552"),
]


@pytest.mark.parametrize(("value", "stored"), STORED)
def test_the_stored_form_never_changes(value: Any, stored: str | bytes) -> None:
    data = RICH.encode(value)
    if isinstance(stored, bytes):
        assert stored in data
    else:
        size = len(stored) // 2 + 6
        assert data.hex() == f"92{stored}ce{size:08x}"


# -- refused at once ------------------------------------------------------------------------------


class Text(str):
    __slots__ = ()


class Zone(tzinfo):
    def utcoffset(self, _: datetime | None) -> timedelta:
        return timedelta(0)

    dst = utcoffset

    def tzname(self, _: datetime | None) -> str:
        return "Zone"


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
        STRICT.encode(value)
    with pytest.raises(EncodeError, match=rf"\b{name}\b.*\(list item 1, key 'x', tuple item 0\)"):
        STRICT.encode([1, {"w": {1}, "x": (value,)}])


@pytest.mark.parametrize("key", [Text("a"), Level.LOW, Color.RED, Point(1, 2)])
def test_a_key_of_another_type_is_refused(key: Any) -> None:
    with pytest.raises(EncodeError, match=r"cannot be stored \(key 7, a key of the dict"):
        STRICT.encode({7: {"b": 1, key: 2}})
    with pytest.raises(EncodeError, match=r"cannot be stored \(set item 0"):
        STRICT.encode({key})


def test_a_long_key_is_cut_in_the_message() -> None:
    with pytest.raises(EncodeError) as caught:
        CODEC.encode({"secret" * 100: object()})
    assert "secret" * 10 not in str(caught.value)


def test_a_released_buffer_is_refused() -> None:
    view = memoryview(b"abc")
    view.release()
    with pytest.raises(EncodeError, match="memoryview"):
        CODEC.encode(view)


WRAPS: dict[str, Callable[[Any], Any]] = {
    "list": lambda inner: [inner],
    "tuple": lambda inner: (inner,),
    "dict": lambda inner: {"a": inner},
    "dict of other keys": lambda inner: {1: inner},
    "frozenset": lambda inner: frozenset({inner}),
    "object": Box,
}


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
@pytest.mark.parametrize("core", [1, {1}], ids=["fast", "slow"])
def test_a_hundred_deep_works_and_not_one_more(wrap: Callable[[Any], Any], core: Any) -> None:
    if wrap is WRAPS["frozenset"]:
        core = 1
    own = int(core != 1)
    assert_round_trip(nested(100 - own, wrap, core))
    for depth in (101 - own, 200, 300, 5_000):
        with pytest.raises(EncodeError, match="nested deeper than 100"):
            RICH.encode(nested(depth, wrap, core))


def test_an_object_is_as_deep_as_what_it_is_turned_into() -> None:
    deep = nested(99, WRAPS["list"])
    assert_round_trip(Box(deep))
    assert_round_trip(nested(98, WRAPS["list"], Box([Color.RED])))
    with pytest.raises(EncodeError, match="nested deeper than 100"):
        RICH.encode([Box(deep)])


def test_a_wide_value_is_not_a_deep_one() -> None:
    assert_round_trip([[[number]] for number in range(300)])
    assert_round_trip([Box((number, {number})) for number in range(300)])
    with pytest.raises(EncodeError, match="nested deeper than 100"):
        RICH.encode([[] for _ in range(300)] + nested(101, WRAPS["list"]))


@pytest.mark.parametrize("wrap", [WRAPS["list"], WRAPS["tuple"], WRAPS["dict of other keys"], Box])
def test_a_cycle_is_refused(wrap: Callable[[Any], Any]) -> None:
    cycle: list[Any] = [1]
    cycle += [wrap(cycle), cycle]
    with pytest.raises(EncodeError, match="cyclic"):
        RICH.encode(cycle)
    with pytest.raises(EncodeError, match="cyclic"):
        RICH.encode({"x": {1}, "y": wrap(cycle)})


def test_an_object_that_turns_into_itself_is_refused() -> None:
    codec = Codec({"box": (Box, lambda box: box, box)})
    with pytest.raises(EncodeError, match="cyclic"):
        codec.encode(Box(1))


def test_a_deep_stack_of_the_caller_makes_no_other_error() -> None:
    cycle: list[Any] = [{1}]
    cycle.append(cycle)

    def climb(frames: int) -> None:
        if frames:
            climb(frames - 1)
        else:
            CODEC.encode(cycle)

    with pytest.raises(EncodeError, match="cyclic"):
        climb(sys.getrecursionlimit() - 300)


# -- registered types -----------------------------------------------------------------------------


def test_only_the_name_of_a_type_is_stored() -> None:
    data = RICH.encode([Money(Decimal(1), "EUR"), Color.RED, Rights.READ | Rights.WRITE])
    assert b"money" in data
    assert b"Money" not in data
    assert b"RED" in data
    assert b"RED" in RICH.encode(Color.ALSO_RED)


@pytest.mark.parametrize("value", [Color.RED, Money(Decimal(1), "EUR")])
def test_an_unknown_name_cannot_be_read(value: Any) -> None:
    with pytest.raises(ValueError, match="no type is registered as"):
        CODEC.decode(RICH.encode(value))


def test_a_member_that_is_gone_cannot_be_read_and_is_not_shown() -> None:
    older = Enum("older", {"SECRET": 1})
    data = Codec({"color": older}).encode(older["SECRET"])
    with pytest.raises(ValueError, match="not a value: KeyError") as caught:
        RICH.decode(data)
    assert "SECRET" not in str(caught.value)


def test_what_from_raises_is_a_value_error_that_shows_nothing() -> None:
    def fail(made: Any) -> Any:
        raise ValueError(f"cannot use {made}")

    codec = Codec({"box": (Box, lambda b: b.inner, fail)})
    with pytest.raises(ValueError, match=r"^not a value: ValueError$") as caught:
        codec.decode(codec.encode(Box("hunter2")))
    assert caught.value.__cause__ is None


def test_what_to_raises_is_the_cause() -> None:
    codec = Codec({"box": (Box, lambda b: b.inner.missing, Box)})
    with pytest.raises(EncodeError, match=r"Box could not be .*\(list item 0\)") as caught:
        codec.encode([Box(1)])
    assert isinstance(caught.value.__cause__, AttributeError)


def test_what_to_returns_is_refused_with_the_way_to_it() -> None:
    with pytest.raises(EncodeError, match=r"complex .*\(what `to` made of .*Box, tuple item 0\)"):
        RICH.encode(Box(1j))


def test_a_registered_subclass_is_kept() -> None:
    codec = Codec({"point": (Point, tuple, lambda xy: Point(*xy)), "text": (Text, str, Text)})
    value = codec.decode(codec.encode({Text("a"): [Point(1, 2), (1, 2), "a"]}))
    assert [*map(type, value)] == [Text]
    assert [*map(type, value["a"])] == [Point, tuple, str]


@pytest.mark.parametrize(
    "types",
    [
        {"plain": object},
        {"any": (object, str)},
        {"text": (str, str)},
        {"money": (Money, None)},
        {"money": (Money, str, None)},
        {"money": ("Money", str, str)},
        {"money": Color.RED},
        {"": Color},
        {1: Color},
        {Text("color"): Color},
        {"color": Color, "colour": Color},
        {"text": (str, str, str)},
        {"list": (list, tuple, list)},
        {"dict": (dict, list, dict)},
        {"none": (type(None), str, str)},
    ],
)
def test_a_bad_registration_is_refused(types: Any) -> None:
    with pytest.raises(ConfigError, match=r"^types\["):
        Codec(types)


# -- hostile bytes --------------------------------------------------------------------------------


def assert_refused(data: bytes, codec: Codec = RICH) -> None:
    with pytest.raises(ValueError, match=r"."):
        codec.decode(data)


@pytest.mark.parametrize("value", [*LEAVES, *CONTAINERS[:-2], *OBJECTS], ids=type_of)
def test_trailing_and_missing_bytes_are_refused(value: Any) -> None:
    data = RICH.encode(value)
    for tail in (b"\0", b"\xc0", data, data[-5:]):
        assert_refused(data + tail)
    for size in range(max(0, len(data) - 50), len(data)):
        assert_refused(data[:size])
    packed = data[1:-5] + b"\xc0"
    assert_refused(b"\x92" + packed + b"\xce" + (len(packed) + 6).to_bytes(4, "big"))


MARK = b"\xc1"

HOSTILE: dict[str, Any] = {
    "a mark alone": Ext(16, MARK),
    "a mark as an item": [1, Ext(16, MARK)],
    "a mark as a value": {"a": Ext(17, MARK)},
    "two marks": [Ext(17, MARK), Ext(17, MARK)],
    "a mark with more": [Ext(16, MARK + MARK), 1],
    "a mark without its byte": [Ext(16, b""), 1],
    "a set of lists": [Ext(17, MARK), [1]],
    "a set of dicts": [Ext(18, MARK), {}],
    "a set of signaling NaN": [Ext(17, MARK), Ext(7, b"SNAN")],
    "a set with a double": [Ext(17, MARK), 1, 1],
    "a set with 1 and True": [Ext(17, MARK), 1, True],
    "a dict with an odd part": [Ext(19, MARK), 1, 2, 3],
    "a dict with a double": [Ext(19, MARK), 1, 2, 1.0, 2],
    "a dict of lists": [Ext(19, MARK), [1], 2],
    "an object without a name": [Ext(20, MARK)],
    "an object with two": [Ext(20, MARK), "box", 1, 2],
    "an object with a list for a name": [Ext(20, MARK), [], 2],
    "an object that does not fit": [Ext(20, MARK), "money", 2],
    "a flag out of range": [Ext(20, MARK), "rights", 64],
    "a chain of objects": nested(230, lambda inner: [Ext(20, MARK), "box", inner]),
    "an unknown extension": Ext(99, b""),
    "a time that is none": Ext(5, b"25:00:00|0|"),
    "a fold that is none": Ext(3, b"2026-01-01T00:00:00|2|"),
    "a zone outside": Ext(3, b"2026-01-01T00:00:00|0|../../../etc/passwd"),
    "a zone of nowhere": Ext(3, b"2026-01-01T00:00:00|0|Nowhere/At_All"),
    "an offset too large": Ext(3, b"2026-01-01T00:00:00|0|+99999999999999999999"),
    "a day too many": Ext(4, b"2026-02-30"),
    "a span too long": Ext(6, b"\x7f" * 12),
    "a span too short": Ext(6, b""),
    "a number that is none": Ext(7, b"one"),
    "a number in another form": Ext(7, b"1e5"),
    "an id too short": Ext(8, b"123"),
    "a text that is none": Ext(2, b"\xff"),
}


@pytest.mark.parametrize("level", [b"\x91", b"\x81\xa1a", b"\x92\xc7\x01\x10\xc1"])
def test_bytes_nested_without_end_are_a_value_error_at_worst(level: bytes) -> None:
    for depth in (101, 400, 1_000, 100_000):
        body = level * depth + b"\x01"
        data = b"\x92" + body + b"\xce" + (len(body) + 6).to_bytes(4, "big")
        try:
            RICH.decode(data)
        except ValueError:
            continue
        assert depth <= 1_000


@pytest.mark.parametrize("tree", HOSTILE.values(), ids=HOSTILE)
def test_a_tree_that_stands_for_nothing_is_refused(tree: Any) -> None:
    assert_refused(framed(tree))
    assert_refused(framed([1, {"a": tree}]))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc0",
        b"\xa2ab",
        b"\x80",
        b"\x92\xc0\xc3",
        b"\x92\x01\xcb\x40\x26" + bytes(6),
        b"\x92\xdd\xff\xff\xff\xff\xce\x00\x00\x00\x0b",
        b"\x92\xdf\xff\xff\xff\xff\xce\x00\x00\x00\x0b",
        b"\x92\xc6\xff\xff\xff\xff\xce\x00\x00\x00\x0b",
        b"\x92" + b"\x93\xd4\x14\xc1\xa3box" * 900 + b"\xc0\xce\x00\x00\x1c\x27",
        b"\x91" * 200_000,
        b"\x81\xa0" * 200_000,
        b"\x92\xc7\xff\x10\xc1" * 2_000,
    ],
)
def test_bytes_that_are_no_frame_are_refused(data: bytes) -> None:
    assert_refused(data)


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    for candidate in (data, b"\x92" + data + b"\xce" + (len(data) + 6).to_bytes(4, "big")):
        with suppress(ValueError):
            RICH.decode(candidate)
        with suppress(ValueError):
            decode_key(candidate)


# -- values of every shape ------------------------------------------------------------------------

any_text = st.text(st.characters(codec=None, categories=None), max_size=8)
offsets = st.timedeltas(timedelta(hours=-23), timedelta(hours=23))
zones = st.one_of(
    st.none(),
    st.just(UTC),
    offsets.map(timezone),
    st.builds(timezone, offsets, any_text),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"]).map(ZoneInfo),
)
folds = st.integers(0, 1)
atoms = st.one_of(
    st.none() | st.booleans(),
    st.integers() | st.integers(-(2**70), 2**70),
    st.floats(),
    any_text,
    st.binary(max_size=8),
    st.dates(),
    st.timedeltas(),
    st.decimals().filter(lambda number: not number.is_snan()),
    st.uuids(),
    st.builds(lambda at, fold: at.replace(fold=fold), st.datetimes(timezones=zones), folds),
    st.builds(lambda at, zone, fold: at.replace(tzinfo=zone, fold=fold), st.times(), zones, folds),
    st.sampled_from([*Color, *Level, *(Rights(bits) for bits in range(4))]),
)
nested_keys = st.recursive(
    atoms,
    lambda part: st.frozensets(part, max_size=3) | st.lists(part, max_size=3).map(tuple),
    max_leaves=4,
)
keys = st.composite(lambda draw: draw(nested_keys))()  # its repr is short
nested_values = st.recursive(
    atoms,
    lambda part: st.one_of(
        st.lists(part, max_size=4),
        st.lists(part, max_size=4).map(tuple),
        st.sets(keys, max_size=3),
        st.dictionaries(any_text, part, max_size=3),
        st.dictionaries(keys, part, max_size=3),
        st.builds(Box, part),
    ),
    max_leaves=8,
)
values = st.composite(lambda draw: draw(nested_values))()


@settings(max_examples=300)
@given(values)
def test_any_value_comes_back_as_it_was(value: Any) -> None:
    assert_round_trip(value)


@settings(max_examples=150)
@given(st.dictionaries(keys, values, max_size=3))
def test_any_key_comes_back_as_it_was(value: Any) -> None:
    assert_round_trip(value)


@settings(max_examples=150)
@given(st.sets(keys, min_size=2, max_size=6), st.randoms())
def test_equal_sets_have_equal_bytes(value: set[Any], random: Any) -> None:
    items = list(value)
    random.shuffle(items)
    assert RICH.encode(set(items)) == RICH.encode(value)


@settings(max_examples=200)
@given(values, st.data())
def test_mutated_bytes_raise_nothing_else(value: Any, data: st.DataObject) -> None:
    mutated = bytearray(RICH.encode(value)[1:-5])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        mutated[at] = data.draw(st.integers(0, 255))
    frame = b"\x92" + mutated + b"\xce" + (len(mutated) + 6).to_bytes(4, "big")
    try:
        back = RICH.decode(frame)
    except ValueError:
        return
    assert_round_trip(back)


# -- keys of a session ----------------------------------------------------------------------------

KEYS: list[Any] = [
    *["", "cart", "é", "\ud800", b"", b"cart", 0, 1, -1, 2**64, -(2**100), UUID(int=7)],
    *[(), ("a",), ("a", 1, b"x", UUID(int=1), ("\ud800", ((),))), ((((),),),)],
]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_comes_back(key: Any) -> None:
    back = decode_key(encode_key(key))
    assert look(back) == look(key)
    assert encode_key(back) == encode_key(key)


def test_different_keys_have_different_bytes() -> None:
    assert len(set(map(encode_key, KEYS))) == len(KEYS)


@pytest.mark.parametrize(
    "key",
    [
        *[None, True, 1.0, Decimal(1), date(2026, 1, 1), [], {}, {1}, frozenset(), Color.RED],
        *[bytearray(b"a"), Ext(8, b""), ("a", True), ("a", (1.0,)), Point(1, None)],
    ],
)
def test_another_key_is_refused_by_type(key: Any) -> None:
    with pytest.raises(EncodeError, match="a key is str, bytes, int, UUID, or a tuple of these"):
        encode_key(key)


def test_a_key_may_be_a_hundred_deep() -> None:
    deep = nested(100, lambda inner: (inner,))
    assert decode_key(encode_key(deep)) == deep
    for depth in (101, 10_000):
        with pytest.raises(EncodeError, match="nested deeper"):
            encode_key(nested(depth, lambda inner: (inner,)))


@pytest.mark.parametrize(
    "data",
    [
        *[
            b"",
            b"\xc0",
            b"\xc3",
            b"\x80",
            b"\xa1",
            b"\xa1aa",
            b"\xcc\x01",
            b"\xd9\x01a",
            b"\x91\xc0",
        ],
        *[b"\xd4\x01\x01", b"\xd4\x02a", b"\xd4\x10\xc1", b"\x92\xd4\x10\xc1\x01", b"\x91" * 2000],
        b"\x91" * 1000 + b"\x01",
        packb(Ext(4, b"2026-01-01")),
        packb([1.0]),
        packb(nested(101, WRAPS["list"])),
    ],
)
def test_bytes_that_are_no_key_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_key(data)


# -- hostile hashes, zones of strangers -----------------------------------------------------------

COLLIDING = [number * (2**61 - 1) for number in range(1, 3_000)]


@pytest.mark.parametrize("kind", [set, frozenset, dict.fromkeys], ids=["set", "frozenset", "dict"])
def test_entries_that_share_their_hashes_are_refused(kind: Callable[[Any], Any]) -> None:
    """Python takes quadratic time for them: whoever sends such numbers must not stop the server."""
    codec = Codec()
    with pytest.raises(EncodeError, match="share their hashes"):
        codec.encode(kind(COLLIDING))
    few = kind([*COLLIDING[:90], *range(5_000)])
    assert codec.decode(codec.encode(few)) == few


@pytest.mark.parametrize("mark", [msgpack.SET, msgpack.FROZENSET, msgpack.DICT])
def test_stored_entries_that_share_their_hashes_are_no_value(mark: Ext) -> None:
    """They are refused before the container is built, so that reading them is quick."""
    entries = [number * (2**61 - 1) for number in range(1, 40_000)]
    parts = [part for entry in entries for part in (entry, 0)] if mark is msgpack.DICT else entries
    packed = packb([mark, *parts], msgpack.leaf, msgpack.OPTIONS)
    data = msgpack.FRAME + packed + msgpack.size_of(len(packed) + 6)
    with pytest.raises(ValueError, match="share their hashes"):
        Codec().decode(data)


def berlin_as(key: str) -> ZoneInfo:
    """The zone Europe/Berlin, read from its file under another key."""
    paths = [path for folder in TZPATH if (path := Path(folder) / "Europe/Berlin").is_file()]
    with paths[0].open("rb") as file:
        return ZoneInfo.from_file(file, key=key)


@pytest.mark.parametrize("key", ["My/Own", "America/New_York", "../etc/passwd", "x" * 300])
def test_a_zone_that_its_key_does_not_lead_to_is_refused(key: str) -> None:
    """At the assignment, and not lost at the next request."""
    with pytest.raises(EncodeError, match="zone database"):
        STRICT.encode(datetime(2026, 7, 1, 12, tzinfo=berlin_as(key)))


def test_a_zone_that_was_not_cached_is_kept() -> None:
    moment = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo.no_cache("Europe/Berlin"))
    stored = Codec().decode(Codec().encode(moment))
    assert stored == moment
    assert stored.tzinfo is BERLIN


# -- lists that grow at their end, without being unpacked -----------------------------------------


def joined(base: Any, mine: Any, theirs: Any) -> bytes | None:
    return msgpack.extended(*map(RICH.encode, (base, mine, theirs)))


ITEMS = [*LEAVES, *CONTAINERS[:-2], *OBJECTS]


@given(*[st.lists(st.sampled_from(ITEMS), max_size=12)] * 3)
def test_what_two_requests_append_is_joined(base: Any, mine: Any, theirs: Any) -> None:
    data = joined(base, base + mine, base + theirs)
    assert data is None or data == RICH.encode(base + theirs + mine)
    firsts = [items[0] for items in (base, mine, theirs) if items]
    if not any(RICH.mark(first).startswith(b"\xd4") for first in firsts):
        assert data is not None


@pytest.mark.parametrize("length", [0, 14, 15, 16, 65_534, 65_535, 65_536])
def test_lists_of_any_length_are_joined(length: int) -> None:
    base = [None] * length
    assert joined(base, [*base, 1], [*base, 2, 3]) == RICH.encode([*base, 2, 3, 1])


NO_APPENDS: dict[str, tuple[Any, Any, Any]] = {
    "mine took one away": ([1, 2], [1], [1, 2, 3]),
    "theirs took one away": ([1, 2], [1, 2, 3], [1]),
    "mine put one first": ([1, 2], [0, 1, 2], [1, 2]),
    "theirs put one first": ([1, 2], [1, 2], [0, 1, 2]),
    "another type": ([1], [1, 2], [True, 3]),
    "mine is a tuple": ([], (1,), [2]),
    "theirs is a tuple": ([], [1], (2,)),
    "tuples": ((1,), (1, 2), (1, 3)),
    "sets": (set(), {1}, {2}),
    "an object": ([], [1], Color.RED),
    "dicts": ({}, {"a": 1}, {"b": 1}),
    "no containers": ("", "a", "b"),
    "a number": ([], 1, [2]),
}


@pytest.mark.parametrize("values", NO_APPENDS.values(), ids=NO_APPENDS)
def test_other_changes_are_not_joined(values: tuple[Any, Any, Any]) -> None:
    assert joined(*values) is None


@pytest.mark.parametrize("place", range(3))
def test_what_is_no_frame_is_not_joined(place: int) -> None:
    frames = [RICH.encode(value) for value in ([1], [1, 2], [1, 3])]
    assert msgpack.extended(*frames) == RICH.encode([1, 3, 2])
    whole = frames[place]
    for broken in (b"", whole[:1], whole[:-1], whole + b"\0", b"\x93" + whole[1:]):
        frames[place] = broken
        assert msgpack.extended(*frames) is None


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_a_large_value_may_be_as_deep_as_a_small_one(wrap: Callable[[Any], Any]) -> None:
    """Its depth is found in another way, as long as no part of it needs the slow path."""
    wide = [[number] for number in range(300)]
    assert_round_trip([*wide, nested(98, wrap)])
    for depth in (100, 101, 150, 200, 300):
        with pytest.raises(EncodeError, match="nested deeper than 100"):
            RICH.encode([*wide, nested(depth, wrap)])


def test_the_limit_of_the_packer_is_found() -> None:
    """The depth of a large value is compared with it; another limit would only cost time."""
    assert msgpack.in_lists(1) == nested(155, WRAPS["list"])


def test_the_functions_of_the_application_run_once_for_each_object() -> None:
    """Also in a value that is large enough to be checked for its depth."""
    boxes = list[Box]()

    def opened(of: Box) -> tuple[Any]:
        boxes.append(of)
        return (of.inner,)

    Codec({"box": (Box, opened, box)}).encode([Box([number]) for number in range(300)])
    assert len(boxes) == 300
