"""Law 9, faults are errors; law 13, corrupt data; and what happens while the store is down."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from sojourn.codec import encode_key
from sojourn.errors import CorruptRecord, SessionReleased, StoreUnavailable
from sojourn.providers.base import Provider
from sojourn.record import Changes, Record
from sojourn.release import ReleaseOutcome
from sojourn.testing._subject import Subject, Work, bare, cookie_of, id_of

BOUND = 10.0
"""Seconds within which a verb must have given up: a request waits for it."""

VERBS: dict[str, Callable[[Provider, Record], object]] = {
    "read": lambda store, record: store.read(record.id),
    "read absent": lambda store, _: store.read(id_of("never")),
    "create": lambda store, record: store.create(record._replace(id=id_of("new"))),
    "update": lambda store, record: store.update(record, Changes(record.seen, put={b"a": b"9"})),
    "destroy": lambda store, record: store.destroy(record.id),
    "find": lambda store, record: list(store.find(None, record.seen)),
    "find a user's": lambda store, record: list(store.find("ada", record.seen)),
    "count": lambda store, record: store.count(record.seen),
    "gc": lambda store, record: store.gc(record.seen, 10),
}


class Outages(Subject):
    """A store that is down."""

    @pytest.mark.parametrize("verb", VERBS)
    def test_an_outage_is_an_error(self, verb: str) -> None:
        """Law 9: never "not found", and within a bounded time."""
        record = self.created(user="ada")
        self.call(self.break_store)
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            VERBS[verb](self.store, record)
        assert time.monotonic() - began < BOUND

    @pytest.mark.parametrize("verb", VERBS)
    def test_a_provider_that_is_new_to_an_outage_says_the_same(self, verb: str) -> None:
        """Law 9: it has no connection yet that could break."""
        other, _ = self.opened(self.call(self.again))
        record = self.created(user="ada")
        self.call(self.break_store)
        with pytest.raises(StoreUnavailable):
            VERBS[verb](other, record)
        other.close()

    def test_a_request_fails_while_the_store_is_down(self) -> None:
        """Law 9: at its start, or at its release, and the client keeps its cookie."""
        client = self.visitor({"a": 1})
        session, visitor = client.start(), self.client().start()
        session["a"] = 2
        visitor["a"] = 3
        self.call(self.break_store)
        for fail in (
            client.start,
            lambda: client.release(session),
            lambda: client.release(visitor),
            self.manager.active_count,
            self.manager.check,
            lambda: self.manager.destroy(client.id),
        ):
            with pytest.raises(StoreUnavailable):
                fail()

    @pytest.mark.parametrize(
        "work",
        [
            lambda s: s.update(a=9),
            lambda s: s.login("ada"),
            lambda s: s.regenerate_id(),
            lambda s: s.destroy(),
            lambda s: s.clear(),
        ],
        ids=["change", "login", "regenerate", "destroy", "clear"],
    )
    @pytest.mark.parametrize("began", ["before", "during"])
    def test_a_request_may_go_on_without_a_session(self, work: Work, began: str) -> None:
        """Law 9: it stores nothing, sets and deletes no cookie, and gives no new id."""
        client = self.visitor({"a": 1, "b": 2}, self.managed(on_outage="anonymous"))
        token = client.token
        session = client.start()
        self.call(self.break_store)
        if began == "during":
            session = client.start()
            assert dict(session) == {}
        work(session)
        release = client.release(session)
        assert release.outcome is ReleaseOutcome.OUTAGE
        assert cookie_of(release) is None
        assert client.token == token

    def test_a_visitor_may_go_on_without_a_session(self) -> None:
        """Law 9: what they put is lost, and they are told no token."""
        client = self.client(self.managed(on_outage="anonymous"))
        self.call(self.break_store)
        with client.visit() as session:
            session.login("ada")
        assert session.released is not None
        assert session.released.outcome is ReleaseOutcome.OUTAGE
        assert (client.token, session.released.token) == (None, None)


class Corruption(Subject):
    """Data that nobody can read."""

    def test_an_unreadable_frame_is_an_error_of_read(self) -> None:
        """Law 13: of this one record, named by its id."""
        lives, record = self.created("lives"), self.created()
        self.call(self.corrupt, record.id)
        with pytest.raises(CorruptRecord) as caught:
            self.store.read(record.id)
        assert caught.value.id == record.id
        assert self.stands(lives.id) == bare(lives)

    def test_an_unreadable_frame_is_passed_by(self) -> None:
        """Law 13: by find and count, which go on to the others."""
        ids = [self.created(str(number), "ada").id for number in range(5)]
        self.call(self.corrupt, ids[2])
        alive = sorted({*ids} - {ids[2]})
        for user in ("ada", None):
            assert sorted(found.id for found in self.store.find(user, self.clock())) == alive
        assert self.store.count(self.clock()) in (4, 5)  # it may go by the times alone

    def test_an_unreadable_frame_is_swept(self) -> None:
        """Law 13: by the store's own time, which is all there is; the living stay."""
        record = self.created(user="ada", expires=self.clock() + 60)
        lives = self.created("lives", "ada", expires=self.clock() + 7200)
        self.call(self.corrupt, record.id)
        self.clock.advance(3600)
        assert self.store.gc(self.clock(), 10) == 1
        assert self.store.read(record.id) is None
        assert self.store.count(self.clock()) == 1
        assert [found.id for found in self.store.find("ada", self.clock())] == [lives.id]

    def test_the_manager_treats_an_unreadable_frame_as_absent(self) -> None:
        """Law 13: and reports it; the client gets a session of its own."""
        client = self.visitor({"a": 1})
        token, id = client.token, client.id
        self.call(self.corrupt, id)
        with client.visit() as session:
            assert session.is_new
            session["b"] = 2
        assert ("corrupt", id) in self.events
        assert client.token != token
        assert self.stored(client) == {"b": 2}

    def test_an_unreadable_field_leaves_the_others_alone(self) -> None:
        """Law 13: it raises when it is asked for, and is kept as it is."""
        client = self.visitor({"cart": ["tea"], "a": 1})
        self.call(self.corrupt, client.id, encode_key("cart"))
        for number in range(2):
            with client.visit() as session:
                assert "cart" in session
                assert session["a"] == 1 + number
                with pytest.raises(CorruptRecord, match="cart"):
                    session["cart"]
                session["a"] += 1

    @pytest.mark.parametrize(
        ("work", "expected"),
        [
            (lambda s: s.update(cart=["milk"]), {"a": 1, "cart": ["milk"]}),
            (lambda s: s.pop("cart", None), {"a": 1}),
            (lambda s: s.clear() or s.update(a=1), {"a": 1}),
        ],
        ids=["assigned", "deleted", "cleared"],
    )
    def test_an_unreadable_field_can_be_replaced(self, work: Work, expected: object) -> None:
        """Law 13: on purpose."""
        client = self.visitor({"cart": ["tea"], "a": 1})
        self.call(self.corrupt, client.id, encode_key("cart"))
        try:
            client.overlap(work, order=[0])
        except CorruptRecord:  # to pop is to ask for the value
            client.overlap(lambda s: s.__delitem__("cart"), order=[0])
        assert self.stored(client) == expected


class Releases(Subject):
    """After the release."""

    @pytest.mark.parametrize(
        "work",
        [
            lambda s: s.update(a=2),
            lambda s: s.pop("a"),
            lambda s: s.clear(),
            lambda s: s.apply("a", str),
            lambda s: s.login("ada"),
            lambda s: s.regenerate_id(),
            lambda s: s.destroy(),
            lambda s: s.set_lifetime(60),
        ],
    )
    def test_what_is_changed_too_late_is_refused(self, work: Work) -> None:
        """The response has begun: nothing could be saved, and nothing is lost in silence."""
        session = self.visitor({"a": 1}).start()
        self.manager.release(session)
        with pytest.raises(SessionReleased):
            work(session)

    def test_a_request_that_raised_saves_nothing(self) -> None:
        """Its intents included."""
        client = self.visitor({"a": 1})

        def handle() -> None:
            with self.manager.open(client.headers) as session:
                session["a"] = 2
                session.destroy()
                raise LookupError

        with pytest.raises(LookupError):
            handle()
        assert self.stored(client) == {"a": 1}
