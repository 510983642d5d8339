"""Law 2: a value of a derived type is stored as the equal value of its base, or refused."""

# ruff: noqa: DTZ001, DTZ005  naive moments are values too

from __future__ import annotations

import importlib
import subprocess
import sys
from collections import Counter, OrderedDict, UserDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID

import pydantic
import pytest
from freezegun import freeze_time

from sojourn import ConfigError, EncodeError, Manager, ReleaseOutcome
from sojourn.codec import Codec, decode_key, encode_key
from sojourn.providers.memory import MemoryProvider
from sojourn.testing.laws.values import shape

CODEC = Codec()
DRIVERS_UUID = importlib.import_module("asyncpg.pgproto.pgproto").UUID
NOON = datetime(2026, 7, 1, 12)


class Status(StrEnum):
    PAID = "paid"


class Level(IntEnum):
    LOW = 1


class Color(Enum):
    RED = "red"


class Point(NamedTuple):
    x: int
    y: Any


class Zone(tzinfo):
    """Two hours ahead in summer, one in winter, and no key that would say so."""

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        return timedelta(hours=2 if 3 < moment.month < 11 else 1) if moment else None

    def dst(self, _: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, _: datetime | None) -> str:
        return "Zone"


class Dotted(OrderedDict[str, Any]):
    """As libraries write them: entries as attributes, a constructor of its own."""

    def __init__(self, owner: object, *args: Any) -> None:
        super().__init__(*args)
        self.owner = owner

    def __getattr__(self, name: str) -> Any:
        return self[name]


