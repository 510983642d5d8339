"""A sync provider under an AsyncManager: in which thread it is called, and behind which calls."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sojourn import AsyncManager, StoreUnavailable
from sojourn.providers.file import FileProvider
from sojourn.providers.memory import MemoryProvider
from sojourn.providers.threads import BATCH, THREADS, as_async
from sojourn.record import Changes, Outcome, Record
from tests.forks import in_child
from tests.servers.process import BUSY, wait_until


async def count_up(manager: AsyncManager, token: str = "") -> str:
    async with manager.open({"Cookie": f"session={token}"}) as session:
        session["n"] = session.get("n", 0) + 1
    assert session.released is not None
    return str(session.released.token or token)


async def test_a_session_does_not_wait_for_what_the_application_runs_in_threads(
    tmp_path: Path,
) -> None:
    """Its default executor is full, as with a slow report in each of its threads."""
    manager, gate = AsyncManager(FileProvider(tmp_path)), threading.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    report = loop.run_in_executor(None, gate.wait, 2 * BUSY)
    try:
        async with asyncio.timeout(BUSY):
            token = await count_up(manager)
            await count_up(manager, token)
            assert (await manager.start({"Cookie": f"session={token}"}))["n"] == 2
            assert await manager.active_count() == 1
            await manager.close()
        assert not report.done()
    finally:
        gate.set()
        await report


@pytest.mark.parametrize("fork", ["python", "c"])
def test_a_child_has_threads_of_its_own(tmp_path: Path, fork: str) -> None:
    """Though it goes on with the event loop of its parent."""
    manager, loop = AsyncManager(FileProvider(tmp_path)), asyncio.new_event_loop()
    token = loop.run_until_complete(count_up(manager))
    in_child(lambda: loop.run_until_complete(count_up(manager, token)), fork)
    session = loop.run_until_complete(manager.start({"Cookie": f"session={token}"}))
    assert session["n"] == 2
    loop.close()


def test_threads_end_with_their_event_loop(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    for _ in range(3):
        asyncio.run(count_up(AsyncManager(FileProvider(tmp_path))))
    gc.collect()
    wait_until(lambda: set(threading.enumerate()) <= before, "no thread is left")


def ids(number: int) -> list[str]:
    return [f"ab{n:062x}" for n in range(number)]


RECORDS = [Record(id, {b"k": b"v"}, 1000.0, 1000.0, 2000.0) for id in ids(3 * BATCH)]
RECORD = RECORDS[0]
CHANGES = Changes(1100.0, put={b"k": b"w"})


def fields(record: Record | None) -> object:
    return None if record is None else dict(record.fields)


class Locking(MemoryProvider):
    """A store with one lock, which a list holds from its first record to its last."""

    blocking = True

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.waiting = threading.Semaphore(0)

    def find(self, user: str | None, now: float) -> Iterator[Record]:
        with self.lock:
            yield from super().find(user, now)

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        self.waiting.release()
        if not self.lock.acquire(timeout=BUSY):
            raise StoreUnavailable("the list does not come to its end")
        try:
            return super().update(record, changes)
        finally:
            self.lock.release()


async def test_writes_that_wait_for_a_list_leave_a_thread_for_its_rest() -> None:
    """As those of SQLite wait for a reader, in a file without a log."""
    provider = Locking()
    for record in RECORDS:
        provider.create(record)
    store = as_async(provider)
    listing = store.find(None, 1100.0)
    first = await anext(listing)
    writes = [asyncio.create_task(store.update(each, CHANGES)) for each in RECORDS[: 2 * THREADS]]
    for _ in range(THREADS):
        await asyncio.to_thread(provider.waiting.acquire, timeout=BUSY)
    assert await store.read(RECORD.id) is not None
    listed = [first.id, *[record.id async for record in listing]]
    assert sorted(listed) == [record.id for record in RECORDS]
    assert await asyncio.gather(*writes) == [Outcome.APPLIED] * len(writes)


@pytest.mark.parametrize("number", [0, 1, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH])
async def test_a_list_is_fetched_in_batches(number: int) -> None:
    provider = Locking()
    for record in RECORDS[:number]:
        provider.create(record)
    listed = [record.id async for record in as_async(provider).find(None, 1100.0)]
    assert sorted(listed) == ids(number)


class Cached(MemoryProvider):
    """A store that has its records in a cache, or not; it notes the threads that read them."""

    blocking = True

    def __init__(self) -> None:
        super().__init__()
        self.is_cached = True
        self.readers: dict[str, int] = {}

    def read(self, id: str) -> Record | None:
        self.readers["read"] = threading.get_ident()
        return super().read(id)

    def read_nowait(self, id: str) -> Record | None:
        self.readers["read_nowait"] = threading.get_ident()
        if not self.is_cached:
            raise BlockingIOError
        return super().read(id)


async def test_what_is_at_hand_is_read_without_a_thread_and_else_in_one() -> None:
    provider, here = Cached(), threading.get_ident()
    provider.create(RECORD)
    store = as_async(provider)
    assert fields(await store.read(RECORD.id)) == RECORD.fields
    assert provider.readers == {"read_nowait": here}
    provider.is_cached = False
    assert fields(await store.read(RECORD.id)) == RECORD.fields
    assert provider.readers["read"] != here


class Rewritten(Cached):
    """One that reads in a way of its own, as one that decrypts its records does."""

    def read(self, id: str) -> Record | None:
        record = super().read(id)
        return None if record is None else record._replace(user="ada")


class Wrapped:
    """One that passes on whatever it does not do itself."""

    def __init__(self, provider: Any) -> None:
        self.provider = provider

    def read(self, id: str) -> Record | None:
        record = self.provider.read(id)
        return None if record is None else record._replace(user="ada")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.provider, name)


def rewritten() -> Any:
    return Rewritten()


def wrapped() -> Any:
    return Wrapped(Cached())


def replaced() -> Any:
    provider: Any = Cached()
    provider.read = Wrapped(Cached()).read
    provider.create = provider.read.__self__.create
    return provider


@pytest.mark.parametrize("make", [rewritten, wrapped, replaced])
async def test_a_read_of_ones_own_is_not_bypassed(make: Any) -> None:
    provider = make()
    provider.create(RECORD)
    record = await as_async(provider).read(RECORD.id)
    assert record is not None
    assert record.user == "ada"
