"""Law 4: `apply(key, function, default)`, for changes that cannot be merged.

`apply` stores a function of the value.  If another request has changed the value by the time of
the release, the function runs again on the stored value, so that a counter loses no count.
"""

from __future__ import annotations

from typing import Any

import pytest

from sojourn.testing._subject import Subject, Work


def increment(session: Any) -> Any:
    """Add one to the session's counter, and return the new count."""
    return session.apply("count", lambda value: value + 1, default=0)


class Applies(Subject):
    """Changes that are given as functions of the old value."""

    def test_no_count_is_lost(self) -> None:
        """Law 4: twenty overlapping requests that count twice each add up to forty."""
        client = self.visitor({"other": 1})
        twice: Work = lambda s: (increment(s), increment(s))  # noqa: E731
        # Released in reverse: each release but the first meets a value that its request has not
        # seen.
        client.overlap(*[twice] * 20, order=range(19, -1, -1))
        assert self.stored(client)["count"] == 40

    def test_it_returns_what_it_makes_at_once(self) -> None:
        """Law 4: `apply` returns the new value, and later reads in the request see it too."""
        session = self.visitor({"count": 4}).start()
        assert increment(session) == 5
        assert session["count"] == 5
        assert session.apply("new", lambda value: [*value, 1], default=[]) == [1]

    @pytest.mark.parametrize(("theirs", "runs"), [("count", 2), ("other", 1), ("same", 1)])
    def test_the_function_runs_again_only_if_its_value_changed(
        self, theirs: str, runs: int
    ) -> None:
        """Law 4: the function, which may be slow, runs again only if its value was changed.

        Changes to other keys do not count, nor does an assignment of the same value.
        """
        client = self.visitor({"count": 1, "other": 1})
        calls: list[Any] = []

        def count(value: Any) -> Any:
            calls.append(value)
            return value + 1

        session = client.start()
        session.apply("count", count)
        with client.visit() as other:
            other.update({theirs: 7} if theirs != "same" else {"count": 1})
        client.release(session)
        assert len(calls) == runs
        assert self.stored(client)["count"] == calls[-1] + 1

    def test_functions_of_one_key_run_in_order(self) -> None:
        """Law 4: several functions for one key run in order, each on the result of the one before.

        At the release the first one runs on the value that is stored by then.
        """
        client = self.visitor({"key": 1})
        session = client.start()
        session.apply("key", lambda value: value + 10)
        session.apply("key", lambda value: value * 2)
        with client.visit() as other:
            other["key"] = 5
        client.release(session)
        assert self.stored(client) == {"key": 30}

    @pytest.mark.parametrize(
        ("work", "expected"),
        [
            (lambda s: increment(s) and s.update(count=100), 100),
            (lambda s: increment(s) and s.pop("count"), None),
            (lambda s: s.update(count=100) or increment(s), 101),
            (lambda s: s.pop("count") and increment(s), 1),
            (lambda s: s.clear() or increment(s), 1),
        ],
        ids=[
            "then assigned",
            "then deleted",
            "assigned before",
            "deleted before",
            "cleared before",
        ],
    )
    def test_with_an_assignment_it_is_one(self, work: Work, expected: int | None) -> None:
        """Law 4: `apply` beside `=`, `del` or `clear` of one request acts as a plain assignment.

        If `=` or `del` comes later, it replaces the function.  If `=`, `del` or `clear` comes
        first, the result of the function is assigned.  Either way the value of another request is
        not used.
        """
        client = self.visitor({"count": 7, "other": 1})
        session = client.start()
        work(session)
        with client.visit() as other:
            other["count"] = 50
        client.release(session)
        assert self.stored(client).get("count") == expected

    def test_a_change_in_place_after_it_replaces_it(self) -> None:
        """Law 4: `apply` followed by a change in place is merged like one change in place."""
        client = self.visitor({"cart": ["tea"]})
        session = client.start()
        session.apply("cart", lambda value: [*value, "milk"])
        session["cart"].append("rum")
        with client.visit() as other:
            other["cart"].append("jam")
        client.release(session)
        assert sorted(self.stored(client)["cart"]) == ["jam", "milk", "rum", "tea"]

    def test_a_change_in_place_before_it_counts(self) -> None:
        """Law 4: after a change in place, the function runs on the merged value."""
        client = self.visitor({"cart": ["tea"]})
        session = client.start()
        session["cart"].append("rum")
        session.apply("cart", sorted)
        with client.visit() as other:
            other["cart"].append("jam")
        client.release(session)
        assert self.stored(client) == {"cart": ["jam", "rum", "tea"]}

    def test_what_it_raises_at_release_reaches_the_caller(self) -> None:
        """Law 4: if the function raises during the release, nothing of the request is stored.

        The exception reaches the caller of `release`.
        """
        client = self.visitor({"stock": 1})
        session = client.start()
        session["other"] = 1
        session.apply("stock", take_one)
        with client.visit() as other:
            other.apply("stock", take_one)
        with pytest.raises(LookupError, match="sold out"):
            client.release(session)
        assert self.stored(client) == {"stock": 0}

    def test_what_it_raises_at_once_changes_nothing(self) -> None:
        """Law 4: if the function raises in `apply`, the value is unchanged: it was given a copy."""
        session = self.visitor({"cart": ["tea"]}).start()
        assert session["cart"] == ["tea"]
        with pytest.raises(LookupError):
            session.apply("cart", spoil)
        assert session["cart"] == ["tea"]


def take_one(stock: int) -> int:
    """Return one less than `stock`; raise LookupError if it is 0."""
    if stock == 0:
        raise LookupError("sold out")
    return stock - 1


def spoil(cart: list[str]) -> list[str]:
    """Change the list in place, and then fail."""
    cart.clear()
    raise LookupError