class Nothing(str):
    """Equal to nothing but itself."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


class Shouting(str):
    """Hashed otherwise than the text, so that both can stand in one container."""

    __slots__ = ()

    def __hash__(self) -> int:
        return 7

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other) if isinstance(other, str) else False


class FirstOnly(dict[str, Any]):
    """Hands out less than it holds, as the MultiDict of Werkzeug does."""

    def items(self) -> Any:
        return [(key, self[key][0]) for key in self]


def of(base: type, *args: Any) -> Any:
    return type(f"My{base.__name__}", (base,), {})(*args)


MOVED = OrderedDict(a=1, b=2)
MOVED.move_to_end("a")

DERIVED: list[tuple[Any, Any]] = [
    (Status.PAID, "paid"),
    (Level.LOW, 1),
    (Point(1, Status.PAID), (1, "paid")),
    (MOVED, {"b": 2, "a": 1}),
    (defaultdict(list, a=[1]), {"a": [1]}),
    (Counter("aab"), {"a": 2, "b": 1}),
    (Dotted(object(), {"a": Dotted(None, {"b": (Status.PAID,)})}), {"a": {"b": ("paid",)}}),
    (of(str, "a\ud800"), "a\ud800"),
    (of(int, 2**80), 2**80),
    (of(float, 1.5), 1.5),
    (of(float, "nan"), float("nan")),
    (of(bytes, b"a"), b"a"),
    (of(bytearray, b"a"), b"a"),
    (of(list, [of(list, [1])]), [[1]]),
    (of(set, {1, (2,)}), {1, (2,)}),
    (of(frozenset, {Status.PAID}), frozenset({"paid"})),
    (of(datetime, 2026, 10, 25, 2, 30, 0, 7, UTC).replace(fold=1), datetime(2026, 10, 25, 2, 30, 0, 7, UTC, fold=1)),
    (of(date, 2026, 1, 2), date(2026, 1, 2)),
    (of(time, 1, 2, 3, 4), time(1, 2, 3, 4)),
    (of(timedelta, -1, 2, 3), timedelta(-1, 2, 3)),
    (of(Decimal, "1.10"), Decimal("1.10")),
    (DRIVERS_UUID(bytes(15) + b"\7"), UUID(int=7)),
    (NOON.replace(tzinfo=Zone()), NOON.replace(tzinfo=timezone(timedelta(hours=2)))),
    (datetime(2026, 1, 1, tzinfo=Zone()), datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
    ({Status.PAID: 1, Level.LOW: 2, Point(1, 2): 3}, {"paid": 1, 1: 2, (1, 2): 3}),
    ({"x": {Status.PAID: 1}}, {"x": {"paid": 1}}),
    ([{Level.LOW, Status.PAID}], [{1, "paid"}]),
]  # fmt: skip


@pytest.mark.parametrize(("value", "base"), DERIVED, ids=lambda value: type(value).__name__)
def test_a_derived_value_is_stored_as_its_base(value: Any, base: Any) -> None:
    """And has the same bytes: that is what makes it no change."""
    data = CODEC.encode(value)
    assert shape(CODEC.decode(data)) == shape(base)
    assert data == CODEC.encode(base)
    assert CODEC.mark(value) == CODEC.mark(base)


@pytest.mark.parametrize("value", [Nothing("a"), FirstOnly(a=[1, 2])])
def test_what_is_not_equal_to_its_base_is_refused(value: Any) -> None:
    with pytest.raises(
        EncodeError, match=r"is not equal to the (str|dict) that it is derived from"
    ):
        CODEC.encode([value])


@pytest.mark.parametrize("value", [{Shouting("a"): 1, "a": 2}, {Shouting("a"), "a"}])
def test_two_entries_that_would_be_one_are_refused(value: Any) -> None:
    """Silently one of them would be lost, or the container could not be read any more."""
    with pytest.raises(EncodeError, match="two entries of one container"):
        CODEC.encode(value)


@pytest.mark.parametrize(
    ("key", "base"), [(Status.PAID, "paid"), (Level.LOW, 1), (Point(1, Status.PAID), (1, "paid"))]
)
def test_a_derived_key_of_a_session_is_its_base(key: Any, base: Any) -> None:
    assert encode_key(key) == encode_key(base)
    assert shape(decode_key(encode_key(key))) == shape(base)


def test_a_time_whose_offset_depends_on_the_day_is_refused() -> None:
    with pytest.raises(EncodeError, match="no offset for it, cannot be stored: store a datetime"):
        CODEC.encode(time(1, tzinfo=Zone()))


def test_a_registered_class_is_kept_exactly() -> None:
    codec = Codec({"status": Status, "point": Point})
    value = codec.decode(codec.encode([Status.PAID, Point(1, 2), Level.LOW]))
    assert shape(value) == shape([Status.PAID, Point(1, 2), 1])


def test_the_setting_refuses_what_would_come_back_as_its_base() -> None:
    session = Manager("memory", derived_types="refuse").start({})
    values: list[Any] = [Status.PAID, OrderedDict(), NOON.replace(tzinfo=Zone())]
    for value in values:
        with pytest.raises(EncodeError):
            session["a"] = value
    with pytest.raises(ConfigError, match="derived_types='no': give 'base' or 'refuse'"):
        Manager("memory", derived_types="no")


# -- no change by itself -----------------------------------------------------------------------


def visitor(fields: dict[Any, Any], **settings: Any) -> tuple[Manager, dict[str, str]]:
    manager = Manager(MemoryProvider(), **settings)
    with manager.open({}) as session:
        session.update(fields)
    assert session.released is not None
    return manager, {"Cookie": f"{manager.config.cookie_name}={session.released.token}"}


@pytest.mark.parametrize(("value", "base"), DERIVED, ids=lambda value: type(value).__name__)
def test_assigning_what_is_stored_already_is_no_change(value: Any, base: Any) -> None:
    manager, headers = visitor({"a": value, "b": [value]})
    with manager.open(headers) as session:
        session["a"] = value
        session["b"][0] = value
        assert not session.modified
    assert session.released is not None
    assert session.released.outcome is ReleaseOutcome.UNCHANGED
    with manager.open(headers) as session:
        assert shape(session["a"]) == shape(base)


def test_a_derived_container_is_watched_until_the_release() -> None:
    manager = Manager(MemoryProvider())
    with manager.open({}) as session:
        session["cart"] = cart = OrderedDict(tea=1)
        assert session["cart"] is cart
        session["cart"]["milk"] = 2
        cart.move_to_end("tea")
    assert session.released is not None
    headers = {"Cookie": f"{manager.config.cookie_name}={session.released.token}"}
    assert shape(manager.start(headers)["cart"]) == shape({"milk": 2, "tea": 1})


MERGES: dict[str, tuple[Any, Callable[[Any], object], Callable[[Any], object], Any]] = {
    "beside": (
        {"n": {"a": 1}},
        lambda s: s["n"].update(b=Status.PAID),
        lambda s: s["n"].update(c=2),
        {"n": {"a": 1, "b": "paid", "c": 2}},
    ),
    "the same": (
        {"n": {"a": 1}},
        lambda s: s["n"].update(a=Status.PAID),
        lambda s: s["n"].update(a="paid"),
        {"n": {"a": "paid"}},
    ),
    "inside": (
        {"n": {"a": {"x": 1}}},
        lambda s: s["n"].update(a=OrderedDict(x=1, y=2)),
        lambda s: s["n"]["a"].update(z=3),
        {"n": {"a": {"x": 1, "y": 2, "z": 3}}},
    ),
    "two first ones": (
        {"other": 1},
        lambda s: s.update(n=defaultdict(list, a=[1])),
        lambda s: s.update(n={"b": [2]}),
        {"other": 1, "n": {"a": [1], "b": [2]}},
    ),
    "worked out, and then changed": (
        {"n": {"a": 1}},
        lambda s: s.apply("n", lambda n: OrderedDict({**n, "k": 1})).update(b=2),
        lambda s: s["n"].update(c=3),
        {"n": {"a": 1, "b": 2, "c": 3, "k": 1}},
    ),
}


@pytest.mark.parametrize("case", MERGES)
def test_overlapping_changes_to_derived_containers_are_merged(case: str) -> None:
    """As those to their bases: what is merged is what is stored."""
    fields, mine, theirs, expected = MERGES[case]
    events: list[str] = []
    manager, headers = visitor(fields, on_event=lambda name, _: events.append(name))
    session = manager.start(headers)
    mine(session)
    with manager.open(headers) as other:
        theirs(other)
    manager.release(session)
    assert dict(manager.start(headers)) == expected
    assert "collided" not in events


# -- time that stands still ----------------------------------------------------------------------


def test_moments_put_and_read_while_freezegun_holds_the_time_are_plain() -> None:
    with freeze_time("2027-03-01 12:00"):
        values = [datetime.now(), datetime.now(UTC), date.today(), Point(1, date.today())]  # noqa: DTZ011
        data = CODEC.encode(values)
        assert data == CODEC.encode(CODEC.decode(data))
        assert [type(it).__module__ for it in CODEC.decode(data)[:3]] == ["datetime"] * 3
    assert shape(CODEC.decode(data)[0]) == shape(datetime(2027, 3, 1, 12))


def test_what_is_imported_while_freezegun_holds_the_time_works_afterwards() -> None:
    code = """
