"""Decisions at their edges: taken ids, rivals without end, transports, what the client is told."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sojourn import (
    AsyncManager,
    Manager,
    Release,
    ReleaseOutcome,
    Session,
    SessionGone,
    StoreError,
    StoreUnavailable,
    _lifecycle,
)
from sojourn.codec import Codec, encode_key
from sojourn.providers.base import followed
from sojourn.providers.file import FileProvider
from sojourn.providers.memory import MemoryProvider
from sojourn.record import Changes, Outcome, Record
from sojourn.testing import FakeClock, Trips

CODEC = Codec()
LIST = encode_key("list")


def cookie(release: Release | None) -> dict[str, str]:
    assert release is not None
    assert release.token is not None
    return {"Cookie": f"session={release.token}"}


def names(release: Release | None) -> list[str]:
    assert release is not None
    return [name for name, _ in release.headers]


class Taken(MemoryProvider):
    """Says of the first few ids that something stands there."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times
        self.ids: list[str] = []

    def create(self, record: Record) -> bool:
        self.ids.append(record.id)
        return len(self.ids) > self.times and super().create(record)


def test_an_id_that_is_taken_is_given_up_for_another() -> None:
    provider = Taken(2)
    manager = Manager(provider)
    with manager.open({}) as session:
        session["a"] = 1
    assert len(set(provider.ids)) == 3
    assert dict(manager.start(cookie(session.released))) == {"a": 1}


def test_a_store_where_every_id_is_taken_is_out_of_order() -> None:
    manager = Manager(Taken(10))
    session = manager.start({})
    session["a"] = 1
    with pytest.raises(StoreError, match="3 new ids"):
        manager.release(session)


class Rivals(MemoryProvider):
    """Before each of the next updates somebody else appends to the list."""

    def __init__(self) -> None:
        super().__init__()
        self.rivals = 0
        self.ends = False

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        if self.rivals:
            self.rivals -= 1
            stands = self.read(record.id)
            assert stands is not None
            items = [*CODEC.decode(stands.fields[LIST]), "theirs"]
            super().update(stands, Changes(changes.now, put={LIST: CODEC.encode(items)}))
            if self.ends and not self.rivals:
                self.destroy(record.id)
        return super().update(record, changes)


@pytest.fixture
def rivals() -> Rivals:
    return Rivals()


@pytest.fixture
def manager(rivals: Rivals) -> Manager:
    return Manager(rivals)


@pytest.fixture
def visitor(manager: Manager) -> dict[str, str]:
    with manager.open({}) as session:
        session["list"] = []
    return cookie(session.released)


def test_a_release_goes_on_against_rivals(
    manager: Manager, rivals: Rivals, visitor: dict[str, str]
) -> None:
    session = manager.start(visitor)
    session["list"].append("mine")
    rivals.rivals = 12
    assert manager.release(session).outcome is ReleaseOutcome.SAVED
    stored = manager.start(visitor)["list"]
    assert stored.count("mine") == 1
    assert stored.count("theirs") == 12


def test_a_session_that_ends_while_a_release_pauses_stays_ended(
    manager: Manager, rivals: Rivals, visitor: dict[str, str]
) -> None:
    for number in range(2, 8):
        session = manager.start(visitor)
        session["list"].append("mine")
        rivals.rivals, rivals.ends = number, True
        assert manager.release(session).outcome is ReleaseOutcome.LATE
        assert manager.active_count() == 0
        rivals.ends = False
        with manager.open({}) as again:
            again["list"] = []
        visitor = cookie(again.released)


def test_rivals_without_end_are_an_error_in_the_end(
    manager: Manager, rivals: Rivals, visitor: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_lifecycle, "PATIENCE", -1.0)
    session = manager.start(visitor)
    session["list"].append("mine")
    rivals.rivals = 1
    with pytest.raises(StoreUnavailable, match="without a pause"):
        manager.release(session)
    assert manager.start(visitor)["list"] == ["theirs"]


# -- the session header ----------------------------------------------------------------------------


@pytest.fixture
def headed() -> Manager:
    return Manager("memory", header_name="X-Session")


