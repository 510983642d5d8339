"""The session by itself: its mapping, its intents, what it refuses."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sojourn import (
    ConfigError,
    EncodeError,
    Manager,
    NotFresh,
    Release,
    ReleaseOutcome,
    Session,
    SessionError,
    SessionReleased,
    SessionTooLarge,
    StoreError,
    StoreUnavailable,
)
from sojourn.providers.memory import MemoryProvider
from sojourn.record import Changes, Outcome, Record
from sojourn.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def manager(clock: FakeClock) -> Manager:
    return Manager("memory", clock=clock)


def headers(release: Release | None) -> dict[str, str]:
    assert release is not None
    assert release.token is not None
    return {"Cookie": f"session={release.token}"}


@pytest.fixture
def cookie(manager: Manager) -> dict[str, str]:
    with manager.open({}) as session:
        session.update(name="ada", basket=["tea"], count=1)
    return headers(session.released)


def test_it_is_a_mapping(manager: Manager, cookie: dict[str, str]) -> None:
    session = manager.start(cookie)
    assert set(session) == {"name", "basket", "count"}
    assert len(session) == 3
    assert "name" in session
    assert "nobody" not in session
    assert session.get("nobody", 7) == 7
    assert session.pop("name") == "ada"
    assert "name" not in session
    assert session.setdefault("name", "bob") == "bob"
    session |= {"more": (1, 2)}
    assert dict(session) == {"name": "bob", "basket": ["tea"], "count": 1, "more": (1, 2)}
    del session["more"]
    session.clear()
    assert dict(session) == {}
    with pytest.raises(KeyError):
        session["name"]
    with pytest.raises(KeyError):
        del session["name"]
    with pytest.raises(KeyError):
        session.popitem()


def test_its_repr_shows_neither_data_nor_token(manager: Manager, cookie: dict[str, str]) -> None:
    session = manager.start(cookie)
    assert session["name"] == "ada"
    assert repr(session) == f"<Session {session.id} user=None>"
    assert repr(manager.start({})) == "<Session new user=None>"


def test_times(manager: Manager, cookie: dict[str, str], clock: FakeClock) -> None:
    began = clock()
    clock.advance(100)
    session = manager.start(cookie)
    assert (session.created_at, session.seen_at) == (began, began)
    assert session.expires_at == began + 3600
    session.set_lifetime(timedelta(minutes=10))
    assert session.expires_at == clock() + 600
    new = manager.start({})
    assert (new.created_at, new.seen_at, new.expires_at) == (clock(), clock(), clock() + 3600)
    assert new.is_new
    assert not session.is_new


def test_the_id_to_come(manager: Manager, cookie: dict[str, str]) -> None:
    session = manager.start(cookie)
    before = session.id
    session.regenerate_id()
    after = session.id
    assert after != before
    assert after[:2] == before[:2]
    assert manager.release(session).outcome is ReleaseOutcome.RENEWED
    assert [info.id for info in manager.sessions()] == [after]
    new = manager.start({})
    coming = new.id
    new["a"] = 1
    manager.release(new)
    assert coming in [info.id for info in manager.sessions()]


def test_require_fresh(manager: Manager, clock: FakeClock) -> None:
    session = manager.start({})
    with pytest.raises(NotFresh):
        session.require_fresh(60)
    session.login("ada")
    assert session.authenticated_at == clock()
    session.require_fresh(60)
    clock.advance(60)
    session.require_fresh(timedelta(minutes=1))
    clock.advance(1)
    with pytest.raises(NotFresh):
        session.require_fresh(60)


@pytest.mark.parametrize("user", [None, 7, "", "a" * 256, "ä" * 128, "a\0b", "\ud800", b"ada"])
def test_users_that_are_refused(manager: Manager, user: Any) -> None:
    session = manager.start({})
    with pytest.raises(EncodeError, match="the user"):
        session.login(user)
    assert session.user is None


def test_about_is_small_and_text(manager: Manager) -> None:
    session = manager.start({})
    for about in ({"device": 7}, {7: "device"}, {"device": "\ud800"}):
        with pytest.raises(EncodeError, match="about"):
            session.login("ada", about=about)  # type: ignore[arg-type]
    with pytest.raises(SessionTooLarge, match="2048"):
        session.login("ada", about={"device": "x" * 2048})
    session.login("ada", about={"device": "Firefox"})
    manager.release(session)
    assert [info.about for info in manager.sessions("ada")] == [{"device": "Firefox"}]


def test_signing_in_keeps_an_anonymous_visitors_data(
    manager: Manager, cookie: dict[str, str]
) -> None:
    with manager.open(cookie) as session:
        session.login("ada")
    with manager.open(headers(session.released)) as again:
        assert again.user == "ada"
        assert again["basket"] == ["tea"]
        again.login("ada", keep=False)
    assert dict(manager.start(headers(again.released))) == {}


def test_signing_in_as_another_drops_what_was_the_others(
    manager: Manager, cookie: dict[str, str]
) -> None:
    with manager.open(cookie) as session:
        session.login("ada", remember=timedelta(days=20))
    with manager.open(headers(session.released)) as other:
        other.login("bob")
        other["mine"] = 1
    bob = manager.start(headers(other.released))
    assert (bob.user, dict(bob)) == ("bob", {"mine": 1})
    assert bob.expires_at == bob.seen_at + 3600


def test_signing_in_again_gives_a_new_token_and_ends_the_old_one(
    manager: Manager, cookie: dict[str, str], clock: FakeClock
) -> None:
    """Confirming a password is a sign-in, too (ASVS 7.2.4)."""
    with manager.open(cookie) as session:
        session.login("ada")
    before = headers(session.released)
    clock.advance(60)
    with manager.open(before) as again:
        again.login("ada")
    after = headers(again.released)
    assert after != before
    assert (manager.start(before).user, dict(manager.start(before))) == (None, {})
    assert manager.start(after).authenticated_at == clock()
    assert [info.id for info in manager.sessions("ada")] == [again.id]


def test_an_end_and_a_sign_in_begin_a_new_absolute_lifetime(
    manager: Manager, cookie: dict[str, str], clock: FakeClock
) -> None:
    """A sign-in alone extends none: what counts is when the session began."""
    with manager.open(cookie) as session:
        session.login("ada")
    clock.advance(3000)
    with manager.open(headers(session.released)) as again:
        data = again.copy()
        again.destroy()
        again.login("ada")
        again.update(data)
    fresh = manager.start(headers(again.released))
    assert (fresh.created_at, fresh.user) == (clock(), "ada")
    assert dict(fresh) == data
    assert manager.active_count() == 1


@pytest.mark.parametrize("sent", [{}, {"Cookie": f"session={'A' * 43}"}], ids=["none", "unknown"])
def test_signing_out_without_a_session_leaves_no_trace(
    manager: Manager, sent: dict[str, str]
) -> None:
    for _ in range(10):
        with manager.open(sent) as session:
            session.logout()
        assert session.released is not None
        assert [name for name, _ in session.released.headers if name == "Set-Cookie"] == []
    assert manager.active_count() == 0


def test_a_log_of_events_tells_the_life_of_a_session_by_its_ids(clock: FakeClock) -> None:
    told: list[tuple[str, str | None]] = []
    manager = Manager("memory", clock=clock, on_event=lambda *event: told.append(event))
    with manager.open({}) as first:
        first["a"] = 1
    with manager.open(headers(first.released)) as second:
        began = second.id
        second.login("ada")
    with manager.open(headers(second.released)) as third:
        third.logout()
    with manager.open({}) as other:
        other["a"] = 1
    clock.advance(3600)
    assert manager.start(headers(other.released)).is_new
    assert told == [
        ("created", began),
        ("renewed", second.id),
        ("destroyed", second.id),
        ("created", other.id),
        ("expired", other.id),
    ]


def test_remember_outlives_the_browser(manager: Manager, clock: FakeClock) -> None:
    with manager.open({}) as session:
        session.login("ada", remember=86400)
    assert session.released is not None
    assert "Max-Age=86400" in session.released.headers[0][1]
    clock.advance(80000)
    assert manager.start(headers(session.released)).user == "ada"


def test_a_lifetime_above_the_absolute_one_is_refused(manager: Manager) -> None:
    with pytest.raises(ConfigError, match="lifetime=2678400: give at most absolute_lifetime"):
        manager.start({}).set_lifetime(31 * 86400)
    with pytest.raises(ConfigError, match="remember=2678400: give at most absolute_lifetime"):
        manager.start({}).login("ada", remember=31 * 86400)


@pytest.mark.parametrize(
    "seconds",
    [0, -1, 2e11, 10**400, float("inf"), float("nan"), timedelta.max, "60", True],
    ids=repr,
)
def test_lifetimes_that_no_store_can_keep_are_refused(seconds: Any) -> None:
    """As in the configuration, and before anything of the session is changed."""
    session = Manager("memory", absolute_lifetime=None).start({})
    with pytest.raises(
        ConfigError, match=r"lifetime=.*: give more than 0 and at most 1e10 seconds"
    ):
        session.set_lifetime(seconds)
    with pytest.raises(
        ConfigError, match=r"remember=.*: give more than 0 and at most 1e10 seconds"
    ):
        session.login("ada", remember=seconds)
    assert session.user is None
    assert session.lifetime == 3600


@pytest.mark.parametrize("seconds", [-1, float("nan"), "600", None])
def test_a_freshness_that_is_no_duration_is_refused(manager: Manager, seconds: Any) -> None:
    """No sign-in is older than nan seconds: that must not pass for a fresh one."""
    session = manager.start({})
    session.login("ada")
    with pytest.raises(ConfigError, match=r"require_fresh=.*: give 0 or more"):
        session.require_fresh(seconds)


def test_what_is_changed_after_the_release_raises(manager: Manager, cookie: dict[str, str]) -> None:
    session = manager.start(cookie)
    manager.release(session)
    changes: list[Any] = [
        lambda: session.update(a=1),
        lambda: session.pop("name"),
        session.clear,
        session.destroy,
        session.logout,
        session.regenerate_id,
        lambda: session.login("ada"),
        lambda: session.apply("count", abs),
        lambda: session.set_lifetime(60),
    ]
    for change in changes:
        with pytest.raises(SessionReleased, match="released"):
            change()
    assert session["name"] == "ada"
    with pytest.raises(SessionReleased):
        manager.release(session)


def test_a_value_of_no_known_type_is_named_at_the_assignment(manager: Manager) -> None:
    session = manager.start({})
    with pytest.raises(EncodeError, match=r"session\['x'\].*object"):
        session["x"] = object()
    with pytest.raises(EncodeError):
        session[1.5] = 1
    with pytest.raises(EncodeError):
        session[True] = 1
    assert dict(session) == {}


def test_a_value_made_unstorable_in_place_is_named_at_the_release(
    manager: Manager, cookie: dict[str, str]
) -> None:
    session = manager.start(cookie)
    session["basket"].append(object())
    session["name"] = "bob"
    with pytest.raises(EncodeError, match=r"session\['basket'\].*object"):
        manager.release(session)
    assert manager.start(cookie)["name"] == "ada"


def test_by_its_id_it_has_no_client(manager: Manager, cookie: dict[str, str]) -> None:
    id = manager.start(cookie).id
    with manager.open_id(id) as session:
        with pytest.raises(SessionError, match="no client"):
            session.login("ada")
        with pytest.raises(SessionError, match="no client"):
            session.regenerate_id()
        session["count"] += 1
    assert session.released == Release(ReleaseOutcome.SAVED, (("Vary", "Cookie"),))
    assert manager.start(cookie)["count"] == 2


def test_an_application_cannot_put_it_in_a_set(manager: Manager) -> None:
    session: Session = manager.start({})
    with pytest.raises(TypeError):
        {session}  # noqa: B018 - the error is what is asked for


# -- what a framework asks of it -------------------------------------------------------------------


def test_it_knows_whether_it_was_looked_at(manager: Manager, cookie: dict[str, str]) -> None:
    asked: list[Any] = [
        lambda s: s.get("name"),
        lambda s: "name" in s,
        len,
        list,
        lambda s: s.user,
        lambda s: s.id,
        lambda s: s.persistent,
        lambda s: s.lifetime,
        lambda s: s.clear(),
    ]
    for ask in asked:
        session = manager.start(cookie)
        assert (session.accessed, session.modified, bool(repr(session))) == (False, False, True)
        assert not session.accessed
        ask(session)
        assert session.accessed


DONE: list[Any] = [
    lambda s: s.update(name="bob"),
    lambda s: s["basket"].append("milk"),
    lambda s: s.pop("name"),
    lambda s: s.clear(),
    lambda s: s.apply("count", lambda n: n + 1),
    lambda s: s.setdefault("more", []),
    lambda s: s.login("ada"),
    lambda s: s.regenerate_id(),
    lambda s: s.set_lifetime(60),
    lambda s: s.destroy(),
]
NOT_DONE: list[Any] = [
    lambda s: s.update(name="ada"),
    lambda s: s["basket"].count("tea"),
    lambda s: s.pop("nobody", None),
    lambda s: s.update(basket=s["basket"]),
]


@pytest.mark.parametrize("work", DONE + NOT_DONE)
def test_it_knows_whether_a_release_would_store_something(
    manager: Manager, cookie: dict[str, str], work: Any
) -> None:
    session = manager.start(cookie)
    work(session)
    assert session.modified is (work in DONE)
    assert session.modified is (work in DONE)  # to ask changes nothing
    outcome = manager.release(session).outcome
    assert (outcome is not ReleaseOutcome.UNCHANGED) is (work in DONE)
    assert not session.modified


def test_a_new_one_is_modified_by_what_would_be_stored(manager: Manager) -> None:
    works: list[tuple[Any, bool]] = [
        (lambda s: s.update(a=1), True),
        (lambda s: s.login("ada"), True),
        (lambda s: s.set_lifetime(60), False),
        (lambda s: s.regenerate_id(), False),
        (lambda s: s.destroy(), False),
    ]
    for work, modified in works:
        session = manager.start({})
        work(session)
        assert session.modified is modified
        assert (manager.release(session).outcome is ReleaseOutcome.CREATED) is modified


def test_a_retired_one_is_modified_by_a_sign_in_alone(
    manager: Manager, cookie: dict[str, str]
) -> None:
    with manager.open(cookie) as session:
        session.regenerate_id()
    retired = manager.start(cookie)
    retired["a"] = 1
    assert not retired.modified
    retired.login("ada")
    assert retired.modified


def test_lifetime_and_persistence(
    manager: Manager, cookie: dict[str, str], clock: FakeClock
) -> None:
    session = manager.start(cookie)
    assert (session.lifetime, session.persistent) == (3600, False)
    session.set_lifetime(60, persistent=True)
    manager.release(session)
    clock.advance(30)
    session = manager.start(cookie)
    assert (session.lifetime, session.persistent) == (60, True)
    assert session.expires_at - clock() == 30


def test_it_takes_on_a_class_with_more_words(manager: Manager, cookie: dict[str, str]) -> None:
    class Shopping(Session):
        __slots__ = ()

        @property
        def basket(self) -> list[str]:
            return self.setdefault("basket", [])  # type: ignore[no-any-return]

    session = manager.start(cookie)
    shopping = Shopping.adopt(session)
    assert shopping is session
    shopping.basket.append("milk")
    manager.release(shopping)
    assert manager.start(cookie)["basket"] == ["tea", "milk"]


# -- while a release is under way ------------------------------------------------------------------


class Meddling(MemoryProvider):
    """A store during whose writes another thread of the application goes on with the session."""

    def __init__(self) -> None:
        super().__init__()
        self.meddle: Callable[[], object] = lambda: None
        self.fault: StoreError | None = None

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        self.meddle()
        if self.fault is not None:
            raise self.fault
        return super().update(record, changes)


MEDDLINGS: list[Any] = [
    lambda s: s.update(name="late"),
    lambda s: s.pop("name"),
    lambda s: s.regenerate_id(),
    lambda s: s.login("eve"),
    lambda s: s.destroy(),
]


def changed_during_its_release(store: Meddling, meddling: Any) -> tuple[Manager, Release]:
    manager = Manager(store)
    with manager.open({}) as session:
        session["name"] = "ada"
    session = manager.start(headers(session.released))
    session["count"] = 1
    session.regenerate_id()

    def meddle() -> None:
        with pytest.raises(SessionReleased):
            meddling(session)

    store.meddle = meddle
    return manager, manager.release(session)


@pytest.mark.parametrize("meddling", MEDDLINGS)
def test_what_is_changed_during_the_release_raises(meddling: Any) -> None:
    """It could not be stored any more, and must not touch what is being stored."""
    manager, release = changed_during_its_release(Meddling(), meddling)
    assert dict(manager.start(headers(release))) == {"name": "ada", "count": 1}


def test_a_release_that_failed_is_the_last() -> None:
    """Nobody knows what came of it, so nothing may be added to it."""
    store = Meddling()
    store.fault = StoreUnavailable("down")
    with pytest.raises(StoreUnavailable):
        changed_during_its_release(store, MEDDLINGS[0])


def test_what_could_not_be_stored_can_be_mended(manager: Manager, cookie: dict[str, str]) -> None:
    session = manager.start(cookie)
    session["basket"].append(object())
    with pytest.raises(EncodeError):
        manager.release(session)
    session["basket"].pop()
    session["count"] = 2
    assert manager.release(session).outcome is ReleaseOutcome.SAVED


# -- what a traceback may show ---------------------------------------------------------------------


class Down(MemoryProvider):
    """A store that is down for a moment."""

    def read(self, id: str) -> Record | None:
        raise StoreUnavailable("down")


def test_a_traceback_with_local_variables_shows_no_token() -> None:
    """As debug pages and error trackers print them."""
    token = "A" * 43
    manager = Manager(Down())
    with pytest.raises(StoreUnavailable) as caught:
        manager.start({"Cookie": f"session={token}"})
    [*frames] = traceback.StackSummary.extract(
        traceback.walk_tb(caught.value.__traceback__.tb_next),  # type: ignore[union-attr]
        capture_locals=True,
    )
    shown = str([frame.locals for frame in frames])
    assert "<token>" in shown
    assert token not in shown


def test_a_record_shows_nothing_of_what_is_in_it() -> None:
    record = Record("ab", {b"key": b"secret"}, 1.0, 1.0, 2.0, "ada")
    changes = Changes(1.0, put={b"key": b"secret"}, expect={b"key": b"older secret"})
    assert "ada" in repr(record)
    assert "secret" not in repr((record, changes))


# -- giving a session up -------------------------------------------------------------------------


def test_a_discarded_session_stores_nothing() -> None:
    manager = Manager(MemoryProvider())
    session = manager.start({})
    session["a"] = 1
    release = manager.discard(session)
    assert release.outcome == "discarded"
    assert "Set-Cookie" not in dict(release.headers)
    assert manager.active_count() == 0
    with pytest.raises(SessionReleased):
        session["b"] = 1
    with pytest.raises(SessionReleased):
        manager.discard(session)


@pytest.mark.parametrize(
    ("work", "outcome", "stored"),
    [
        (lambda s: s.update(b=1), "saved", {"a": 1, "b": 1}),
        (lambda s: s.login("ada") or s.update(b=1), "discarded", {"a": 1}),
        (lambda s: s.regenerate_id(), "discarded", {"a": 1}),
        (lambda s: s.destroy(), "ended", None),
        (lambda s: s.destroy() or s.update(b=1), "ended", None),
        (lambda s: s.get("a"), "unchanged", {"a": 1}),
    ],
    ids=["changed", "signed in", "renewed", "ended", "ended and begun", "read"],
)
def test_an_answer_without_headers_hands_over_no_token(
    manager: Manager, work: Callable[[Session], object], outcome: str, stored: object
) -> None:
    """What needs a new token is not stored, and what needs none is."""
    with manager.open({}) as session:
        session["a"] = 1
    assert session.released is not None
    visitor = {"Cookie": f"session={session.released.token}"}
    session = manager.start(visitor)
    work(session)
    release = manager.release(session, headers=False)
    assert (release.outcome, release.token) == (outcome, None)
    after = manager.start(visitor)
    assert (None if after.is_new else dict(after)) == stored
    assert manager.active_count() == (stored is not None)


def test_a_new_visitor_gets_no_session_by_an_answer_without_headers(manager: Manager) -> None:
    session = manager.start({})
    session["a"] = 1
    assert manager.release(session, headers=False).outcome == "discarded"
    assert manager.active_count() == 0


def test_a_retired_visitor_signs_in_by_no_answer_without_headers(
    manager: Manager, cookie: dict[str, str]
) -> None:
    with manager.open(cookie) as session:
        session.login("ada")
    retired = manager.start(cookie)
    retired.login("ada")
    assert manager.release(retired, headers=False).outcome == "discarded"
    with manager.open_id(session.id) as job:
        job["lives"] = True


def test_a_key_that_cannot_be_written_out_is_named_by_its_type() -> None:
    session = Manager("memory").start({})
    with pytest.raises(EncodeError, match="of type int"):
        session[10**5000] = object()
    with pytest.raises(EncodeError, match="key of type int"):
        session["k"] = {10**5000: object()}


def test_during_an_outage_an_answer_without_headers_is_as_any_other() -> None:
    manager = Manager(Down(), on_outage="anonymous")
    session = manager.start({"Cookie": f"session={'A' * 43}"})
    session["a"] = 1
    assert manager.release(session, headers=False).outcome == "outage"


def test_a_session_that_is_too_large_already_may_shrink() -> None:
    """Its limit was lowered, say: nobody could make it smaller otherwise."""
    provider = MemoryProvider()
    with Manager(provider).open({}) as session:
        session.update(a="x" * 900, b="x" * 900)
    assert session.released is not None
    visitor = {"Cookie": f"session={session.released.token}"}
    manager = Manager(provider, max_size=1000)
    with manager.open(visitor) as session:
        session["a"] = "y" * 600
    session = manager.start(visitor)
    session["c"] = 1
    with pytest.raises(SessionTooLarge):
        manager.release(session)
    assert set(manager.start(visitor)) == {"a", "b"}
