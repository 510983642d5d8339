"""Laws 1 and 4: requests that assign values to a session and do not use it otherwise.

Such a request need not read its session.  A store that has the method `assign` takes the values in
one call.  With any other store, a Manager reads the session at the assignment, and an AsyncManager at
the release.  All must have the same result as a request that reads its session first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sojourn.errors import EncodeError, SessionTooLarge, StoreUnavailable
from sojourn.record import Assignment
from sojourn.release import ReleaseOutcome
from sojourn.testing._subject import Client, Subject, bare

ONE_CALL, TWO_CALLS = ["assign"], ["read", "update"]


class Assignments(Subject):
    """What a session holds, and how long it lives, after values were assigned without reading it."""

    def both(self, **settings: Any) -> tuple[Client, Client]:
        """Return two clients with equal sessions, under managers with these settings."""
        manager = self.managed(**settings)
        return self.visitor({"a": 1, "b": 2}, manager), self.visitor({"a": 1, "b": 2}, manager)

    def assert_equal(self, client: Client, other: Client) -> None:
        """Compare the records of two clients, except for the ids."""
        records = [bare(self.store.read(one.id)) for one in (client, other)]
        assert None not in records
        first, second = (record and record._replace(id="") for record in records)
        assert first == second

    def test_assigning_costs_one_or_two_trips(self) -> None:
        """Law 1: a request that only assigns makes one call, or two as any change."""
        client = self.visitor({"a": 1, "b": 2})
        session = self.manager.start_lazily(client.headers)
        session["a"] = 7
        session.update(c=3)
        assert session.modified
        client.release(session)
        assert self.trips.taken() == (ONE_CALL if hasattr(self.trips, "assign") else TWO_CALLS)
        assert self.stored(client) == {"a": 7, "b": 2, "c": 3}

    def test_assigning_counts_as_seen(self) -> None:
        """Law 1: a request after it that never uses the session need not read it."""
        client = self.visitor({"a": 1})
        client.pass_by()
        self.clock.advance(60)
        session = self.manager.start_lazily(client.headers)
        session["a"] = 2
        client.release(session)
        self.trips.taken()
        self.clock.advance(59)
        client.pass_by()
        assert self.trips.taken() == []

    def test_an_assigned_value_may_be_changed(self) -> None:
        """Law 3: the value that is stored is the one at the time of the release."""
        client = self.visitor({"a": 1})
        session = self.manager.start_lazily(client.headers)
        session["cart"] = cart = ["tea"]
        cart.append("milk")
        client.release(session)
        assert self.stored(client) == {"a": 1, "cart": ["tea", "milk"]}

    def test_a_use_after_assigning_reads_the_session(self) -> None:
        """Law 3: what was assigned before the session was read is kept, and seen at once."""
        client = self.visitor({"a": 1, "b": 2})
        session = self.manager.start_lazily(client.headers)
        session["a"] = cart = ["tea"]
        self.call(session.load)
        assert self.trips.taken() == ["read"]
        assert session["a"] is cart
        assert dict(session) == {"a": ["tea"], "b": 2}
        del session["b"]
        client.release(session)
        assert self.stored(client) == {"a": ["tea"]}

    def test_a_refused_value_is_no_assignment(self) -> None:
        """Law 2: nothing is stored, as if the session had not been used."""
        client = self.visitor({"a": 1}, self.managed(touch_on="change"))
        before = self.store.read(client.id)
        self.clock.advance(60)
        session = client.manager.start_lazily(client.headers)
        with pytest.raises(EncodeError):
            session["b"] = object()
        assert not session.modified
        assert client.release(session).outcome is ReleaseOutcome.UNCHANGED
        assert self.store.read(client.id) == before

    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"touch_on": "change"},
            {"touch_interval": 0},
            {"cookie_lifetime": 600},
            {"absolute_lifetime": 200, "max_lifetime": 150},
        ],
        ids=["default", "touch-on-change", "always", "persistent", "absolute"],
    )
    def test_assigning_moves_the_times_as_any_change(self, settings: dict[str, Any]) -> None:
        """Law 8: "last seen", the expiry and the cookie are renewed as by a request that reads."""
        client, other = self.both(**settings)
        for number, seconds in enumerate((1, 58, 1, 1, 60, 20)):
            self.clock.advance(seconds)
            reading, assigning = client.start(), other.manager.start_lazily(other.headers)
            reading["n"] = assigning["n"] = number
            one, two = client.release(reading), other.release(assigning)
            assert one.outcome is two.outcome is ReleaseOutcome.SAVED
            assert [name for name, _ in one.headers] == [name for name, _ in two.headers]
            self.assert_equal(client, other)

    def test_assigning_keeps_a_lifetime_of_its_own(self) -> None:
        """Law 8: a session with a lifetime of its own is prolonged by that, and touched in time."""
        client, other = self.both()
        for each in (client, other):
            each.overlap(lambda s: s.set_lifetime(120, persistent=True), order=[0])
        for number in range(5):
            self.clock.advance(50 if number else 1)
            reading, assigning = client.start(), other.manager.start_lazily(other.headers)
            reading["n"] = assigning["n"] = number
            one, two = client.release(reading), other.release(assigning)
            assert [name for name, _ in one.headers] == [name for name, _ in two.headers]
            self.assert_equal(client, other)

    def test_assigning_keeps_the_user(self) -> None:
        """Law 6: the user of the session, and what is known about the sign-in, do not change."""
        client = self.client()
        with client.visit() as session:
            session.login("ada", about={"device": "phone"})
        self.clock.advance(60)
        session = self.manager.start_lazily(client.headers)
        session["a"] = 1
        client.release(session)
        [info] = self.manager.sessions("ada")
        assert (info.id, info.about) == (client.id, {"device": "phone"})
        assert info.seen_at == self.clock()

    @pytest.mark.parametrize("end", ["destroyed", "expired"])
    def test_assigning_to_an_ended_session_begins_a_new_one(self, end: str) -> None:
        """Law 5: the values begin a new session, under a new token and id."""
        client = self.visitor({"a": 1})
        ended = client.id
        session = self.manager.start_lazily(client.headers)
        if end == "expired":
            self.clock.advance(3600)
            session = self.manager.start_lazily(client.headers)
        else:
            self.managed().destroy(ended)  # as another process would
        session["b"] = 2
        assert client.release(session).outcome is ReleaseOutcome.CREATED
        assert client.id != ended
        assert self.stored(client) == {"b": 2}
        old = self.store.read(ended)
        assert old is None or b"b" not in b"".join(old.fields)

    def test_assigning_with_a_retired_token_stores_nothing(self) -> None:
        """Law 6: a request with a token that was replaced changes neither session nor cookie."""
        client = self.visitor({"a": 1})
        thief = client.twin()
        with client.visit() as session:
            session.regenerate_id()
        session = thief.manager.start_lazily(thief.headers)
        session["b"] = 2
        release = thief.release(session)
        assert release.outcome is ReleaseOutcome.RETIRED
        assert [name for name, _ in release.headers] == ["Vary"]
        assert self.stored(client) == {"a": 1}

    @pytest.mark.parametrize("size", [400, 1200], ids=["with-the-others", "by-itself"])
    def test_assigned_values_may_not_exceed_the_size(self, size: int) -> None:
        """Law 14: values that would make the session too large are refused, and nothing is stored."""
        client = self.visitor({"a": "x" * 500, "b": 1}, self.managed(max_size=800))
        session = client.manager.start_lazily(client.headers)
        session["b"] = 2
        session["c"] = "x" * size
        with pytest.raises(SessionTooLarge):
            client.release(session)
        assert self.stored(client) == {"a": "x" * 500, "b": 1}
        # The session was not sealed, so that an error page can still correct and store it.
        session["c"] = "x"
        client.release(session)
        assert self.stored(client) == {"a": "x" * 500, "b": 2, "c": "x"}

    def test_assigning_in_place_of_a_large_value(self) -> None:
        """Law 14: the size is that of the fields together, after the assignment."""
        client = self.visitor({"a": "x" * 700}, self.managed(max_size=800))
        for text in ("y" * 700, "z"):
            session = client.manager.start_lazily(client.headers)
            session["a"] = text
            client.release(session)
            assert self.stored(client) == {"a": text}

    def test_assigning_keeps_many_fields(self) -> None:
        """Law 4: the other fields remain, however many they are, and however many are assigned."""
        many: dict[str, Any] = {f"k{number}": number for number in range(300)}
        client = self.visitor(many)
        for values in ({"k7": "seven"}, {f"m{number}": number for number in range(6000)}):
            session = self.manager.start_lazily(client.headers)
            session.update(values)
            client.release(session)
            many |= values
            assert self.stored(client) == many

    def test_assigning_overlaps_with_other_changes(self) -> None:
        """Law 4: an assignment overrules its own key alone, whichever request is released first."""
        client = self.visitor({"a": 1, "cart": ["tea"]})
        reading, assigning = client.start(), self.manager.start_lazily(client.headers)
        reading["cart"].append("milk")
        reading["b"] = 2
        assigning["a"] = 3
        client.release(assigning)
        client.release(reading)
        assert self.stored(client) == {"a": 3, "b": 2, "cart": ["tea", "milk"]}

    def test_assigning_without_headers(self) -> None:
        """Law 5: a session that exists takes the values, also if no cookie could be sent."""
        client = self.visitor({"a": 1})
        session = self.manager.start_lazily(client.headers)
        session["b"] = 2
        assert self.manager.release(session, headers=False).outcome is ReleaseOutcome.SAVED
        session = self.manager.start_lazily({"Cookie": f"session={'A' * 43}"})
        session["b"] = 2
        assert self.manager.release(session, headers=False).outcome is ReleaseOutcome.DISCARDED

    def test_assigned_values_may_be_discarded(self) -> None:
        """Law 1: values that the application discards are not stored."""
        client = self.visitor({"a": 1})
        session = self.manager.start_lazily(client.headers)
        session["b"] = 2
        self.manager.discard(session)
        assert self.trips.taken() in ([], ["read"])
        assert self.stored(client) == {"a": 1}

    def test_assigning_in_an_outage_is_an_error(self) -> None:
        """Law 9: values that could not be stored fail the request."""
        client = self.visitor({"a": 1})
        session = self.manager.start_lazily(client.headers)
        session["b"] = 2
        self.call(self.break_store)
        with pytest.raises(StoreUnavailable):
            client.release(session)

    def test_assigning_in_an_outage_may_be_ignored(self) -> None:
        """Law 9: with `on_outage="anonymous"` the request goes on, and its values are lost."""
        client = self.visitor({"a": 1}, self.managed(on_outage="anonymous"))
        session = client.manager.start_lazily(client.headers)
        session["b"] = 2
        self.call(self.break_store)
        release = client.release(session)
        assert release.outcome is ReleaseOutcome.OUTAGE
        assert "Set-Cookie" not in dict(release.headers)

    @pytest.mark.parametrize("damage", ["whole", "field"])
    def test_assigning_to_damaged_data(self, damage: str) -> None:
        """Law 13: an unreadable record counts as absent; an unreadable field is left alone."""
        client = self.visitor({"a": 1})
        record = self.store.read(client.id)
        assert record is not None
        [name] = record.fields
        self.call(self.corrupt, client.id, *(() if damage == "whole" else (name,)))
        session = self.manager.start_lazily(client.headers)
        session["b"] = 2
        damaged = client.id
        client.release(session)
        assert (client.id == damaged) is (damage == "field")
        self.call((session := self.manager.start_lazily(client.headers)).load)
        assert session["b"] == 2

    def test_assigning_by_the_method_of_the_store(self) -> None:
        """`assign` returns the record without its fields, or None and stores nothing."""
        assign: Callable[[Assignment], Any] | None = getattr(self.store, "assign", None)
        if assign is None or not hasattr(self.trips, "assign"):
            self.not_applicable("assign")
        record, now = self.created(user="ada"), self.clock()
        values = Assignment(record.id, {b"c": b"3"}, now + 30, 60.0, 3600.0, None, 1000)
        assert bare(assign(values)) == record._replace(fields={})
        assert bare(self.store.read(record.id)) == record._replace(
            fields={**record.fields, b"c": b"3"}
        )
        later = values._replace(now=now + 60)
        assert bare(assign(later)) == record._replace(fields={}, seen=now + 60, expires=now + 3660)
        before = self.store.read(record.id)
        for refused in (
            values._replace(max_size=1),
            values._replace(id=self.record("other").id),
            values._replace(now=record.expires + 3600),
        ):
            assert assign(refused) is None
        assert self.store.read(record.id) == before