def test_a_client_that_sends_the_header_is_answered_in_it(headed: Manager) -> None:
    with headed.open({"X-Session": ""}) as session:
        session["a"] = 1
    assert names(session.released) == ["X-Session", "Cache-Control", "Vary"]
    assert session.released is not None
    assert dict(session.released.headers)["Vary"] == "Cookie, X-Session"
    token = session.released.token
    assert dict(session.released.headers)["X-Session"] == token
    with headed.open({"x-session": token}) as again:
        again.destroy()
    assert names(again.released) == ["X-Session", "Cache-Control", "Vary"]
    assert again.released is not None
    assert dict(again.released.headers)["X-Session"] == ""


def test_a_client_that_sends_none_is_answered_in_a_cookie(headed: Manager) -> None:
    with headed.open({}) as session:
        session["a"] = 1
    assert names(session.released) == ["Set-Cookie", "Cache-Control", "Vary"]


def test_a_lasting_session_in_the_header_is_not_sent_again() -> None:
    clock = FakeClock()
    manager = Manager("memory", header_name="X-Session", cookie_lifetime=86400, clock=clock)
    with manager.open({"X-Session": ""}) as session:
        session["a"] = 1
    assert session.released is not None
    clock.advance(60)
    again = manager.release(manager.start({"X-Session": session.released.token}))
    assert again == Release(ReleaseOutcome.TOUCHED)


def test_a_cookie_that_is_only_renewed_keeps_caches_away(tmp_path: Path) -> None:
    """Although the application did not look at the session, the response is for one visitor."""
    clock = FakeClock()
    manager = Manager(FileProvider(tmp_path), clock=clock, cookie_lifetime=3600)
    with manager.open({}) as session:
        session["a"] = 1
    clock.advance(60)
    with manager.open(cookie(session.released)) as passed_by:
        pass
    assert passed_by.released is not None
    assert names(passed_by.released) == ["Set-Cookie", "Cache-Control", "Vary"]
    told = dict(passed_by.released.headers)
    assert (told["Cache-Control"], told["Vary"]) == ("no-store, private", "Cookie")


WHOLE: dict[str, Callable[[Any], object]] = {
    "renewed": lambda s: s.regenerate_id(),
    "renewed twice": lambda s: s.regenerate_id() or s.regenerate_id(),
    "signed in": lambda s: s.login("ada") or s.regenerate_id(),
    "ended": lambda s: s.destroy(),
    "ended twice": lambda s: s.destroy() or s.logout(),
    "ended and begun": lambda s: s.destroy() or s.update(b=1),
    "ended and signed in": lambda s: s.logout() or s.login("ada"),
    "to last": lambda s: s.login("ada", remember=60) or s.set_lifetime(90, persistent=True),
}


@pytest.mark.parametrize("work", WHOLE)
def test_a_response_sets_the_cookie_once(work: str) -> None:
    manager = Manager("memory")
    with manager.open({}) as session:
        session["a"] = 1
    with manager.open(cookie(session.released)) as again:
        WHOLE[work](again)
    assert names(again.released) == ["Set-Cookie", "Cache-Control", "Vary"]


NO_IDS = ["", "ab", "..", "../beside", "../../beside", "ab/../../../beside", "/etc/passwd"]
NO_IDS += ["*" * 64, "A" * 64, "a" * 64 + "\n", "a\0" * 32, "a" * 5000, "\ud800" * 64]
NOTHING_AT_ALL: list[Any] = [None, 7, b"ab" * 32]


@pytest.mark.parametrize("id", NO_IDS + NOTHING_AT_ALL, ids=lambda id: f"{id!r:.24}")
def test_what_a_form_sends_in_place_of_an_id_reaches_no_store(tmp_path: Path, id: Any) -> None:
    beside = tmp_path / "beside"
    beside.write_text("untouched")
    trips = Trips(FileProvider(tmp_path / "sessions"))
    manager = Manager(trips)
    assert not manager.destroy(id)
    with pytest.raises(SessionGone), manager.open_id(id):
        pytest.fail("it was opened")
    assert trips.taken() == []
    assert not manager.destroy(id, user="ada")
    assert trips.taken() == ["find"]
    assert beside.read_text() == "untouched"


