"""Sessions that are read when they are first used."""

from __future__ import annotations

import asyncio
import logging
from threading import Barrier, Thread
from time import sleep

import pytest

from sojourn import AsyncManager, Manager, NotLoaded, Record, Release, Session, SessionError
from sojourn._session import seen as memory_of_seen
from sojourn._session.seen import Seen
from sojourn._unread import UnreadState
from sojourn.errors import StoreUnavailable
from sojourn.providers.memory import MemoryProvider
from sojourn.providers.threads import Adapted
from sojourn.session import state_of
from sojourn.testing import FakeClock
from sojourn.web.flask import FlaskSession


class Reads(MemoryProvider):
    """Notes the ids that are read, and lets other threads run during each read."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []

    def read(self, id: str) -> Record | None:
        self.ids.append(id)
        sleep(0.01)
        return super().read(id)


def headers_of(release: Release) -> dict[str, str]:
    assert release.token is not None
    return {"Cookie": f"session={release.token}"}


@pytest.fixture
def store() -> Reads:
    return Reads()


@pytest.fixture
def manager(store: Reads) -> Manager:
    return Manager(store, clock=FakeClock())


@pytest.fixture
def headers(manager: Manager) -> dict[str, str]:
    session = manager.start({})
    session["a"] = 1
    return headers_of(manager.release(session))


def test_questions_about_the_request_read_nothing(
    manager: Manager, store: Reads, headers: dict[str, str]
) -> None:
    session = FlaskSession.adopt(manager.start_lazily(headers))
    assert (session.accessed, session.modified, session.released) == (False, False, None)
    assert isinstance(session, FlaskSession)
    assert not hasattr(state_of(session), "__rich_repr__")
    assert store.ids == []
    assert session["a"] == 1
    assert len(store.ids) == 1
    assert repr(session).startswith(f"<Session {store.ids[0]}")


def test_a_session_may_be_read_for_the_first_time_after_its_release(
    manager: Manager, headers: dict[str, str]
) -> None:
    manager.release(manager.start_lazily(headers))
    session = manager.start_lazily(headers)
    released = manager.release(session)
    assert session["a"] == 1
    assert session.released is released
    with pytest.raises(SessionError, match="already released"):
        session["a"] = 2


def test_threads_of_one_request_read_its_session_once(
    manager: Manager, store: Reads, headers: dict[str, str]
) -> None:
    session = manager.start_lazily(headers)
    together = Barrier(8)

    def use(number: int) -> None:
        together.wait()
        if number % 2:
            session[f"k{number}"] = number
        else:
            session[f"k{number}"] = session["a"] + number - 1

    threads = [Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.ids) == 1
    manager.release(session)
    expected = {"a": 1} | {f"k{number}": number for number in range(8)}
    assert dict(manager.start(headers)) == expected


def test_a_session_that_is_used_while_it_is_read_raises(
    store: Reads, caplog: pytest.LogCaptureFixture
) -> None:
    used = list[object]()
    sessions = list[Session]()
    manager = Manager(store, on_event=lambda *_: used.append(sessions[0]["a"]))
    session = manager.start_lazily({"Cookie": "session=" + "A" * 43})
    sessions.append(session)
    with caplog.at_level(logging.ERROR):
        assert len(session) == 0
    assert used == []
    assert "used while it was being read" in caplog.text


def test_an_end_that_keeps_an_unread_session_reads_it(
    manager: Manager, headers: dict[str, str]
) -> None:
    session = manager.start(headers)
    session.login("ada")
    headers = headers_of(manager.release(session))
    assert manager.destroy_user("ada", keep=manager.start_lazily(headers)) == 0
    assert manager.start(headers).user == "ada"


def test_a_refused_websocket_keeps_an_unread_session(
    manager: Manager, headers: dict[str, str]
) -> None:
    manager.release(manager.start_lazily(headers))
    assert manager.release(manager.start_lazily(headers), headers=False).headers == ()
    manager.discard(manager.start_lazily(headers))
    assert manager.start(headers)["a"] == 1


def test_where_only_changes_count_nothing_is_read(store: Reads) -> None:
    manager = Manager(store, clock=(clock := FakeClock()), touch_on="change")
    session = manager.start({})
    session["a"] = 1
    headers = headers_of(manager.release(session))
    clock.advance(1800)
    manager.release(manager.start_lazily(headers))
    assert store.ids == []


def test_a_session_that_began_lately_was_seen(manager: Manager, store: Reads) -> None:
    session = manager.start_lazily({})
    session["a"] = 1
    begun = headers_of(manager.release(session))
    manager.release(manager.start_lazily(begun))
    assert store.ids == []


def test_a_token_that_names_nothing_is_looked_up_once_in_an_interval(store: Reads) -> None:
    events = list[str]()
    clock = FakeClock()
    manager = Manager(store, clock=clock, on_event=lambda name, _: events.append(name))
    unknown = {"Cookie": "session=" + "A" * 43}
    for _ in range(3):
        manager.release(manager.start_lazily(unknown))
    assert (len(store.ids), events) == (1, ["rejected"])
    clock.advance(60)
    manager.release(manager.start_lazily(unknown))
    assert len(store.ids) == 2
    assert manager.start_lazily(unknown).is_new
    assert len(store.ids) == 3


def test_a_thread_that_comes_second_finds_the_work_of_the_first(headers: dict[str, str]) -> None:
    manager = AsyncManager("memory")
    state = state_of(manager.start_lazily(headers))
    assert isinstance(state, UnreadState)
    first = state.assigned
    state._begin_assigning()
    assert state.assigned is first
    state = state_of(Manager("memory").start_lazily(headers))
    assert isinstance(state, UnreadState)
    assert state.user is None
    assert UnreadState.__getattr__(state, "user") is None
    UnreadState._begin_assigning(state)
    assert not state.is_busy


# -- asynchronous applications ---------------------------------------------------------------------


class AsyncReads(Adapted):
    """Lets other tasks run during each read, and counts the reads."""

    reads = 0
    fails = False

    def __init__(self) -> None:
        super().__init__(MemoryProvider())

    async def read(self, id: str) -> Record | None:
        self.reads += 1
        await asyncio.sleep(0)
        if self.fails:
            raise StoreUnavailable("no store")
        return await super().read(id)


async def begun(manager: AsyncManager) -> dict[str, str]:
    session = await manager.start({})
    session["a"] = 1
    return headers_of(await manager.release(session))


async def test_a_use_before_loading_says_what_to_do() -> None:
    store = AsyncReads()
    manager = AsyncManager(store)
    session = manager.start_lazily(await begun(manager))
    for use in (lambda: session["a"], lambda: session.pop("a"), lambda: session.user):
        with pytest.raises(NotLoaded, match=r"await session\.load\(\).*out of `quiet`"):
            use()
    assert store.reads == 0
    await session.load()
    session["a"] += 1
    await session.load()  # nothing happens: it is read already
    await asyncio.gather(session.load(), session.load())
    await manager.release(session)
    assert store.reads == 1


async def test_tasks_that_load_at_once_share_one_session() -> None:
    manager = AsyncManager(AsyncReads())
    headers = await begun(manager)
    session = manager.start_lazily(headers)

    async def use(key: str) -> None:
        await session.load()
        session[key] = 1

    await asyncio.gather(*(use(key) for key in "bcd"))
    await manager.release(session)
    assert sorted(await manager.start(headers)) == ["a", "b", "c", "d"]


async def test_a_load_that_is_cancelled_may_be_repeated() -> None:
    manager = AsyncManager(AsyncReads())
    session = manager.start_lazily(await begun(manager))
    loading = asyncio.ensure_future(session.load())
    await asyncio.sleep(0)
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    await session.load()
    assert session["a"] == 1


async def test_a_load_that_failed_fails_the_release() -> None:
    store = AsyncReads()
    manager = AsyncManager(store)
    session = manager.start_lazily(await begun(manager))
    store.fails = True
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await session.load()
    with pytest.raises(StoreUnavailable):
        await manager.release(session)
    assert store.reads == 1


async def test_a_request_without_a_token_has_to_load_as_any_other() -> None:
    store = AsyncReads()
    manager = AsyncManager(store)
    session = manager.start_lazily({})
    with pytest.raises(NotLoaded):
        session.get("a")
    await session.load()
    assert session.is_new
    assert (await manager.release(session)).headers == (("Vary", "Cookie"),)
    session = manager.start_lazily({})
    session["a"] = 1
    assert (await manager.release(session)).token is not None
    assert (await manager.release(manager.start_lazily({}))).headers == ()
    assert store.reads == 0


# -- the memory ------------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Seen:
    monkeypatch.setattr(memory_of_seen, "MOST", 100)
    memory = Seen(60.0)
    memory.used = True
    return memory


def test_the_memory_is_bounded(small: Seen) -> None:
    for number in range(1000):
        small.note(str(number), 0.0, None, 0.0)
        assert small.covers(str(number), 0.0)
    remembered = [number for number in range(1000) if small.covers(str(number), 0.0)]
    # The latest half, at least, is remembered.
    assert 50 <= len(remembered) <= 100
    assert remembered[-1] - remembered[0] == len(remembered) - 1


def test_the_memory_drops_what_is_out_of_date(small: Seen) -> None:
    small.note("old", 0.0, None, 0.0)
    assert small.covers("old", 59.9)
    assert not small.covers("old", 60.0)
    small.note("new", 60.0, None, 60.0)
    small.note("newer", 120.0, None, 120.0)
    assert "old" not in {**small._younger, **small._older}


def test_the_memory_serves_a_clock_that_goes_back(small: Seen) -> None:
    small.note("a", 1000.0, None, 1000.0)
    small.note("b", 10.0, None, 10.0)
    assert small.covers("a", 10.0)
    assert small.covers("b", 69.9)
    assert not small.covers("b", 70.0)


def test_a_clock_that_was_ahead_hides_no_living_session(manager: Manager, store: Reads) -> None:
    session = manager.start({})
    session["a"] = 1
    headers, clock = headers_of(manager.release(session)), state_of(session).context.clock
    assert isinstance(clock, FakeClock)
    clock.advance(86400)
    manager.release(manager.start_lazily(headers))
    clock.advance(-86400 + 1800)
    manager.release(manager.start_lazily(headers))
    clock.advance(1801)
    assert manager.start(headers)["a"] == 1


def test_managers_without_lazy_starts_remember_nothing(manager: Manager, store: Reads) -> None:
    session = manager.start({})
    session["a"] = 1
    manager.start(headers_of(manager.release(session)))
    assert not manager._life.seen._younger


def test_the_memory_of_ended_sessions_is_bounded(
    small: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_of_seen, "ENDS", 10)
    for number in range(25):
        before = small.ends
        small.note_end(str(number))
        assert small.ended_since(str(number), before)
        assert not small.ended_since(str(number), small.ends)
    assert len(small._ended) <= 10
