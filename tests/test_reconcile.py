"""Law 4 inside one key: what two requests did to one value in place, both at once."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn._merge.three_way import ABSENT, reconcile
from sojourn.codec import Codec

mark = Codec().encode


def merged(base: Any, mine: Any, theirs: Any) -> Any:
    """The merged value, where nothing is contradicted."""
    value, contradicted = checked(base, mine, theirs)
    assert not contradicted
    return value


def contested(base: Any, mine: Any, theirs: Any) -> Any:
    """The merged value, where something is contradicted."""
    value, contradicted = checked(base, mine, theirs)
    assert contradicted
    return value


def checked(base: Any, mine: Any, theirs: Any) -> tuple[Any, bool]:
    before = [mark(value) for value in (base, mine, theirs)]
    result = reconcile(base, mine, theirs, mark)
    assert [mark(value) for value in (base, mine, theirs)] == before
    return result


def same(value: Any, other: Any) -> bool:
    return mark(value) == mark(other)


def test_where_there_was_nothing_containers_merge_as_if_both_had_begun_empty() -> None:
    assert reconcile(ABSENT, [1], [2], mark) == ([2, 1], False)
    assert reconcile(ABSENT, {"m": 1}, {"t": 1}, mark) == ({"t": 1, "m": 1}, False)
    assert reconcile(ABSENT, 1, 1, mark) == (1, False)
    assert reconcile(ABSENT, 1, 2, mark) == (1, True)


# -- the ends of the descent ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "mine", "theirs"),
    [(1, 2, 3), (None, 1, "1"), ([1], {1}, [1, 2]), ({"a": 1}, ["a"], {"b": 1}), (1, 1.0, True)],
)
def test_of_two_changes_to_what_is_no_container_mine_wins(
    base: Any, mine: Any, theirs: Any
) -> None:
    assert same(contested(base, mine, theirs), mine)


@pytest.mark.parametrize("value", [2, "x", None, Decimal("1.10"), float("nan")])
def test_the_same_change_contradicts_nothing(value: Any) -> None:
    assert same(merged(1, value, copy.copy(value)), value)


def test_a_change_of_type_alone_is_a_change() -> None:
    assert same(merged(1, 1, True), True)
    assert same(merged({"a": 1}, {"a": 1.0}, {"a": 1, "b": 2}), {"a": 1.0, "b": 2})


# -- dict -----------------------------------------------------------------------------------------


def test_entries_of_both_stand() -> None:
    base = {"a": 1, "b": 2, "c": 3, "d": 4}
    mine = {"a": 10, "c": 3, "d": 4, "m": 0}  # a changed, b removed, m put
    theirs = {"a": 1, "b": 2, "d": 40, "t": 0}  # c removed, d changed, t put
    assert same(merged(base, mine, theirs), {"a": 10, "d": 40, "t": 0, "m": 0})


def test_the_order_is_theirs_and_then_mine() -> None:
    value = merged({"a": 1, "b": 2}, {"x": 0, "a": 1, "b": 2, "y": 0}, {"t": 0, "b": 2, "a": 1})
    assert list(value) == ["t", "b", "a", "x", "y"]


def test_a_new_order_is_a_change_like_any_other() -> None:
    base = {"a": 1, "b": 2, "c": 3}
    last = {"b": 2, "c": 3, "a": 1}
    assert list(merged(base, last, {**base, "t": 0})) == ["b", "c", "a", "t"]
    assert list(merged(base, {**base, "m": 0}, last)) == ["b", "c", "a", "m"]
    assert list(merged(base, last, {**last, "t": 0})) == ["b", "c", "a", "t"]
    assert list(contested(base, last, {"c": 3, "a": 1, "b": 2})) == ["b", "c", "a"]
    assert list(merged(base, last, {"b": 2, "c": 30})) == ["b", "c"]


def test_an_entry_changed_by_both_is_mine() -> None:
    assert contested({"a": 1}, {"a": 2, "b": 0}, {"a": 3, "c": 0}) == {"a": 2, "b": 0, "c": 0}
    assert merged({"a": 1}, {"a": 2, "b": 0}, {"a": 2, "c": 0}) == {"a": 2, "b": 0, "c": 0}


def test_an_entry_put_by_both_is_mine_unless_it_is_the_same() -> None:
    assert contested({}, {"a": 1}, {"a": 2}) == {"a": 1}
    assert merged({}, {"a": 1}, {"a": 1, "b": 2}) == {"a": 1, "b": 2}


def test_removed_against_changed_is_my_will() -> None:
    assert contested({"a": 1}, {}, {"a": 2}) == {}
    assert contested({"a": 1}, {"a": 2}, {}) == {"a": 2}
    assert merged({"a": 1, "b": 1}, {"b": 2}, {"b": 1}) == {"b": 2}
    assert merged({"a": 1, "b": 1}, {}, {"b": 1}) == {}


def test_containers_inside_are_merged_likewise() -> None:
    base = {"user": {"tags": {"a"}, "cart": [{"sku": 1, "n": 1}]}}
    mine = {"user": {"tags": {"a", "m"}, "cart": [{"sku": 1, "n": 2}], "x": 1}}
    theirs = {"user": {"tags": {"t"}, "cart": [{"sku": 1, "n": 1, "gift": True}, {"sku": 2}]}}
    cart = [{"sku": 1, "n": 2, "gift": True}, {"sku": 2}]
    assert merged(base, mine, theirs) == {"user": {"tags": {"m", "t"}, "cart": cart, "x": 1}}


def test_containers_put_by_both_under_one_name_are_merged() -> None:
    assert merged({}, {"log": ["m"]}, {"log": ["t"]}) == {"log": ["t", "m"]}
    assert merged({}, {"a": {"m": 1}}, {"a": {"t": 1}}) == {"a": {"t": 1, "m": 1}}
    assert merged({}, {"a": {1}}, {"a": {2}}) == {"a": {1, 2}}
    assert merged({}, {"roles": ["user"], "m": 1}, {"roles": ["user"]}) == {
        "roles": ["user"],
        "m": 1,
    }
    assert merged({}, {"log": []}, {"log": ["t"]}) == {"log": ["t"]}
    assert contested({}, {"log": ["m"]}, {"log": ("t",)}) == {"log": ["m"]}


def test_keys_that_are_equal_but_not_the_same_fill_one_place() -> None:
    assert same(contested({}, {True: "m"}, {1: "t", 2: "u"}), {2: "u", True: "m"})
    assert same(merged({1: "a"}, {True: "a"}, {1: "a", 2: "b"}), {2: "b", True: "a"})


def test_a_nan_among_the_keys_is_one_key() -> None:
    base, mine, theirs = ({float("nan"): 1, **more} for more in ({}, {"m": 1}, {"t": 1}))
    assert same(merged(base, mine, theirs), {float("nan"): 1, "t": 1, "m": 1})


# -- set ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [set, frozenset])
def test_members_put_in_and_taken_out_by_both_stand(kind: type) -> None:
    value = merged(kind("abcd"), kind("bcdm"), kind("acdt"))
    assert value == set("cdmt")
    assert type(value) is kind
    assert merged(kind("a"), kind("am"), kind()) == {"m"}
    assert merged(kind("a"), kind(), kind("at")) == {"t"}
    assert merged(kind("a"), kind("ab"), kind("abt")) == set("abt")


def test_members_that_are_equal_but_not_the_same_are_mine() -> None:
    assert same(contested(set(), {True}, {1, 5}), {True, 5})
    assert same(merged({1}, {True}, {1, 5}), {True, 5})


def test_a_nan_in_a_set_is_one_member() -> None:
    assert same(merged({float("nan")}, {float("nan"), 1}, {float("nan"), 2}), {float("nan"), 1, 2})


# -- tuple ----------------------------------------------------------------------------------------


def test_tuples_of_one_length_are_merged_place_by_place() -> None:
    assert same(merged((1, [2], 3), (9, [2, "m"], 3), (1, [2, "t"], 8)), (9, [2, "t", "m"], 8))
    assert same(contested((1, 2), (5, 2), (6, 3)), (5, 3))


def test_tuples_of_other_lengths_are_mine() -> None:
    assert same(contested((1,), (1, 2), (3,)), (1, 2))
    assert same(merged((1,), (1, 2), (1, 2)), (1, 2))


# -- list -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "result"),
    [
        ("", "m", "t", "tm"),
        ("ab", "abm", "abt", "abtm"),
        ("ab", "abx", "abx", "abxx"),  # two requests, two items
        ("a", "aa", "aa", "aaa"),
        ("", "xm", "xt", "xtxm"),
        ("ab", "mab", "tab", "tmab"),
        ("ab", "amb", "atb", "atmb"),
        ("ab", "abm", "tab", "tabm"),
        ("abcd", "acd", "abc", "ac"),
        ("abcd", "acd", "acd", "acd"),  # removed once
        ("abcd", "", "abcdt", "t"),
        ("abcdef", "aBcdef", "abcdEf", "aBcdEf"),
        ("abcdef", "bcdef", "abcdeF", "bcdeF"),
        ("abcdef", "aBcdefm", "tabcdf", "taBcdfm"),
        ("aaaa", "aaa", "aaaat", "aaat"),
    ],
)
def test_what_both_did_to_a_list_stands(base: str, mine: str, theirs: str, result: str) -> None:
    assert merged(list(base), list(mine), list(theirs)) == list(result)


def test_an_item_changed_by_both_is_mine() -> None:
    assert contested([1, 2, 3], [1, 20, 3], [1, 21, 3]) == [1, 20, 3]
    assert merged([1, 2, 3], [1, 20, 3], [1, 20, 3, 4]) == [1, 20, 3, 4]


def test_an_item_removed_against_changed_is_my_will() -> None:
    assert contested([1, 2, 3], [1, 3], [1, 20, 3]) == [1, 3]
    assert contested([1, 2, 3], [1, 20, 3], [1, 3]) == [1, 20, 3]


def test_an_item_changed_by_both_is_merged_if_it_is_a_container() -> None:
    base: list[Any] = [{"sku": 1}, {"sku": 2, "n": 1}, {"sku": 3}]
    mine: list[Any] = [{"sku": 1}, {"sku": 2, "n": 2}, {"sku": 3}, {"sku": 4}]
    theirs: list[Any] = [{"sku": 2, "n": 1, "gift": True}, {"sku": 3}]
    value = merged(base, mine, [{"sku": 1}, *theirs])
    assert value == [{"sku": 1}, {"sku": 2, "n": 2, "gift": True}, {"sku": 3}, {"sku": 4}]
    assert contested([[1]], [{"a": 1}], [[1, 2]]) == [{"a": 1}]


def test_an_item_changed_and_one_appended_are_two_things() -> None:
    base = [{"sku": 1, "n": 1}]
    mine = [{"sku": 1, "n": 2}, {"sku": 5}]
    theirs = [{"sku": 1, "n": 1, "gift": True}, {"sku": 6}]
    value = merged(base, mine, theirs)
    assert value == [{"sku": 1, "n": 2, "gift": True}, {"sku": 6}, {"sku": 5}]


def test_no_entry_of_one_item_gets_into_another() -> None:
    base = [{"sku": 1, "n": 1}, {"sku": 2, "n": 1}]
    mine = [{"sku": 2, "n": 7}]  # the first removed, the second changed
    theirs = [{"sku": 1, "n": 1, "gift": True}, {"sku": 2, "n": 1}]
    assert contested(base, mine, theirs) == [{"sku": 2, "n": 7}]


ONE_AND_TWO: list[Any] = [{"id": 1, "n": 0}, {"id": 2, "n": 0}]


@pytest.mark.parametrize(
    ("mine", "theirs", "result"),
    [
        # both removed the first and changed the second
        ([{"id": 2, "n": 5}], [{"id": 2, "n": 7}], [{"id": 2, "n": 5}]),
        # one changed what the other removed
        ([{"id": 1, "n": 5}], [{"id": 2, "n": 0}], [{"id": 1, "n": 5}]),
        # one changed both, the other removed one and added another
        (
            [{"id": 1, "n": 5}, {"id": 2, "n": 5}],
            [{"id": 2, "n": 0}, {"id": 9, "n": 0}],
            [{"id": 1, "n": 5}, {"id": 2, "n": 5}, {"id": 9, "n": 0}],
        ),
        # both took the first to the end and changed it
        (
            [{"id": 2, "n": 0}, {"id": 1, "n": 5}],
            [{"id": 2, "n": 0}, {"id": 1, "n": 7}],
            [{"id": 2, "n": 0}, {"id": 1, "n": 5}],
        ),
        # one replaced what the other changed
        (
            [{"id": 9, "n": 0}, {"id": 2, "n": 0}],
            [{"id": 1, "n": 7}, {"id": 2, "n": 0}],
            [{"id": 9, "n": 0}, {"id": 2, "n": 0}],
        ),
    ],
)
def test_of_changes_to_one_item_one_wins_as_a_whole(mine: Any, theirs: Any, result: Any) -> None:
    assert contested(ONE_AND_TWO, mine, theirs) == result


def test_items_without_an_id_are_never_halved() -> None:
    """No entry is the same in all three: perhaps one side put another item in its place."""
    assert contested([{"a": 1, "n": 0}], [{"a": 2, "n": 0}], [{"a": 1, "n": 7}]) == [
        {"a": 2, "n": 0}
    ]


def test_an_item_that_one_moved_and_the_other_changed_is_both() -> None:
    base: list[Any] = [{"id": 1, "n": 0}, {"id": 2, "n": 0}, {"id": 3, "n": 0}]
    mine = [base[1], base[2], base[0]]
    assert merged(base, mine, [{"id": 1, "n": 7}, *base[1:]]) == [*base[1:], {"id": 1, "n": 7}]
    assert merged(base, [{"id": 1, "n": 7}, *base[1:]], mine) == [*base[1:], {"id": 1, "n": 7}]


def test_what_both_moved_stands_once() -> None:
    assert merged(list("cab"), list("abc"), list("abc")) == list("abc")
    assert merged(list("cab"), list("abcm"), list("abct")) == list("abctm")
    assert contested(list("abcde"), list("bcdea"), list("bcade")) == list("bcdea")
    assert merged(list("cab"), list("abc"), list("cabt")) == list("abtc")


def test_what_one_moved_and_the_other_removed_is_my_will() -> None:
    assert contested(list("abc"), list("bca"), list("bc")) == list("bca")
    assert contested(list("abc"), list("bc"), list("bca")) == list("bc")


def test_items_that_are_equal_but_not_the_same_are_told_apart() -> None:
    assert same(merged([1, 1.0, True], [1.0, True], [1, 1.0, True, 5]), [1.0, True, 5])


def test_a_list_of_unhashable_items_is_aligned() -> None:
    base = [[number] for number in range(9)]
    assert merged(base, base[1:], [*base[:4], *base[5:]]) == [*base[1:4], *base[5:]]


# -- bounded --------------------------------------------------------------------------------------


def edited(items: list[Any], random: Random, *, edits: int) -> list[Any]:
    items = list(items)
    for number in range(edits):
        del items[random.randrange(len(items))]
        items.insert(random.randrange(len(items)), f"new {random.random()} {number}")
    return items


def lines_run(function: Callable[[], object]) -> int:
    """Return how many lines of Python a call runs: a measure that no other process disturbs."""
    count = 0

    def trace(_frame: object, event: str, _arg: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


Shape = Callable[[int], tuple[Any, Any, Any]]

SHAPES: dict[str, Shape] = {
    "two orders": lambda n: (
        [*range(n)],
        Random(1).sample(range(n), n),
        Random(2).sample(range(n), n),
    ),
    "reversed twice": lambda n: ([*range(n)], [*range(n)][::-1], [*range(n)][::-1]),
    "few values": lambda n: (
        [number % 7 for number in range(n)],
        edited([number % 7 for number in range(n)], Random(1), edits=n // 50),
        edited([number % 7 for number in range(n)], Random(2), edits=n // 50),
    ),
    "both ends": lambda n: (
        [{"id": number % 7} for number in range(n)],
        [{"m": 0}, *({"id": number % 7} for number in range(1, n - 1)), {"m": 1}],
        [{"t": 0}, *({"id": number % 7} for number in range(1, n - 1)), {"t": 1}],
    ),
    "every item": lambda n: (
        [{"id": number, "n": 0} for number in range(n)],
        [{"id": number, "n": 1} for number in range(n)],
        [{"id": number, "n": 0, "t": 1} for number in range(n)][::-1],
    ),
    "every item of fewer": lambda n: (
        [[number] for number in range(n)],
        [[number, 1] for number in range(n // 2)],
        [[number, 2] for number in range(n // 3, n)],
    ),
    "many lists": lambda n: (
        {str(number): [1, 2, 3] for number in range(n // 4)},
        {str(number): [3, 2, 1] for number in range(n // 4)},
        {str(number): [0, 1, 2, 3, 9] for number in range(n // 4)},
    ),
    "deep": lambda n: tuple(nested(90, leaf, n // 90) for leaf in ("b", "m", "t")),
    "dicts in two orders": lambda n: (
        dict.fromkeys(range(n), 0),
        dict.fromkeys(Random(1).sample(range(n), n), 0),
        dict.fromkeys(Random(2).sample(range(n), n), 1),
    ),
    "sets": lambda n: ({*range(n)}, {*range(n // 2)}, {*range(n // 3, 2 * n), "t"}),
}


def nested(depth: int, leaf: str, width: int) -> Any:
    value: Any = [leaf]
    for _ in range(depth):
        value = {"in": value, leaf: [*range(width)]}
    return value


@pytest.mark.parametrize("shape", SHAPES)
def test_the_work_grows_with_the_size(shape: str) -> None:
    """A request of a few kilobytes must not stop a process: no shape takes quadratic time."""
    small, large = (lines_run(partial(reconcile, *SHAPES[shape](n), mark)) for n in (800, 6400))
    assert large < 8 * 1.5 * small


@pytest.mark.parametrize("shape", SHAPES)
def test_the_largest_values_are_merged_or_given_up(shape: str) -> None:
    """With quadratic work, or without the bound, this would not come to an end."""
    base, mine, theirs = SHAPES[shape](100_000)
    value, contradicted = reconcile(base, mine, theirs, mark)
    assert contradicted or value != mine


def test_beyond_the_bound_mine_wins_and_that_is_reported() -> None:
    base = [*range(300_000)]
    mine, theirs = Random(1).sample(base, len(base)), base[::-1]
    assert contested(base, mine, theirs) == mine


def test_far_apart_changes_of_a_long_list_all_stand() -> None:
    base = list(range(5_000))
    mine = [*base[:10], *base[11:4_000], "m", *base[4_001:], "end"]
    theirs = ["start", *base[:20], *base[21:3_000], *base[3_001:], "last"]
    value = merged(base, mine, theirs)
    gone = {10, 20, 3_000, 4_000}
    kept: list[Any] = [
        "m" if item == 4_000 else item for item in base if item not in gone - {4_000}
    ]
    assert value == ["start", *kept, "last", "end"]


def test_a_long_list_in_two_orders_loses_nothing() -> None:
    base = list(range(2_000))
    mine, theirs = (Random(seed).sample(base, len(base)) for seed in (1, 2))
    assert merged(base, mine, list(mine)) == mine
    assert sorted(contested(base, mine, theirs)) == base


def test_both_ends_of_a_long_list_of_few_values_grow() -> None:
    base = [0, 1] * 2_000
    assert merged(base, ["m", *base], [*base, "t"]) == ["m", *base, "t"]


# -- properties -----------------------------------------------------------------------------------

leaves = st.none() | st.booleans() | st.integers(0, 3) | st.floats() | st.sampled_from("ab")
keys = st.sampled_from(["a", "b", "c", 1, 2])
values = st.recursive(
    leaves,
    lambda part: st.one_of(
        st.lists(part, max_size=4),
        st.lists(part, max_size=2).map(tuple),
        st.dictionaries(keys, part, max_size=4),
        st.sets(leaves, max_size=4),
    ),
    max_leaves=10,
)


@given(values, values)
def test_if_they_changed_nothing_it_is_mine(base: Any, mine: Any) -> None:
    assert same(merged(base, mine, copy.deepcopy(base)), mine)


@given(values, values)
def test_if_i_changed_nothing_it_is_theirs(base: Any, theirs: Any) -> None:
    assert same(merged(base, copy.deepcopy(base), theirs), theirs)


@settings(max_examples=300)
@given(values, values, values)
def test_no_argument_is_changed_and_the_result_can_be_stored(b: Any, m: Any, t: Any) -> None:
    value, contradicted = checked(b, m, t)
    mark(value)
    assert contradicted or not same(m, t) or type(m) in {list, tuple, dict} or same(value, m)


dicts = st.dictionaries(st.integers(0, 9), leaves, max_size=8)


@given(dicts, dicts, dicts)
def test_changes_to_different_entries_of_a_dict_all_stand(
    base: dict[int, Any], mine: dict[int, Any], theirs: dict[int, Any]
) -> None:
    mine = {key: mine[key] for key in mine if key % 2 == 0}
    theirs = {key: theirs[key] for key in theirs if key % 2 == 1}

    def changed(entries: dict[int, Any], rest: int) -> dict[int, Any]:
        """The base with these entries at its even or odd keys; the order of the others stays."""
        kept = {
            key: entries.get(key, value)
            for key, value in base.items()
            if key in entries or key % 2 != rest
        }
        return {**kept, **entries}

    here = merged(base, changed(mine, 0), changed(theirs, 1))
    there = merged(base, changed(theirs, 1), changed(mine, 0))
    wanted = {**mine, **theirs}
    assert same(sorted(here.items()), sorted(there.items(), key=lambda entry: entry[0]))
    assert same(dict(sorted(here.items(), key=str)), dict(sorted(wanted.items(), key=str)))


sets = st.sets(st.integers(0, 9))


@given(sets, sets, sets)
def test_sets_are_theirs_with_what_i_added_without_what_i_removed(
    base: set[int], mine: set[int], theirs: set[int]
) -> None:
    assert merged(base, mine, theirs) == (theirs | (mine - base)) - (base - mine)


lists = st.lists(st.sampled_from("abc") | st.integers(0, 2), max_size=8)


@given(lists, lists, lists)
def test_what_both_appended_stands(base: list[Any], mine: list[Any], theirs: list[Any]) -> None:
    assert merged(base, [*base, *mine], [*base, *theirs]) == [*base, *theirs, *mine]


numbers = st.lists(st.integers(0, 30), unique=True, max_size=12)


@settings(max_examples=200)
@given(numbers, st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)))
def test_what_either_removed_from_a_list_is_gone(
    base: list[int], mine: set[int], theirs: set[int]
) -> None:
    value = merged(
        base, [item for item in base if item not in mine], [i for i in base if i not in theirs]
    )
    assert value == [item for item in base if item not in mine | theirs]


@settings(max_examples=200)
@given(numbers, st.randoms(), st.randoms())
def test_what_both_put_in_order_stands_once(base: list[int], chance: Random, other: Random) -> None:
    mine, theirs = (rng.sample(base, len(base)) for rng in (chance, other))
    assert merged(base, mine, list(mine)) == mine
    assert sorted(checked(base, mine, theirs)[0]) == sorted(base)


@settings(max_examples=300)
@given(st.lists(st.integers(0, 4), max_size=8), lists, lists)
def test_what_neither_touched_is_not_lost(
    base: list[Any], mine: list[Any], theirs: list[Any]
) -> None:
    """What all three hold is in the result, however the three are aligned."""
    value, _ = checked([*base, "kept"], [*mine, "kept"], [*theirs, "kept"])
    assert "kept" in value


def test_where_an_item_moved_away_a_new_one_is_no_old_one_that_was_edited() -> None:
    """Mine removed the second and put another one first; nothing of the one gets into the other."""
    base = [{"k": number, "n": number // 3} for number in range(5)]
    theirs = [base[0], {**base[1], "note": 67}, *base[2:]]
    mine = [{"k": 100, "n": 0}, base[2], {"k": 3, "n": 10}, base[4], base[0]]
    assert reconcile(base, mine, theirs, mark) == (mine, True)