def test_without_cookies_the_header_is_the_only_way() -> None:
    manager = Manager("memory", header_name="X-Session", enable_set_cookie=False)
    with manager.open({}) as session:
        session["a"] = 1
    assert names(session.released) == ["X-Session", "Cache-Control", "Vary"]
    assert session.released is not None
    assert dict(session.released.headers)["Vary"] == "X-Session"


def test_an_application_that_sends_the_cookie_itself_is_given_the_token() -> None:
    manager = Manager("memory", enable_set_cookie=False)
    with manager.open({}) as session:
        session["a"] = 1
    assert names(session.released) == ["Vary"]
    with manager.open(cookie(session.released)) as again:
        assert again["a"] == 1
        again.destroy()
    assert again.released == Release(ReleaseOutcome.ENDED, (("Vary", "Cookie"),))


# -- jobs, and what cannot be read -----------------------------------------------------------------


def test_a_job_may_end_a_session_and_begins_none(manager: Manager, visitor: dict[str, str]) -> None:
    with manager.open_id(manager.start(visitor).id) as session:
        session.destroy()
        for put in (lambda: session.update(more=1), lambda: session.setdefault("more", 1)):
            with pytest.raises(SessionGone, match="ended by `destroy`"):
                put()
        session.destroy()
    assert session.released == Release(ReleaseOutcome.ENDED, (("Vary", "Cookie"),))
    assert manager.active_count() == 0


def broken(folder: Path) -> FileProvider:
    """A store whose sessions cannot be read any more."""
    for path in folder.glob("?/?/*"):
        path.write_bytes(b"broken")
    return FileProvider(folder)


def test_a_job_finds_no_session_in_what_cannot_be_read(tmp_path: Path) -> None:
    with Manager(FileProvider(tmp_path)).open({}) as session:
        session["a"] = 1
    events: list[tuple[str, str | None]] = []
    manager = Manager(broken(tmp_path), on_event=lambda *event: events.append(event))
    with pytest.raises(SessionGone, match=session.id), manager.open_id(session.id):
        pass
    assert events == [("corrupt", session.id)]


async def test_the_same_for_an_async_job(tmp_path: Path) -> None:
    async with AsyncManager(FileProvider(tmp_path)).open({}) as session:
        session["a"] = 1
    events: list[tuple[str, str | None]] = []
    manager = AsyncManager(broken(tmp_path), on_event=lambda *event: events.append(event))
    with pytest.raises(SessionGone, match=session.id):
        async with manager.open_id(session.id):
            pass
    assert events == [("corrupt", session.id)]
    assert await manager.check() == []


def test_a_key_that_cannot_be_read_is_passed_by(
    manager: Manager, rivals: Rivals, visitor: dict[str, str]
) -> None:
    session = manager.start(visitor)
    stands = rivals.read(session.id)
    assert stands is not None
    rivals.update(stands, Changes(stands.seen, put={b"\xc1": b"?", encode_key("x"): b"\xc1"}))
    assert set(manager.start(visitor)) == {"list", "x"}


def test_a_change_taken_back_after_apply_is_none(manager: Manager, visitor: dict[str, str]) -> None:
    session = manager.start(visitor)
    session.apply("list", lambda items: [*items, "new"])
    session["list"].pop()
    assert manager.release(session).outcome is ReleaseOutcome.UNCHANGED


def test_a_change_between_two_functions_is_kept(manager: Manager, visitor: dict[str, str]) -> None:
    mine, theirs = manager.start(visitor), manager.start(visitor)
    mine.apply("list", lambda items: [*items, "first"])
    mine["list"].append("between")
    mine.apply("list", lambda items: [*items, "last"])
    theirs["list"].append("theirs")
    manager.release(theirs)
    manager.release(mine)
    assert manager.start(visitor)["list"] == ["theirs", "first", "between", "last"]


