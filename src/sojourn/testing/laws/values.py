"""Law 2, values keep their value and type; law 3, which operations count as changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from sojourn.errors import CorruptRecord, EncodeError
from sojourn.release import ReleaseOutcome
from sojourn.testing._subject import Subject

MOMENT = datetime(2026, 10, 25, 2, 30, 0, 123456)  # noqa: DTZ001 - a naive one

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2**63, -(2**63) - 1, 2**200, 1.0, -0.0, 0.1, float("inf"),
    float("-inf"), float("nan"), "", "caf\u00e9", "\N{FOX FACE}", "\ud800", "\0", b"", b"\0\xff",
    [], [1, "1", b"1", 1.0, True, None], (), (1, (2, [3])), set(), {1, "1", b"1"}, frozenset({(1,)}),
    {}, {"b": 1, "a": 2}, {1: "int", "1": "str", b"1": "bytes", None: 0, (1, 2): [], 2.5: {}},
    {frozenset({1}): {MOMENT: {date.min: UUID(int=7)}}}, MOMENT, MOMENT.replace(fold=1),
    MOMENT.replace(tzinfo=UTC),
    MOMENT.replace(tzinfo=timezone(timedelta(hours=5, minutes=45), "NPT")), MOMENT.replace(year=9999),
    date(2026, 11, 23), time(23, 59, 59, 999999), time(2, 30, fold=1, tzinfo=UTC), timedelta.min,
    timedelta(microseconds=1), Decimal("1.10"), Decimal("-0"), Decimal("1E+400"), Decimal("NaN12"),
    Decimal("sNaN"), UUID(int=2**128 - 1),
]  # fmt: skip
"""One value of each supported type, and values that are easily confused with each other."""

KEYS: list[Any] = [
    "", "a", "1", "caf\u00e9", "\ud800", "a.b", "$a", "x" * 300, b"", b"1", b"\xff", 0, 1, -1, 2**80,
    UUID(int=1), (), ("a",), ("a", ("b", 1, b"1")),
]  # fmt: skip


class Color(Enum):
    """An enum of an application, which can only be stored if it is registered."""

    RED = "red"
    BLUE = "blue"


class Size(StrEnum):
    """A type derived from str; applications and libraries have many of them."""

    LARGE = "large"


class Point(NamedTuple):
    """A type derived from tuple."""

    x: int
    y: Any


DERIVED: dict[str, tuple[Any, Any]] = {
    "text": (Size.LARGE, "large"),
    "tuple": (Point(1, Size.LARGE), (1, "large")),
    "dict": (OrderedDict({"b": 1, Size.LARGE: [Size.LARGE]}), {"b": 1, "large": ["large"]}),
    "inside": ([{Size.LARGE: {Point(1, 2)}}], [{"large": {(1, 2)}}]),
}
"""Values of derived types, and the values that are read back."""


class Values(Subject):
    """A value that is read equals the value that was stored."""

    def test_values_come_back_equal_and_of_the_same_type(self) -> None:
        """Law 2: the next request reads equal values of the same types from the store."""
        client = self.visitor(dict(enumerate(VALUES)))
        session = client.start()
        assert len(session) == len(VALUES)
        for number, value in enumerate(VALUES):
            assert shape(session[number]) == shape(value)

    def test_keys_come_back_equal_and_of_the_same_type(self) -> None:
        """Law 2: keys keep value and type: 1, "1" and b"1" are three different keys."""
        client = self.visitor({key: shape(key) for key in KEYS})
        session = client.start()
        assert sorted(map(shape, session)) == sorted(map(shape, KEYS))
        for key in KEYS:
            assert session[key] == shape(key)

    def test_moments_keep_their_zone(self) -> None:
        """Law 2: a datetime keeps its `fold`, and the name of its time zone, not just the offset.

        `fold` distinguishes the two equal hours when daylight saving time ends.
        """
        zoned = MOMENT.replace(tzinfo=ZoneInfo("Europe/Berlin"))
        client = self.visitor({"first": zoned, "second": zoned.replace(fold=1)})
        session = client.start()
        assert shape(session["first"]) == shape(zoned)
        assert shape(session["second"]) == shape(zoned.replace(fold=1))

    def test_deep_nesting_comes_back(self) -> None:
        """Law 2: containers can be nested a hundred levels deep; deeper ones raise EncodeError."""
        deep: Any = "bottom"
        for _ in range(100):
            deep = [deep]
        client = self.visitor({"deep": deep})
        session = client.start()
        assert session["deep"] == deep
        with pytest.raises(EncodeError, match="deep"):
            session["deeper"] = [deep]

    def test_mutable_bytes_come_back_as_bytes(self) -> None:
        """Law 2: bytearray and memoryview come back as bytes, which is the documented exception."""
        client = self.visitor({"array": bytearray(b"ab"), "view": memoryview(b"cd")})
        assert shape(self.stored(client)) == shape({"array": b"ab", "view": b"cd"})

    @pytest.mark.parametrize("case", DERIVED)
    def test_values_of_derived_types_come_back_as_their_base(self, case: str) -> None:
        """Law 2: a value of a derived type comes back as an equal value of its base type.

        If the same value is assigned again, the session counts as unchanged.
        """
        value, base = DERIVED[case]
        client = self.visitor({Size.LARGE: value})
        assert shape(self.stored(client)) == shape({"large": base})
        with client.visit() as session:
            assert session["large"] == session[Size.LARGE] == value
            # Equal to the stored value, though of a different type.
            session[Size.LARGE] = value
        assert session.released is not None
        assert session.released.outcome is ReleaseOutcome.UNCHANGED

    @pytest.mark.parametrize("value", [object(), Color.RED, 1j, [{"a": {object()}}]])
    def test_what_cannot_be_stored_is_refused_at_the_assignment(self, value: Any) -> None:
        """Law 2: an unsupported value raises EncodeError at the assignment and changes nothing.

        The message names the key and the type.
        """
        client = self.visitor({"a": 1})
        session = client.start()
        with pytest.raises(EncodeError, match=r"session\['cart'\].*type"):
            session["cart"] = value
        session["b"] = 2
        client.release(session)
        assert self.stored(client) == {"a": 1, "b": 2}

    def test_what_was_put_in_place_is_refused_at_the_release(self) -> None:
        """Law 2: an unsupported value inside a container raises EncodeError at the release.

        Nothing of that request is stored then.
        """
        client = self.visitor({"a": 1, "cart": ["tea"]})
        session = client.start()
        session["a"] = 2
        session["cart"].append(object())
        with pytest.raises(EncodeError, match=r"session\['cart'\].*object"):
            client.release(session)
        assert self.trips.taken() == ["read"]
        assert self.stored(client) == {"a": 1, "cart": ["tea"]}

    def test_types_of_the_application_come_back(self) -> None:
        """Law 2: a registered type of the application comes back as that type.

        A manager for which the type is not registered fails to read that one field only.
        """
        client = self.visitor({"a": 1, "color": Color.RED}, self.managed(types={"color": Color}))
        assert client.start()["color"] is Color.RED
        # The type is not registered for the default manager.
        session = self.manager.start(client.headers)
        assert session["a"] == 1
        with pytest.raises(CorruptRecord, match="color"):
            session["color"]


# Name: the stored value, the change in place, and the value that is expected afterwards.
IN_PLACE: dict[str, tuple[Any, Callable[[Any], object], Any]] = {
    "list": (["tea"], lambda value: value.append("milk"), ["tea", "milk"]),
    "item": ([1, 2], lambda value: value.__setitem__(0, True), [True, 2]),
    "sort": ([2, 1], lambda value: value.sort(), [1, 2]),
    "dict": ({"a": 1}, lambda value: value.update(b=2), {"a": 1, "b": 2}),
    "order": ({"a": 1, "b": 2}, lambda value: value.update(a=value.pop("a")), {"b": 2, "a": 1}),
    "set": ({1}, lambda value: value.add(2), {1, 2}),
    "nested": (
        {"a": [{"b": {1}}]},
        lambda value: value["a"][0]["b"].clear(),
        {"a": [{"b": set()}]},
    ),
    "in a tuple": (([],), lambda value: value[0].append(1), ([1],)),
}

# Operations that leave the session as it was, and must count as reads.
READS: dict[str, Callable[[Any], object]] = {
    "only read": lambda s: [s["cart"], s.get("a"), list(s.items()), len(s), "a" in s],
    "set to what it was": lambda s: s.update(a=1, cart=["tea"]),
    "changed and changed back": lambda s: (s["cart"].append(1), s["cart"].pop()),
    "set and set back": lambda s: (s.update(a=2), s.update(a=1)),
    "absent and popped": lambda s: s.pop("never", None),
    "absent and deleted": lambda s: delete(s, "never"),
    "put and taken away": lambda s: (s.update(b=1), s.pop("b")),
    "applied to no effect": lambda s: s.apply("cart", list),
}


def delete(session: Any, key: str) -> None:
    """Delete an absent key, which raises KeyError."""
    with pytest.raises(KeyError):
        del session[key]


class ChangesInPlace(Subject):
    """Which operations on a session count as changes."""

    @pytest.mark.parametrize("case", IN_PLACE)
    def test_a_change_in_place_is_saved(self, case: str) -> None:
        """Law 3: a change inside a value is saved, without marking the session as modified."""
        value, change, expected = IN_PLACE[case]
        client = self.visitor({"value": value, "other": 1})
        with client.visit() as session:
            change(session["value"])
        assert session.released is not None
        assert session.released.outcome is ReleaseOutcome.SAVED
        assert shape(self.stored(client)["value"]) == shape(expected)

    @pytest.mark.parametrize("case", [case for case in READS if case != "applied to no effect"])
    def test_what_is_no_change_is_not_written(self, case: str) -> None:
        """Law 3: an operation without effect writes nothing to the store and sends no cookie."""
        client = self.visitor({"a": 1, "cart": ["tea"]})
        with client.visit() as session:
            READS[case](session)
        assert self.trips.taken() == ["read"]
        assert session.released is not None
        assert session.released.outcome is ReleaseOutcome.UNCHANGED

    @pytest.mark.parametrize("case", READS)
    def test_what_is_no_change_competes_with_none(self, case: str) -> None:
        """Law 3: an operation without effect leaves changes of other requests as they are."""
        client = self.visitor({"a": 1, "cart": ["tea"]})
        session = client.start()
        with client.visit() as other:
            other.update(a=7, never=8, b=9)
            other["cart"].append("milk")
        READS[case](session)
        client.release(session)
        assert self.stored(client) == {"a": 7, "never": 8, "b": 9, "cart": ["tea", "milk"]}
        assert not [event for event in self.events if event[0] == "collided"]


def shape(value: Any) -> str:
    """Return a text that differs if two values differ in value, type or order.

    The order of sets does not count.  `==` is not enough: 1 == True, and nan != nan.
    """
    kind = type(value).__name__
    if isinstance(value, dict):
        return f"{kind}({', '.join(f'{shape(k)}: {shape(v)}' for k, v in value.items())})"
    if isinstance(value, list | tuple):
        return f"{kind}({', '.join(map(shape, value))})"
    if isinstance(value, set | frozenset):
        # Sorted, since equal sets may iterate in different orders.
        return f"{kind}({', '.join(sorted(map(shape, value)))})"
    return f"{kind} {value!r}"
