"""Sessions that are read at their first use, in threads and tasks, and while the store is down."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import Callable
from threading import Event, Thread
from traceback import extract_tb
from typing import Any

import pytest

from sojourn import AsyncManager, Manager, Record, Session, SessionReleased, StoreUnavailable
from sojourn._unread import UnreadState
from sojourn.providers.memory import MemoryProvider
from sojourn.providers.threads import Adapted
from sojourn.session import state_of
from sojourn.testing import FakeClock


class Store(MemoryProvider):
    """A store that can be down, and that calls a function before each read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.down = False
        self.before: Callable[[], Any] = bool

    def read(self, id: str) -> Record | None:
        self.reads += 1
        self.before()
        if self.down:
            raise StoreUnavailable("no store")
        return super().read(id)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def manager(store: Store) -> Manager:
    return Manager(store)


@pytest.fixture
def headers(manager: Manager) -> dict[str, str]:
    """The headers of a visitor whose session this process has seen lately."""
    session = manager.start({})
    session["a"] = 1
    token = manager.release(session).token
    headers = {"Cookie": f"session={token}"}
    manager.release(manager.start_lazily(headers))
    return headers


# -- "last seen" ------------------------------------------------------------------------------------


@pytest.mark.parametrize("lifetime", [None, 1800.0, 3600.0, 30 * 86400.0])
def test_sessions_with_a_lifetime_of_their_own_are_seen_as_often_as_used_ones(
    store: Store, lifetime: float | None
) -> None:
    """Such as those of users who are remembered: only a shorter interval has to be read."""
    clock = FakeClock()
    manager = Manager(store, clock=clock)
    assert manager.config.touch_interval == 60
    visitors = list[tuple[str, dict[str, str]]]()
    for _ in range(2):
        session = manager.start({})
        session.login("ada", remember=lifetime)
        token = manager.release(session).token
        visitors.append((session.id, {"Cookie": f"session={token}"}))
    (one, used), (other, unused) = visitors
    manager.release(manager.start_lazily(unused))
    reads = 0
    for seconds in (1, 20, 40, 29, 1, 31, 59, 2, 119, 0.5, 59.5):
        clock.advance(seconds)
        manager.release(manager.start(used))
        store.reads = 0
        manager.release(manager.start_lazily(unused))
        reads += store.reads
        seen = [record.seen for record in map(store.read, (one, other)) if record]
        assert seen[0] == seen[1]
    assert reads == (11 if lifetime == 1800 else 5)


def test_a_request_that_began_before_a_short_lifetime_was_set_does_not_hide_it(
    store: Store,
) -> None:
    """Otherwise the session would expire while its user visits pages that do not use it."""
    clock = FakeClock()
    manager = Manager(store, clock=clock)
    session = manager.start({})
    session["a"] = 1
    headers = {"Cookie": f"session={manager.release(session).token}"}
    manager.release(manager.start_lazily(headers))
    clock.advance(61)
    before, setting = manager.start(headers), manager.start(headers)
    setting.set_lifetime(30)
    manager.release(setting)
    manager.release(before)
    for _ in range(3):
        clock.advance(20)
        manager.release(manager.start_lazily(headers))
    assert not manager.start(headers).is_new


# -- threads ---------------------------------------------------------------------------------------


def test_a_release_waits_for_a_thread_that_is_reading_the_session(
    manager: Manager, store: Store, headers: dict[str, str]
) -> None:
    """Otherwise the change, which began before the release, would be lost without an error."""
    session = manager.start_lazily(headers)
    reading, going_on = Event(), Event()

    def pause() -> None:
        reading.set()
        going_on.wait()

    store.before = pause
    store.reads = 0
    put, released = list[str](), list[str]()

    def change() -> None:
        try:
            session["b"] = 2
            put.append("put")
        except SessionReleased:
            put.append("refused")

    thread = Thread(target=change, daemon=True)
    thread.start()
    reading.wait()
    release = Thread(
        target=lambda: released.append(manager.release(session).outcome.value), daemon=True
    )
    release.start()
    release.join(0.05)
    assert released == []
    going_on.set()
    thread.join()
    release.join()
    assert released != []
    assert store.reads == 1