def test_a_late_sign_in_runs_its_functions_on_nothing(
    manager: Manager, visitor: dict[str, str]
) -> None:
    with manager.open(visitor) as session:
        session["old"] = ["seen"]
    session, logout = manager.start(visitor), manager.start(visitor)
    assert session["old"] == ["seen"]
    session.apply("list", lambda items: [*items, "mine"], default=[])
    session["own"] = 1
    session.setdefault("begun", []).append(2)
    session.login("ada")
    logout.destroy()
    manager.release(logout)
    again = manager.start(cookie(manager.release(session)))
    assert dict(again) == {"list": ["mine"], "own": 1, "begun": [2]}


# -- settings and events ---------------------------------------------------------------------------


def test_the_hash_is_set_before_the_first_start_or_never() -> None:
    manager = Manager("memory")
    manager.set_hash_func("sha512", "a key")
    session = manager.start({})
    assert len(session.id) == 128
    with pytest.raises(ValueError, match="before the first start"):
        manager.set_hash_func("sha1")
    with pytest.raises(ValueError, match="hash_func"):
        Manager("memory").set_hash_func("no such")


def test_secure_can_be_set_at_any_time(visitor: dict[str, str], manager: Manager) -> None:
    manager.set_secure(True)
    with manager.open(visitor) as session:
        session.regenerate_id()
    assert session.released is not None
    assert "; Secure" in session.released.headers[0][1]
    with pytest.raises(ValueError, match="secure"):
        manager.set_secure("sometimes")


def test_a_new_setting_forgets_no_id_to_come(manager: Manager) -> None:
    with manager.open({}) as session:
        session.login("ada")
    assert session.released is not None
    session = manager.start({"Cookie": f"session={session.released.token}"})
    session.regenerate_id()
    to_come = session.id
    manager.set_secure(True)
    assert manager.destroy_user("ada", keep=to_come) == 0


class Noting(MemoryProvider):
    """A store that knows which ids it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []

    def create(self, record: Record) -> bool:
        self.ids.append(record.id)
        return super().create(record)


def test_the_store_is_tried_with_an_id_of_the_hash_that_was_set() -> None:
    store = Noting()
    manager = Manager(store)
    manager.set_hash_func("sha512")
    assert manager.check() == []
    assert [len(id) for id in store.ids] == [128]


def test_a_listener_that_fails_breaks_no_request(caplog: pytest.LogCaptureFixture) -> None:
    def listener(name: str, id: str | None) -> Any:
        raise RuntimeError("no ears")

    manager = Manager("memory", on_event=listener)
    with caplog.at_level(logging.DEBUG, logger="sojourn"):
        with manager.open({"Cookie": "session=nonsense"}) as session:
            session["a"] = 1
        assert dict(manager.start(cookie(session.released))) == {"a": 1}
    assert "no ears" in caplog.text
    assert f"session created: {session.id}" in caplog.text
    assert "session rejected: None" in caplog.text
    assert session.released is not None
    assert str(session.released.token) not in caplog.text


def test_a_late_sign_in_leaves_out_what_needs_the_session_that_ended() -> None:
    """A function that cannot do without its value must not turn a sign-in into an error."""
    manager = Manager("memory")
    with manager.open({}) as session:
        session["n"] = 1
    assert session.released is not None
    late = manager.start({"Cookie": f"session={session.released.token}"})
    late.apply("n", lambda value: value + 1)
    late["mine"] = 1
    late.login("ada")
    manager.destroy(session.id)
    release = manager.release(late)
    assert release.outcome is ReleaseOutcome.CREATED
    assert dict(manager.start({"Cookie": f"session={release.token}"})) == {"mine": 1}


class Overtaken(MemoryProvider):
    """A store in which a session ends just before another takes its place."""

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        if changes.clear:
            self.destroy(record.id)
        return super().update(record, changes)


def clicked_twice(manager: Manager, between: Callable[[str, str], object]) -> Release:
    """Sign in twice with one token; `between` gets the ids before and after the first sign-in."""
    with manager.open({}) as session:
        session["a"] = 1
    assert session.released is not None
    before, first = session.id, {"Cookie": f"session={session.released.token}"}
    with manager.open(first) as session:
        session.login("ada")
    between(before, session.id)
    second = manager.start(first)
    second.login("ada")
    return manager.release(second)


def test_a_second_sign_in_follows_tombstones_in_no_circle() -> None:
    provider = MemoryProvider()
    manager = Manager(provider)

    def make_a_circle(before: str, after: str) -> None:
        record = provider.destroy(after)
        assert record is not None
        provider.create(record._replace(fields={}, user=None, successor=before))

    release = clicked_twice(manager, make_a_circle)
    assert release.outcome is ReleaseOutcome.CREATED
    assert manager.start({"Cookie": f"session={release.token}"}).user == "ada"


@pytest.mark.parametrize("absolute", [None, 1000.0])
def test_a_second_sign_in_begins_anew_where_the_first_ended_meanwhile(
    absolute: float | None,
) -> None:
    manager = Manager(Overtaken(), absolute_lifetime=absolute)
    release = clicked_twice(manager, lambda *_: None)
    assert release.outcome is ReleaseOutcome.CREATED
    assert manager.active_count() == 1


class Endless(MemoryProvider):
    """A store that leads from every id on to another one."""

    def tombstone(self, id: str) -> Record:
        return Record(id, {}, 0.0, 0.0, 4e9, successor=f"{int(id, 16) + 1:064x}")

    def read(self, id: str) -> Record | None:
        return self.tombstone(id)

    def destroy(self, id: str) -> Record | None:
        return self.tombstone(id)

    def find(self, user: str | None, now: float) -> Iterator[Record]:
        return iter(())


def test_a_store_that_always_leads_on_stops_nobody() -> None:
    manager = Manager(Endless())
    id = "ab" * 32
    assert manager.destroy(id)
    assert not manager.destroy(id, user="ada")
    assert manager.destroy_user("ada", keep=id) == 0
    assert followed(Endless().read, id, lambda _: False) is not None


class Slowly(MemoryProvider):
    """A store in which time passes, and another request comes first, at the first update."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        super().__init__()
        self.clock, self.seconds = clock, seconds

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        if self.seconds:
            other = Changes(self.clock(), put={encode_key("a"): Codec().encode("theirs")})
            super().update(record, other)
            self.clock.advance(self.seconds)
            self.seconds = 0.0
        return super().update(record, changes)


