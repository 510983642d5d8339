"""Law 4: overlapping requests of one session keep each other's changes."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from sojourn.release import ReleaseOutcome
from sojourn.session import Session
from sojourn.testing._subject import Subject, Work, both_orders

MERGED: dict[str, tuple[Any, Work, Work, Any]] = {
    "list": (
        ["tea"],
        lambda s: s["key"].append("milk"),
        lambda s: s["key"].append("rum"),
        (["tea", "milk", "rum"], ["tea", "rum", "milk"]),
    ),
    "dict": (
        {"a": 1},
        lambda s: s["key"].update(b=2),
        lambda s: s["key"].update(c=3),
        ({"a": 1, "b": 2, "c": 3},),
    ),
    "dict, put and taken": (
        {"a": 1, "b": 2},
        lambda s: s["key"].pop("a"),
        lambda s: s["key"].update(c=3),
        ({"b": 2, "c": 3},),
    ),
    "set": ({1, 2}, lambda s: s["key"].add(3), lambda s: s["key"].discard(1), ({2, 3},)),
    "nested": (
        {"a": [{"b": {1}}], "c": 0},
        lambda s: s["key"]["a"][0]["b"].add(2),
        lambda s: s["key"]["a"].append("last") or s["key"].update(c=1),
        ({"a": [{"b": {1, 2}}, "last"], "c": 1},),
    ),
    "the same twice": (
        {"a": 1},
        lambda s: s["key"].update(b=2),
        lambda s: s["key"].update(b=2),
        ({"a": 1, "b": 2},),
    ),
}
"""The stored value, the changes in place of two requests, and the possible results."""

CONTRADICTIONS: dict[str, tuple[Work, Work, Any, Any]] = {
    "assigned, assigned": (lambda s: s.update(key=[2]), lambda s: s.update(key=[3]), [2], [3]),
    "assigned, deleted": (lambda s: s.update(key=[2]), lambda s: s.pop("key"), [2], None),
    "deleted, changed": (lambda s: s.pop("key"), lambda s: s["key"].append(2), None, [1, 2]),
    "one item, both": (
        lambda s: s["key"].__setitem__(0, 2),
        lambda s: s["key"].__setitem__(0, 3),
        [2],
        [3],
    ),
}
"""The changes of two requests to the value [1], and the result if each is released last."""


def _put_back(item: str) -> Work:
    """Return work that changes a list in place and assigns it back.

    This is common code for session libraries that do not detect changes in place.
    """

    def work(session: Session) -> None:
        cart = session["cart"]
        cart.append(item)
        session["cart"] = cart

    return work


class Overlaps(Subject):
    """Overlapping changes to different keys, and within the value of one key."""

    def collisions(self) -> list[str]:
        """Return the `collided` events, which report changes that contradict each other."""
        return [name for name, _ in self.events if name == "collided"]

    @pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
    def test_changes_to_different_keys_all_stand(self, order: tuple[int, ...]) -> None:
        """Law 4: overlapping requests keep all changes to different keys, in any order of release.

        The changes are an assignment, a deletion, and a change in place with a new key.
        """
        client = self.visitor({"a": 1, "b": 1, "cart": []})
        works: list[Work] = [
            lambda s: s.update(a=2),
            lambda s: s.pop("b"),
            lambda s: s["cart"].append("tea") or s.update(c=3),
        ]
        releases = client.overlap(*works, order=order)
        assert {release.outcome for release in releases} == {ReleaseOutcome.SAVED}
        assert self.stored(client) == {"a": 2, "cart": ["tea"], "c": 3}
        assert self.collisions() == []

    @both_orders
    @pytest.mark.parametrize("case", MERGED)
    def test_changes_inside_one_key_are_merged(self, case: str, order: tuple[int, int]) -> None:
        """Law 4: changes in place to one value are merged, and no collision is reported."""
        value, first, second, expected = MERGED[case]
        client = self.visitor({"key": value})
        client.overlap(first, second, order=order)
        assert self.stored(client)["key"] in expected
        assert self.collisions() == []

    @both_orders
    @pytest.mark.parametrize("case", CONTRADICTIONS)
    def test_of_two_that_contradict_the_last_wins(self, case: str, order: tuple[int, int]) -> None:
        """Law 4: of two contradicting changes the last one wins, and `collided` is reported."""
        *works, of_first, of_second = CONTRADICTIONS[case]
        client = self.visitor({"key": [1], "other": 1})
        client.overlap(*works, order=order)
        assert self.stored(client).get("key") == (of_second if order[-1] == 1 else of_first)
        assert ("collided", client.id) in self.events

    def test_what_is_assigned_anew_replaces_what_others_appended(self) -> None:
        """Law 4: an assignment replaces a value with exactly the new one, and is never merged.

        The items that another request appended are lost, so `collided` is reported.
        """
        client = self.visitor({"key": [1]})
        append: Work = lambda s: s["key"].append(2)  # noqa: E731
        # The assignment is released last.
        client.overlap(append, lambda s: s.update(key=[9]), order=(0, 1))
        assert self.stored(client) == {"key": [9]}
        assert self.collisions() == ["collided"]

    @both_orders
    def test_what_is_changed_and_put_back_is_merged(self, order: tuple[int, int]) -> None:
        """Law 4: a value changed in place and assigned back is merged like any change in place.

        An assignment of the same object that the session returned is not a new value.
        """
        client = self.visitor({"cart": []})
        client.overlap(_put_back("tea"), _put_back("milk"), order=order)
        assert sorted(self.stored(client)["cart"]) == ["milk", "tea"]
        assert self.collisions() == []

    def test_the_same_value_twice_is_no_contradiction(self) -> None:
        """Law 4: two requests that assign an equal value do not contradict each other."""
        client = self.visitor({"key": 1})
        same: Work = lambda s: s.update(key=2)  # noqa: E731
        client.overlap(same, same, order=(0, 1))
        assert self.stored(client) == {"key": 2}
        assert self.collisions() == []

    @both_orders
    def test_what_two_requests_begin_is_merged(self, order: tuple[int, int]) -> None:
        """Law 4: containers that two requests create under the same key are merged.

        For example, two browser tabs each put the first article into a cart.
        """
        client = self.visitor({"other": 1})
        tea: Work = lambda s: s.setdefault("cart", []).append("tea")  # noqa: E731
        milk: Work = lambda s: s.setdefault("cart", []).append("milk")  # noqa: E731
        client.overlap(tea, milk, order=order)
        assert sorted(self.stored(client)["cart"]) == ["milk", "tea"]
        assert self.collisions() == []

    @both_orders
    def test_clear_drops_what_is_there_when_it_is_applied(self, order: tuple[int, int]) -> None:
        """Law 4: `clear` deletes the keys stored at its release, and keeps those released later."""
        client = self.visitor({"a": 1})
        client.overlap(
            lambda s: s.clear() or s.update(mine=1), lambda s: s.update(theirs=2), order=order
        )
        # If the other request is released first, `clear` deletes its key as well.
        last = {"theirs": 2} if order == (0, 1) else {}
        assert self.stored(client) == {"mine": 1, **last}

    def test_many_that_overlap_all_stand(self) -> None:
        """Law 4: sixteen overlapping requests lose nothing.

        Each one assigns a different key, and changes a list, a set and a counter that all share.
        """
        client = self.visitor({"list": [], "set": set(), "count": 0})

        def work(number: int) -> Work:
            def change(session: Any) -> None:
                session[number] = number
                session["list"].append(number)
                session["set"].add(number)
                session.apply("count", lambda value: value + 1)

            return change

        # A fixed permutation of the 16 requests, since 7 and 16 have no common divisor.
        order = [number * 7 % 16 for number in range(16)]
        client.overlap(*map(work, range(16)), order=order)
        stored = self.stored(client)
        assert [stored[number] for number in range(16)] == list(range(16))
        assert sorted(stored["list"]) == list(range(16))
        assert (stored["set"], stored["count"]) == (set(range(16)), 16)
        assert self.collisions() == []

    @both_orders
    def test_a_new_id_keeps_what_came_before_it(self, order: tuple[int, int]) -> None:
        """Law 4: a change released before the session gets a new id is kept under that id."""
        client = self.visitor({"a": 1, "cart": []})
        change: Work = lambda s: s["cart"].append("tea") or s.update(b=2)  # noqa: E731
        sign_in: Work = lambda s: s["cart"].append("milk") or s.login("ada")  # noqa: E731
        works = (change, sign_in) if order == (0, 1) else (sign_in, change)
        # The change is always released first; only the order in which the requests begin differs.
        client.overlap(*works, order=[works.index(change), works.index(sign_in)])
        assert self.stored(client) == {"a": 1, "b": 2, "cart": ["tea", "milk"]}