from datetime import date, datetime
from freezegun import freeze_time
with freeze_time("2027-03-01"):
    from sojourn.codec import ATOMIC, Codec
value = [datetime(2027, 3, 1), date(2027, 3, 1)]
assert Codec(strict=True).decode(Codec(strict=True).encode(value)) == value
assert date in ATOMIC
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


# -- the way out ----------------------------------------------------------------------------------


@dataclass
class Item:
    name: str
    price: Decimal = Decimal(1)


class Model(pydantic.BaseModel):
    names: list[str] = []


class Row:
    __mapper__ = None


WAYS_OUT: list[tuple[Any, str]] = [
    (Color.RED, r"types=\{'color': Color\}, or store its `value`"),
    (Item("tea"), r"types=\{'item': Item\}, or store dataclasses.asdict\(value\)"),
    (Model(), r"types=\{'model': Model\}, or store value.model_dump\(\)"),
    (UserDict(a=1), r"store dict\(value\)"),
    (FirstOnly(a=[1, 2]), r"store dict\(value\)"),
    (deque([1]), r"store list\(value\)"),
    ((it for it in "ab"), r"store list\(value\)"),
    (PurePosixPath("/a"), r"types=\{'pureposixpath': \(PurePosixPath, .*, or store str\(value\)"),
    (object(), r"or store str\(value\)"),
    (Row(), "store its primary key"),
    (len, "store the data that it works on"),
    (Color, "store the data that it works on"),
]