def test_an_assignment_while_the_session_is_being_read_raises(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As by a function given as on_event.  The thread must not wait for itself."""
    sessions = list[Session]()
    manager = Manager(
        MemoryProvider(), on_event=lambda name, _: sessions[0].update({"event": name})
    )
    openings = manager._life.openings
    arrival = openings.arrive({"Cookie": "session=" + "A" * 43}, https=False)
    find = manager._reader.find
    # As `start_lazily` makes it over a store with `assign`.
    sessions.append(Session(UnreadState(openings, arrival, find, can_assign=True)))
    used = list[int]()
    thread = Thread(target=lambda: used.append(len(sessions[0])), daemon=True)
    thread.start()
    thread.join(10)
    assert used == [0]
    assert "used while it was being read" in caplog.text


# -- a store that is down --------------------------------------------------------------------------


def test_each_use_of_a_session_that_could_not_be_read_raises_an_error_of_its_own(
    manager: Manager, store: Store, headers: dict[str, str]
) -> None:
    """An error that is raised again keeps its traceback, which grows with each use."""
    session = manager.start_lazily(headers)
    store.down = True
    lengths = list[int]()
    for _ in range(5):
        with pytest.raises(StoreUnavailable, match="no store") as caught:
            len(session)
        lengths.append(len(extract_tb(caught.value.__traceback__)))
    assert lengths[1:] == [lengths[1]] * 4
    assert store.reads == 2  # one for the fixture


def test_a_failed_request_leaves_no_cycle(
    manager: Manager, store: Store, headers: dict[str, str]
) -> None:
    """In an outage every request fails, and its objects would wait for the garbage collection."""
    store.down = True

    def request() -> weakref.ref[Any]:
        session = manager.start_lazily(headers)
        for use in (lambda: len(session), lambda: manager.release(session)):
            with pytest.raises(StoreUnavailable):
                use()
        manager.discard(session)
        return weakref.ref(state_of(session))

    gc.collect()
    gc.disable()
    try:
        assert request()() is None
    finally:
        gc.enable()


# -- tasks -----------------------------------------------------------------------------------------


class AsyncStore(Adapted):
    """The same for an AsyncManager.  `delays` are those of the coming reads, in seconds."""

    def __init__(self) -> None:
        self.store = Store()
        super().__init__(self.store)
        self.delays = list[float]()

    async def read(self, id: str) -> Record | None:
        if self.delays:
            await asyncio.sleep(self.delays.pop(0))
        return self.store.read(id)


async def seen(manager: AsyncManager) -> dict[str, str]:
    session = await manager.start({})
    session["a"] = 1
    headers = {"Cookie": f"session={(await manager.release(session)).token}"}
    await manager.release(manager.start_lazily(headers))
    return headers


@pytest.mark.parametrize("delays", [[], [0.0] * 10], ids=["at once", "with a pause"])
async def test_tasks_that_load_at_the_same_time_read_once(delays: list[float]) -> None:
    """A store that answers without a pause has read the session before the second task runs."""
    provider = AsyncStore()
    manager = AsyncManager(provider)
    session = manager.start_lazily(await seen(manager))
    provider.store.reads, provider.delays = 0, delays
    await asyncio.gather(*(session.load() for _ in range(10)))
    assert provider.store.reads == 1
    assert session["a"] == 1


async def test_tasks_that_load_at_the_same_time_fail_together() -> None:
    """If one had the session and another an error, a response about nobody could be saved."""
    provider = AsyncStore()
    manager = AsyncManager(provider)
    session = manager.start_lazily(await seen(manager))
    provider.delays = [0.0] * 2
    provider.store.down = True

    def recover() -> None:
        provider.store.down = provider.store.reads < 3

    provider.store.before = recover
    both = await asyncio.gather(session.load(), session.load(), return_exceptions=True)
    assert [type(each) for each in both] == [StoreUnavailable] * 2
    with pytest.raises(StoreUnavailable):
        await manager.release(session)


async def test_a_load_that_is_cancelled_leaves_the_others_alone() -> None:
    provider = AsyncStore()
    manager = AsyncManager(provider)
    session = manager.start_lazily(await seen(manager))
    provider.delays = [60.0]
    first, second = (asyncio.ensure_future(session.load()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert first.cancelled()
    assert session["a"] == 1


@pytest.mark.parametrize("known", [True, False])
async def test_a_task_can_load_any_session(known: bool) -> None:
    """Such as in a TaskGroup, beside a query: for visitors without a cookie as for others."""
    manager = AsyncManager(MemoryProvider())
    session = manager.start_lazily(await seen(manager) if known else {})
    loading: Any = session.load()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(loading)
    await session.load()
    assert len(session) == known
    cancelled: Any = session.load()
    task = asyncio.create_task(cancelled)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_filter_of_the_logger_that_uses_the_session_breaks_nothing() -> None:
    manager = Manager("memory")
    session = manager.start_lazily({"Cookie": "session=" + "A" * 43})

    def uses(_: logging.LogRecord) -> bool:
        return "user" in session

    log = logging.getLogger("sojourn")
    level = log.level
    log.setLevel(logging.INFO)
    log.addFilter(uses)
    try:
        assert session.is_new
    finally:
        log.removeFilter(uses)
        log.setLevel(level)
