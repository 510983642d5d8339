"""For what requests to SQLite wait: a write for other writes, a read in an event loop for nothing."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import RLock

import pytest

from sojourn.errors import StoreError, StoreUnavailable
from sojourn.providers.sql.sqlite import SQLiteProvider
from sojourn.providers.threads import THREADS, as_async
from sojourn.record import Changes, Outcome, Record
from tests.forks import FORKS, in_child
from tests.servers.process import BUSY

IDS = [f"ab{number:062x}" for number in range(2 * THREADS)]
RECORDS = [Record(id, {b"k": b"v"}, 1000.0, 1000.0, 2000.0, "ada") for id in IDS]
RECORD = RECORDS[0]
CHANGES = Changes(1100.0, put={b"k": b"w"})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


@pytest.fixture
def provider(file: Path) -> Iterator[SQLiteProvider]:
    with closing(SQLiteProvider(file, pool=2)) as provider:
        yield provider


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Another process holds the lock for writers."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def would_wait(provider: SQLiteProvider) -> bool:
    try:
        provider.read_nowait(RECORD.id)
    except BlockingIOError:
        return True
    return False


def test_a_read_that_need_not_wait_is_one_that_finds_a_connection(
    provider: SQLiteProvider,
) -> None:
    assert would_wait(provider), "before the first statement the table is checked"
    assert provider.create(RECORD)
    assert provider.read_nowait(RECORD.id) == RECORD
    assert provider.read_nowait(IDS[1]) is None
    provider.close()
    assert would_wait(provider)
    assert provider.read(RECORD.id) == RECORD
    assert not would_wait(provider)


def test_a_table_that_was_not_checked_is_not_read(file: Path) -> None:
    """It may have the same columns, and mean something else by them."""
    with closing(SQLiteProvider(file)) as provider:
        provider.create(RECORD)
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("PRAGMA writable_schema = ON")
        database.execute("UPDATE sqlite_master SET sql = replace(sql, 'layout 1', 'layout 12')")
    with closing(SQLiteProvider(file)) as provider:
        with pytest.raises(StoreError, match="layout"):
            provider.read(RECORD.id)
        assert would_wait(provider)


def test_a_file_that_was_deleted_is_left_to_a_thread(provider: SQLiteProvider, file: Path) -> None:
    provider.create(RECORD)
    for path in file.parent.iterdir():
        path.unlink()
    assert would_wait(provider)
    assert provider.read(RECORD.id) is None
    assert provider.create(RECORD)
    assert provider.read_nowait(RECORD.id) == RECORD


def test_a_table_that_was_dropped_costs_no_connection(file: Path) -> None:
    provider = SQLiteProvider(file, pool=1)
    provider.create(RECORD)
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("DROP TABLE sojourn_sessions")
    for _ in range(5):
        assert would_wait(provider)
    assert provider.read(RECORD.id) is None
    assert not would_wait(provider)
    provider.close()


async def test_reads_wait_for_no_write_however_many_there_are(
    provider: SQLiteProvider, file: Path
) -> None:
    """Neither for the lock that the writes wait for, nor for a connection or a thread of theirs."""
    store = as_async(provider)
    for record in RECORDS:
        await store.create(record)
    with held(file):
        writes = [asyncio.create_task(store.update(each, CHANGES)) for each in RECORDS]
        await asyncio.sleep(0.1)
        assert not any(write.done() for write in writes)
        assert await store.read(RECORD.id) == RECORD
        assert provider.read_nowait(RECORD.id) == RECORD
        assert await store.count(1100.0) == len(RECORDS)
        assert len([record async for record in store.find("ada", 1100.0)]) == len(RECORDS)
        assert not any(write.done() for write in writes)
    assert await asyncio.gather(*writes) == [Outcome.APPLIED] * len(writes)


def test_a_write_waits_for_a_lock_that_is_released(provider: SQLiteProvider, file: Path) -> None:
    provider.create(RECORD)
    with ThreadPoolExecutor(1) as threads:
        with held(file):
            write = threads.submit(provider.update, RECORD, CHANGES)
            time.sleep(0.1)
            assert not write.done()
        assert write.result(BUSY) is Outcome.APPLIED


def test_a_connection_waits_for_a_file_that_is_released(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with (
            closing(SQLiteProvider(file)) as provider,
            ThreadPoolExecutor(1) as threads,
        ):
            read = threads.submit(provider.read, RECORD.id)
            time.sleep(0.1)
            assert not read.done()
            other.execute("COMMIT")
            assert read.result(BUSY) is None


def test_no_write_waits_for_longer_than_the_timeout_twice(file: Path) -> None:
    """For the write before it, and for the lock."""
    timeout = 0.3
    with closing(SQLiteProvider(file, timeout=timeout)) as provider:
        for record in RECORDS[:8]:
            provider.create(record)
        with held(file), ThreadPoolExecutor(8) as threads:
            began = time.monotonic()
            writes = [threads.submit(provider.update, each, CHANGES) for each in RECORDS[:8]]
            for write in writes:
                with pytest.raises(StoreUnavailable):
                    write.result(2 * timeout + BUSY)
            assert timeout <= time.monotonic() - began < 2 * timeout + BUSY
        assert provider.update(RECORD, CHANGES) is Outcome.APPLIED


@pytest.mark.parametrize("fork", FORKS)
def test_a_child_waits_for_no_write_of_its_parent(file: Path, fork: str) -> None:
    """The thread that makes the write does not exist in the child."""
    # Without a statement under way: at a fork, SQLite's own locks may be held then.
    with closing(SQLiteProvider(file, timeout=0.5)) as provider, ThreadPoolExecutor(1) as another:
        provider.create(RECORD)
        lock = provider._link._writing()  # type: ignore[attr-defined]
        another.submit(lock.acquire).result()
        with pytest.raises(StoreUnavailable, match="other writes"):
            provider.update(RECORD, CHANGES)
        in_child(lambda: provider.update(RECORD, CHANGES), fork)
        another.submit(lock.release).result()
        written = provider.read(RECORD.id)
    assert written is not None
    assert written.fields == CHANGES.put


class Interrupted:
    """A lock that is interrupted, as by Ctrl-C, right after it was taken for the first time."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._times = 0

    def acquire(self, timeout: float) -> bool:
        taken = self._lock.acquire(timeout=timeout)
        self._times += 1
        if self._times == 1:
            raise KeyboardInterrupt
        return taken

    def release(self) -> None:
        self._lock.release()