@pytest.mark.parametrize(("value", "way_out"), WAYS_OUT, ids=lambda value: type(value).__name__)
def test_the_error_says_what_to_do(value: Any, way_out: str) -> None:
    """Behind the key, the type and the place in the value."""
    session = Manager("memory").start({})
    name = type(value).__name__
    with pytest.raises(
        EncodeError, match=rf"^session\['a'\]: .*{name}.*\(list item 0\): .*{way_out}"
    ):
        session["a"] = [value]


# -- by one word ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cart:
    owner: str
    items: list[Item] = field(default_factory=list)
    total: int = field(init=False, default=0)


@dataclass
class Salted:
    name: str
    salt: InitVar[str] = ""


class Line(pydantic.BaseModel):
    amount: int = pydantic.Field(1, alias="amountOrdered")
    price: Decimal


class Order(pydantic.BaseModel):
    lines: list[Line]
    when: datetime


def test_a_dataclass_is_registered_by_one_word() -> None:
    codec = Codec({"cart": Cart, "item": Item})
    cart = Cart("ada", [Item("tea", Decimal("1.10"))])
    object.__setattr__(cart, "total", 3)
    data = codec.encode(cart)
    back = codec.decode(data)
    assert (back, type(back.items[0])) == (cart, Item)
    assert codec.encode(back) == data
    assert b"Cart" not in data
    assert b"test_derived" not in data


def test_a_model_is_registered_by_one_word() -> None:
    codec = Codec({"order": Order})
    order = Order(lines=[Line(amountOrdered=2, price=Decimal("1.10"))], when=NOON)
    data = codec.encode({"o": order})
    assert codec.decode(data) == {"o": order}
    assert b"test_derived" not in data
    line = Codec({"line": Line})
    assert line.decode(line.encode(order.lines[0])) == order.lines[0]


def test_a_field_that_was_added_since_has_its_default() -> None:
    @dataclass
    class Older:
        name: str

    data = Codec({"item": Older}).encode(Older("tea"))
    assert Codec({"item": Item}).decode(data) == Item("tea")
    with pytest.raises(ValueError, match="not a value: TypeError"):
        Codec({"item": Older}).decode(Codec({"item": Item}).encode(Item("tea")))


def test_a_dataclass_that_its_fields_do_not_make_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"types\['salted'\].*InitVar 'salt'.*give \(class, to"):
        Codec({"salted": Salted})


def test_a_class_without_a_way_back_is_stored_as_what_it_becomes() -> None:
    codec = Codec({"path": (PurePosixPath, str), "map": (UserDict, dict)}, strict=True)
    data = codec.encode({PurePosixPath("/a"): [UserDict(b=(1,)), of(PurePosixPath, "c")]})
    assert data == codec.encode({"/a": [{"b": (1,)}, "c"]})


# -- users ------------------------------------------------------------------------------------------


class User(str, Enum):  # noqa: UP042 - that is the point
    """As before `StrEnum`: formatted, it is not its text, and a key of a store would be another."""

    ADA = "ada"


def test_a_user_of_a_derived_type_is_its_text() -> None:
    manager = Manager(MemoryProvider())
    with manager.open({}) as session:
        session.login(User.ADA, about={"device": Status.PAID})
    [info] = manager.sessions("ada")
    assert shape((info.user, dict(info.about))) == shape(("ada", {"device": "paid"}))
    assert [info.id for info in manager.sessions(User.ADA)] == [session.id]
    assert manager.destroy_user(User.ADA) == 1


def test_a_user_that_is_no_text_is_refused_and_not_passed_over() -> None:
    """`destroy_user(user.pk)` would end nothing, and nobody would know."""
    manager: Any = Manager(MemoryProvider())
    with pytest.raises(
        EncodeError, match=r"the user is a int, must be a str, such as str\(user.id"
    ):
        manager.destroy_user(5)
    with pytest.raises(EncodeError, match="the user is a int"):
        list(manager.sessions(5))
    with pytest.raises(EncodeError, match="login: the user is a int"):
        manager.start({}).login(5)
