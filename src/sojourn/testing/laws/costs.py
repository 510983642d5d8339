"""Law 1: the number of calls to the store that each kind of request makes.

"Trip" means one call of a provider method, usually one round trip over the network.
"""

from __future__ import annotations

import pytest

from sojourn.record import Changes
from sojourn.testing._subject import UNKNOWN, Subject, Work

MALFORMED = ["", "x", "A" * 42, "A" * 44, "A" * 42 + "B", "A" * 42 + "=", "..%2F" + "A" * 38, "é"]


class Costs(Subject):
    """Which provider methods a request calls, and how often."""

    def test_a_request_without_a_token_costs_nothing(self) -> None:
        """Law 1: a request without a token that only reads makes no call to the store."""
        client = self.client()
        with client.visit() as session:
            assert session.get("a") is None
        assert self.trips.taken() == []

    @pytest.mark.parametrize("token", MALFORMED)
    def test_a_malformed_token_costs_nothing(self, token: str) -> None:
        """Law 1: a malformed token is never looked up, so invalid input costs nothing."""
        with self.manager.open({"Cookie": f"session={token}"}) as session:
            assert len(session) == 0
        assert self.trips.taken() == []

    def test_reading_costs_one_trip(self) -> None:
        """Law 1: a request that only reads makes one call, the read at its start."""
        client = self.visitor({"a": 1, "cart": ["tea"]})
        with client.visit() as session:
            assert session["a"] == 1
            assert session["cart"] == ["tea"]
        assert self.trips.taken() == ["read"]

    def test_an_unused_session_costs_nothing_while_it_was_seen_lately(self) -> None:
        """Law 1: a request that never uses its session makes no call, unless a touch may be due.

        The first such request in a process reads the session, since the process does not know when
        it was last seen.  After one touch interval, a request reads and touches it.
        """
        client = self.visitor({"a": 1})
        for trips in ([["read"], [], []], [["read", "update"], [], []]):
            for expected in trips:
                assert client.pass_by().headers == ()
                assert self.trips.taken() == expected
                self.clock.advance(20)
        # A request that used the session counts, too: no other one has to read it after that.
        self.clock.advance(60)
        with client.visit() as session:
            assert session["a"] == 1
        assert self.trips.taken() == ["read", "update"]
        self.clock.advance(59)
        client.pass_by()
        assert self.trips.taken() == []

    def test_a_session_is_read_once_when_it_is_first_used(self) -> None:
        """Law 1: a request that put off reading its session makes no more calls than another."""
        client = self.visitor({"a": 1, "b": 2})
        session = self.manager.start_lazily(client.headers)
        assert not session.accessed
        assert not session.modified
        assert repr(session) == "<Session, not read yet>"
        assert self.trips.taken() == []
        self.call(session.load)
        session["a"] += 1
        assert session["b"] == 2
        assert self.trips.taken() == ["read"]
        client.release(session)
        assert self.trips.taken() == ["update"]
        assert self.stored(client) == {"a": 2, "b": 2}

    def test_a_session_that_ended_before_its_first_use_is_a_new_one(self) -> None:
        """Law 5: for a session that another process ends, a request begins when it reads it."""
        client = self.visitor({"a": 1})
        session = self.manager.start_lazily(client.headers)
        self.managed().destroy(client.id)
        self.call(session.load)
        assert session.is_new
        session["b"] = 2
        ended = client.id
        client.release(session)
        assert client.id != ended
        assert self.stored(client) == {"b": 2}

    def test_a_new_session_costs_one_trip(self) -> None:
        """Law 1: a new session makes one call, its creation."""
        with self.client().visit() as session:
            session["a"] = 1
            session["b"] = 2
        assert self.trips.taken() == ["create"]

    @pytest.mark.parametrize(
        "work",
        [
            lambda s: s.update(a=2, b=3),
            lambda s: s["cart"].append("milk"),
            lambda s: s.apply("a", lambda value: value + 1),
            lambda s: s.pop("a"),
            lambda s: s.set_lifetime(60),
            lambda s: s.clear(),
        ],
        ids=["change", "in-place", "apply", "delete", "lifetime", "clear"],
    )
    def test_a_change_costs_two_trips(self, work: Work) -> None:
        """Law 1: a request that changes its session makes two calls, for any kind of change."""
        client = self.visitor({"a": 1, "cart": ["tea"]})
        with client.visit() as session:
            work(session)
        assert self.trips.taken() == ["read", "update"]

    def test_a_touch_costs_two_trips(self) -> None:
        """Law 1: a visit that extends its session makes two calls, a read and an update."""
        client = self.visitor({"a": 1})
        # One touch interval, so that the visit is written.
        self.clock.advance(60)
        with client.visit():
            pass
        assert self.trips.taken() == ["read", "update"]

    @pytest.mark.parametrize(
        "renew",
        [lambda s: s.regenerate_id(), lambda s: s.login("ada")],
        ids=["regenerate", "login"],
    )
    def test_a_new_id_with_changes_costs_two_trips(self, renew: Work) -> None:
        """Law 1: a new id costs no extra call.

        The move, the tombstone and the changes are sent as one update.
        """
        client = self.visitor({"a": 1})
        with client.visit() as session:
            session["a"] = 2
            renew(session)
            session["b"] = 3
        assert self.trips.taken() == ["read", "update"]

    def test_signing_in_a_new_visitor_costs_one_trip(self) -> None:
        """Law 1: a sign-in without a stored session makes one call: no record has to move."""
        with self.client().visit() as session:
            session.login("ada")
        assert self.trips.taken() == ["create"]

    def test_an_end_costs_two_trips(self) -> None:
        """Law 1: a request that ends its session makes two calls, a read and a destroy."""
        client = self.visitor({"a": 1})
        with client.visit() as session:
            session.destroy()
        assert self.trips.taken() == ["read", "destroy"]

    def test_an_end_and_a_new_beginning_cost_three_trips(self) -> None:
        """Law 1: a request that ends its session and begins another one makes three calls.

        The old session is destroyed first, so that a failure in between never leaves two sessions.
        """
        client = self.visitor({"a": 1})
        with client.visit() as session:
            session.destroy()
            session["b"] = 2
        assert self.trips.taken() == ["read", "destroy", "create"]
        assert self.stored(client) == {"b": 2}

    def test_of_many_cookies_eight_are_looked_up(self) -> None:
        """Law 1: at most eight session cookies of one request are looked up.

        A client that sends a hundred of them cannot cause a hundred reads.
        """
        # The malformed token does not count towards the eight.
        cookies = "; ".join(f"session={token}" for token in ("malformed", *UNKNOWN))
        assert len(self.manager.start({"Cookie": cookies})) == 0
        assert self.trips.taken() == ["read"] * 8

    def test_the_first_cookie_that_names_something_counts(self) -> None:
        """Law 1: the first cookie that names a session is used, and later ones are not looked up.

        A stale cookie in front of it, set for another path for example, does not hide the session.
        """
        first, second = self.visitor({"a": 1}), self.visitor({"a": 2})
        tokens = UNKNOWN[0], first.token, second.token
        cookies = "; ".join(f"session={token}" for token in tokens)
        assert dict(self.manager.start({"Cookie": cookies})) == {"a": 1}
        assert self.trips.taken() == ["read", "read"]

    def test_a_collision_costs_one_trip_more(self) -> None:
        """Law 4: when two requests change the same value, the second one needs one extra call.

        The refused update returns the stored record; the next update, with the merged value,
        succeeds.
        """
        client = self.visitor({"cart": []})
        add: Work = lambda s: s["cart"].append("tea")  # noqa: E731
        client.overlap(add, add, order=(0, 1))
        assert self.trips.taken() == ["read", "read", "update", "update", "update"]

    def test_changes_to_different_keys_do_not_collide(self) -> None:
        """Law 4: changes to different keys need no extra call.

        Neither does a touch that overlaps with a change.
        """
        client = self.visitor({"a": 1, "b": 1})
        self.clock.advance(60)
        # `len` only reads, so the third release is a touch.
        works: list[Work] = [lambda s: s.update(a=2), lambda s: s.update(b=2), len]
        client.overlap(*works, order=(0, 1, 2))
        assert self.trips.taken() == ["read"] * 3 + ["update"] * 3

    def test_an_update_sends_what_changed_alone(self) -> None:
        """Law 1: an update contains only the changed fields: it is small for large sessions."""
        client = self.visitor({"a": 1, "large": "x" * 10_000, "cart": [1]})
        with client.visit() as session:
            session["cart"].append(2)
            assert session["large"]
            # Neither the value that is read nor the one that is assigned unchanged may be sent.
            session["a"] = 1
        changes = self.trips.trips[-1].args[1]
        assert isinstance(changes, Changes)
        assert len(changes.put) == 1