@pytest.mark.parametrize(("seconds", "outcome"), [(10.0, "saved"), (4000.0, "late")])
def test_a_second_try_is_of_its_own_time(seconds: float, outcome: str) -> None:
    """Law 5: a session that expires while its release tries again is not written."""
    clock = FakeClock()
    manager = Manager(Slowly(clock, 0.0), clock=clock)
    with manager.open({}) as session:
        session["a"] = "base"
    assert session.released is not None
    late = manager.start({"Cookie": f"session={session.released.token}"})
    late.apply("a", lambda value: value + " and mine")
    provider = manager._provider
    assert isinstance(provider, Slowly)
    provider.seconds = seconds
    assert manager.release(late).outcome == outcome


RENEWALS: list[Callable[[Session], None]] = [
    lambda session: session.regenerate_id(),
    lambda session: session.login("ada"),
    lambda session: session.login("ada", keep=False),
]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("first", RENEWALS)
@pytest.mark.parametrize("second", RENEWALS)
def test_a_request_has_one_new_id_however_often_it_asks(
    *, known: bool, first: Callable[[Session], None], second: Callable[[Session], None]
) -> None:
    """Whoever was told the id, as a log or a handler of a sign-in, was told the right one."""
    manager = Manager(MemoryProvider())
    cookie = {}
    if known:
        with manager.open({}) as session:
            session["cart"] = [1]
        assert session.released is not None
        cookie = {"Cookie": f"session={session.released.token}"}
    session = manager.start(cookie)
    session["cart"] = [2]
    before = session.id
    first(session)
    told = session.id
    second(session)
    manager.release(session)
    assert told == session.id
    assert [info.id for info in manager.sessions()] == [told]
    assert (told == before) is not known