def test_an_interrupt_leaves_no_write_waiting(file: Path) -> None:
    with closing(SQLiteProvider(file, timeout=0.5)) as provider, ThreadPoolExecutor(1) as another:
        provider.create(RECORD)
        lock = Interrupted()
        provider._link._writing = lambda: lock  # type: ignore[attr-defined]
        with pytest.raises(KeyboardInterrupt):
            provider.update(RECORD, CHANGES)
        assert another.submit(provider.update, RECORD, CHANGES).result() is Outcome.APPLIED


def test_a_read_that_had_to_wait_for_a_stopped_process_is_the_last_one_in_the_loop(
    provider: SQLiteProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite waits for up to ten seconds before it raises this error."""
    provider.create(RECORD)
    assert not would_wait(provider)

    class Connection:
        sqlite = property(lambda self: self)

        def execute(self, *_: object) -> None:
            error = sqlite3.OperationalError("locking protocol")
            error.sqlite_errorcode = sqlite3.SQLITE_PROTOCOL
            raise error

    with monkeypatch.context() as patched:
        patched.setattr(provider._pool, "take_nowait", Connection)
        patched.setattr(provider._pool, "put", lambda _: None)
        assert would_wait(provider)
    assert would_wait(provider)
    assert provider.read(RECORD.id) == RECORD._replace(version=provider.read(RECORD.id).version)  # type: ignore[union-attr]
