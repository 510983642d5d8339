"""Law 9, faults of the store; law 13, corrupt data; and changes to a session after its release."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from sojourn.codec import encode_key
from sojourn.errors import (
    CorruptRecord,
    OutcomeUnknown,
    SessionReleased,
    StoreError,
    StoreUnavailable,
)
from sojourn.providers.base import Provider
from sojourn.record import Changes, Move, Outcome, Record
from sojourn.release import ReleaseOutcome
from sojourn.testing._interrupting import interrupted_whole_records
from sojourn.testing._subject import Subject, Work, bare, cookie_of, id_of

BOUND = 10.0
"""The maximum time in seconds that a failing call may take, since a request waits for it."""

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


MOST_STEPS = 200
"""A safety limit, higher than the number of calls that any provider method makes to its store."""


class Interruptions(Subject):
    """Provider methods during which one call to the store fails."""

    def fail_at(self, step: int, *, done: bool) -> Any:
        """Make the provider's call number `step` to its store fail, counted from 0.

        The calls are counted from the moment when this hook is called: 0 is the next one.

        done: the store carries out the call, and only its answer is lost.

        Returns a function that removes the fault and returns whether it occurred.  If a subclass
        does not define this hook, a provider derived from `CompareAndSwapProvider` or `AsyncCompareAndSwapProvider`
        fails in its `read`, `create` and `swap`.
        """
        takes_back = interrupted_whole_records(self.trips.provider, step, done=done)
        return takes_back or self.not_applicable("fail_at()")

    def interrupted(self, step: int, verb: Callable[[], Any], *, done: bool) -> tuple[bool, Any]:
        """Call a provider method with a fault at this step.

        Returns whether the fault occurred, and the result of the method or the StoreError it
        raised.
        """
        take_back = self.call(partial(self.fail_at, step, done=done))
        try:
            result = verb()
        except StoreError as error:
            result = error
        finally:
            happened = take_back()
        return happened, result

    def living(self) -> list[tuple[str, str | None]]:
        """Return id and user of every living session; check that `find` and `count` agree."""
        found = sorted((one.id, one.user) for one in self.store.find(None, self.clock()))
        for user in ("ada", "bob"):
            ids = [one.id for one in self.store.find(user, self.clock())]
            assert sorted(ids) == [id for id, whose in found if whose == user]
        assert self.store.count(self.clock()) == len(found)
        return found

    @pytest.mark.parametrize("answer", ["refused", "lost"])
    def test_a_move_that_is_interrupted_leaves_one_session(self, answer: str) -> None:
        """Laws 5 and 11: an interrupted move leaves one session, either the old one or the new one.

        StoreUnavailable means that the old one is unchanged: a sign-in that was refused must not
        leave a session of that user.  OutcomeUnknown allows either of the two.
        """
        # The number of calls depends on the provider: each round fails one call later, until a
        # round completes without reaching its fault.
        for step in range(MOST_STEPS):
            old = self.created(f"old {step}", "ada")
            new = id_of(f"new {step}")
            move = Move(new, "bob", self.clock(), None, self.clock() + 10)
            update = partial(self.store.update, old, Changes(self.clock(), move=move))
            happened, result = self.interrupted(step, update, done=answer == "lost")
            before, after = [(old.id, "ada")], [(new, "bob")]
            if isinstance(result, OutcomeUnknown):
                assert self.living() in (before, after)
            elif isinstance(result, StoreUnavailable):
                assert self.living() == before
                assert self.stands(old.id) == bare(old)
            else:
                assert result is Outcome.APPLIED
                assert self.living() == after
            if not happened:
                return
            self.store.destroy(old.id)
            self.store.destroy(new)
        raise AssertionError(f"a move makes more than {MOST_STEPS} calls")

    @pytest.mark.parametrize("answer", ["refused", "lost"])
    @pytest.mark.parametrize("verb", ["create", "update", "destroy"])
    def test_an_interrupted_verb_says_rightly_what_happened(self, verb: str, answer: str) -> None:
        """Law 9: the result or the error of an interrupted method is true.

        StoreUnavailable means that nothing was written.  OutcomeUnknown, after which either state
        is possible, is only for a provider that cannot find out.  A normal result means that all
        was written.
        """
        for step in range(MOST_STEPS):
            record = self.record(f"one {step}", "ada")
            call, before, after = self._verb(verb, record)
            if before is not None:
                self.store.create(before)
            happened, result = self.interrupted(step, call, done=answer == "lost")
            possible = [bare(after)]
            if isinstance(result, OutcomeUnknown):
                possible.append(bare(before))
            elif isinstance(result, StoreError):
                possible = [bare(before)]
            assert self.stands(record.id) in possible
            if not happened:
                return
            self.store.destroy(record.id)
        raise AssertionError(f"{verb} makes more than {MOST_STEPS} calls")

    def _verb(
        self, verb: str, record: Record
    ) -> tuple[Callable[[], Any], Record | None, Record | None]:
        """Return a call of this method, and the records stored before and after it."""
        if verb == "create":
            return partial(self.store.create, record), None, record
        if verb == "destroy":
            return partial(self.store.destroy, record.id), record, None
        changed = record._replace(fields={**record.fields, b"a": b"9"})
        changes = Changes(self.clock(), put={b"a": b"9"})
        return partial(self.store.update, record, changes), record, changed


class Outages(Interruptions):
    """A store that is unavailable."""

    @pytest.mark.parametrize("verb", VERBS)
    def test_an_outage_is_an_error(self, verb: str) -> None:
        """Law 9: during an outage every method raises StoreUnavailable, within `BOUND` seconds.

        It must never answer that the session does not exist.
        """
        record = self.created(user="ada")
        self.call(self.break_store)
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            VERBS[verb](self.store, record)
        assert time.monotonic() - began < BOUND

    @pytest.mark.parametrize("verb", VERBS)
    def test_a_provider_that_is_new_to_an_outage_says_the_same(self, verb: str) -> None:
        """Law 9: a provider without an open connection raises StoreUnavailable, too."""
        # Opened before the outage, but never used, so it may have no connection yet.
        other, _ = self.opened(self.call(self.again))
        record = self.created(user="ada")
        self.call(self.break_store)
        with pytest.raises(StoreUnavailable):
            VERBS[verb](other, record)
        other.close()

    def test_a_request_fails_while_the_store_is_down(self) -> None:
        """Law 9: during an outage a request fails at its start or release, and keeps its cookie."""
        client = self.visitor({"a": 1})
        # One request with a stored session and one of a new visitor, so that both an update and a
        # creation fail.
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

    def test_a_session_that_could_not_be_read_fails_its_request(self) -> None:
        """Law 9: if the first use of a session fails, so do all later ones, and the release.

        Only the first one asks the store, for each attempt may take as long as the time limit.  A
        request that never uses its session needs no store.
        """
        client = self.visitor({"a": 1})
        client.pass_by()
        used = self.manager.start_lazily(client.headers)
        unused = self.manager.start_lazily(client.headers)
        self.call(self.break_store)
        self.trips.taken()
        for fail in (lambda: self.call(used.load), lambda: len(used), lambda: client.release(used)):
            with pytest.raises(StoreUnavailable):
                fail()
        assert self.trips.taken() == ["read"]
        assert client.release(unused).outcome is ReleaseOutcome.UNCHANGED
        assert self.trips.taken() == []

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
        """Law 9: with `on_outage="anonymous"` a request runs without a session during an outage.

        It stores nothing, sets and deletes no cookie, and gets no new id.
        """
        client = self.visitor({"a": 1, "b": 2}, self.managed(on_outage="anonymous"))
        token = client.token
        session = client.start()
        self.call(self.break_store)
        # The outage can begin between the start and the release of a request, or before its start.
        if began == "during":
            session = client.start()
            assert dict(session) == {}
        work(session)
        release = client.release(session)
        assert release.outcome is ReleaseOutcome.OUTAGE
        assert cookie_of(release) is None
        assert client.token == token

    def test_a_visitor_may_go_on_without_a_session(self) -> None:
        """Law 9: with `on_outage="anonymous"` a new visitor gets no token during an outage.

        The data that the request put into the session is lost.
        """
        client = self.client(self.managed(on_outage="anonymous"))
        self.call(self.break_store)
        with client.visit() as session:
            session.login("ada")
        assert session.released is not None
        assert session.released.outcome is ReleaseOutcome.OUTAGE
        assert (client.token, session.released.token) == (None, None)


class Corruption(Subject):
    """Stored data that cannot be read."""

    def test_an_unreadable_frame_is_an_error_of_read(self) -> None:
        """Law 13: `read` raises CorruptRecord with the id; other records are not affected."""
        lives, record = self.created("lives"), self.created()
        self.call(self.corrupt, record.id)
        with pytest.raises(CorruptRecord) as caught:
            self.store.read(record.id)
        assert caught.value.id == record.id
        assert self.stands(lives.id) == bare(lives)

    def test_an_unreadable_frame_is_passed_by(self) -> None:
        """Law 13: `find` skips a record that cannot be read, and continues with the others.

        `count` may include it, because a store may count by its expiry index without reading
        records.
        """
        ids = [self.created(str(number), "ada").id for number in range(5)]
        self.call(self.corrupt, ids[2])
        alive = sorted({*ids} - {ids[2]})
        for user in ("ada", None):
            assert sorted(found.id for found in self.store.find(user, self.clock())) == alive
        assert self.store.count(self.clock()) in (4, 5)  # it may go by the times alone

    def test_an_unreadable_frame_is_swept(self) -> None:
        """Law 13: `gc` deletes a record that cannot be read once it expires; living ones are kept.

        The expiry must be known from outside the record, for example from a column or a file time.
        """
        record = self.created(user="ada", expires=self.clock() + 60)
        lives = self.created("lives", "ada", expires=self.clock() + 7200)
        self.call(self.corrupt, record.id)
        # The corrupt record has expired by now, and the other one has not.
        self.clock.advance(3600)
        assert self.store.gc(self.clock(), 10) == 1
        assert self.store.read(record.id) is None
        assert self.store.count(self.clock()) == 1
        assert [found.id for found in self.store.find("ada", self.clock())] == [lives.id]

    def test_the_manager_treats_an_unreadable_frame_as_absent(self) -> None:
        """Law 13: the manager reports a record that cannot be read, and treats it as absent.

        The client gets a new session with a new token.
        """
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
        """Law 13: a value that cannot be read raises CorruptRecord only when it is accessed.

        The other fields can be read and changed, and the corrupt bytes are kept as they are.
        """
        client = self.visitor({"cart": ["tea"], "a": 1})
        self.call(self.corrupt, client.id, encode_key("cart"))
        # Twice: writing another field must neither repair nor drop the corrupt one.
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
        """Law 13: a value that cannot be read can be replaced, deleted or cleared."""
        client = self.visitor({"cart": ["tea"], "a": 1})
        self.call(self.corrupt, client.id, encode_key("cart"))
        try:
            client.overlap(work, order=[0])
        except CorruptRecord:  # `pop` reads the value that it removes
            client.overlap(lambda s: s.__delitem__("cart"), order=[0])
        assert self.stored(client) == expected


class Releases(Subject):
    """A session object after its release, and a request that raises."""

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
        """Law 4: a change after the release raises SessionReleased, instead of being lost silently.

        By then the response may have begun, so the change could not be saved.
        """
        session = self.visitor({"a": 1}).start()
        self.manager.release(session)
        with pytest.raises(SessionReleased):
            work(session)

    def test_a_request_that_raised_saves_nothing(self) -> None:
        """Law 4: a request that raises stores nothing, and a `destroy` in it has no effect."""
        client = self.visitor({"a": 1})

        def handle() -> None:
            with self.manager.open(client.headers) as session:
                session["a"] = 2
                session.destroy()
                raise LookupError

        with pytest.raises(LookupError):
            handle()
        assert self.stored(client) == {"a": 1}