class Preceded(MemoryProvider):
    """Lets others act right before each update, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.others: list[Callable[[], object]] = []

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        if self.others:
            self.others.pop(0)()
        return super().update(record, changes)


@pytest.mark.parametrize(
    ("deeds", "outcome", "reported"),
    [
        (["eve"], "saved", ["collided"]),
        (["eve", "zoe"], "saved", ["collided"]),
        (["eve", "ada"], "saved", []),
        (["eve", None], "late", ["late"]),
    ],
    ids=["overruled", "overruled twice", "taken back", "ended"],
)
def test_a_collision_is_reported_where_a_change_was_overruled_in_the_end(
    deeds: list[str | None], outcome: str, reported: list[str]
) -> None:
    provider, events = Preceded(), list[str]()
    manager = Manager(provider, on_event=lambda name, _: events.append(name))
    with manager.open({}) as session:
        session["cart"] = {"name": "ada"}
    session = manager.start(cookie(session.released))

    def act(name: str | None) -> None:
        rival = provider.read(str(session.id))
        assert rival is not None
        if name is None:
            provider.destroy(rival.id)
        else:
            put = {encode_key("cart"): CODEC.encode({"name": name})}
            MemoryProvider.update(provider, rival, Changes(rival.seen, put=put))

    session["cart"]["name"] = "bob"
    provider.others = [partial(act, name) for name in deeds]
    events.clear()
    assert manager.release(session).outcome == outcome
    assert events == reported


def test_an_end_may_leave_alone_the_session_that_an_old_id_leads_to() -> None:
    manager = Manager("memory")
    with manager.open({}) as session:
        session["a"] = 1
    old = session.id
    with manager.open(cookie(session.released)) as session:
        session.regenerate_id()
    new = session.id
    endings = manager._life.endings

    assert not manager._runner.run(endings.one_except(old, {new}))
    assert manager._runner.run(endings.one_except(old, {"0" * 64}))
    assert not manager._runner.run(endings.one_except(old, set()))


@pytest.mark.parametrize("operation", ["read", "update"])
def test_a_request_that_fails_in_an_outage_leaves_no_garbage(
    operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error refers to the frames of the request; a cycle would keep these in memory."""
    provider = MemoryProvider()
    manager = Manager(provider)
    with manager.open({}) as session:
        session["a"] = 1
    visitor = cookie(session.released)
    bodies = list[weakref.ref[Body]]()

    def request() -> None:
        body = Body()
        bodies.append(weakref.ref(body))
        with manager.open(visitor) as session:
            session["a"] = 2

    def fail(*_: object) -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(provider, operation, fail)
    gc.disable()
    try:
        for _ in range(3):
            with suppress(StoreUnavailable):
                request()
        assert [body() for body in bodies] == [None] * 3
    finally:
        gc.enable()


class Body:
    """The body of a request, which may be large."""


class Passing(MemoryProvider):
    """One in which the listed session gets a new id right after the list was made."""

    move: Callable[[], object] | None = None

    def find(self, user: str | None, now: float) -> Iterator[Record]:
        yield from list(super().find(user, now))
        if self.move is not None:
            self.move()
            self.move = None


@pytest.mark.parametrize("user", ["ada", "bob"])
@pytest.mark.parametrize("by_id", [False, True])
def test_the_end_of_a_users_sessions_spares_that_of_another(user: str, by_id: bool) -> None:
    """Of a browser in which another user signs in meanwhile; the same user does not escape."""
    manager = Manager(provider := Passing())
    with manager.open({}) as session:
        session.login("ada")
    again = manager.start(cookie(session.released))
    again.login(user)
    provider.move = partial(manager.release, again)
    ended = manager.destroy(session.id, user="ada") if by_id else manager.destroy_user("ada")
    assert ended == (user == "ada")
    assert [info.user for info in manager.sessions()] == ["bob"] * (user == "bob")


def test_the_end_of_a_users_sessions_finds_one_whose_tombstone_is_gone() -> None:
    """As when a sign-out that follows it is cut off between the tombstone and the session."""
    manager = Manager(provider := Passing())
    with manager.open({}) as session:
        session.login("ada")
    again = manager.start(cookie(session.released))
    again.login("ada")

    def move() -> None:
        manager.release(again)
        provider.destroy(session.id)

    provider.move = move
    assert manager.destroy_user("ada") == 1
    assert manager.active_count() == 0
