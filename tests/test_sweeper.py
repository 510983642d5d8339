"""Garbage collection in the background: a thread, a task."""

from __future__ import annotations

import asyncio
import builtins
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from sojourn import AsyncManager, CorruptRecord, Manager, StoreUnavailable
from sojourn._sweeper import LEASE, NOWHERE, AsyncLease, Lease
from sojourn._tokens import SHORT
from sojourn.providers.file import FileProvider
from sojourn.providers.threads import as_async
from sojourn.record import Record, is_id
from sojourn.testing import FakeClock
from tests.forks import FORKS, in_child
from tests.servers.process import BUSY


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + BUSY
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "sojourn-gc"]


def fill(manager: Manager | AsyncManager) -> None:
    assert isinstance(manager, Manager)
    with manager.open({}) as session:
        session["a"] = 1


def test_a_thread_sweeps_until_close() -> None:
    clock = FakeClock()
    manager = Manager("memory", clock=clock, gc_interval=0.01)
    fill(manager)
    assert threads() == []
    manager.start_gc()
    manager.start_gc()  # does not start a second one
    assert len(threads()) == 1
    assert manager.active_count() == 1
    frames = manager._provider._frames  # type: ignore[attr-defined]
    clock.advance(3601)
    until(lambda: not any(frames))
    manager.close()
    assert threads() == []


async def test_a_task_sweeps_until_close() -> None:
    clock = FakeClock()
    manager = AsyncManager("memory", clock=clock, gc_interval=0.01)
    async with manager.open({}) as session:
        session["a"] = 1
    manager.start_gc()
    manager.start_gc()
    assert len(asyncio.all_tasks()) == 2
    frames = manager._provider.provider._frames  # type: ignore[attr-defined]
    clock.advance(3601)
    async with asyncio.timeout(5):
        while any(frames):  # noqa: ASYNC110 - the sweep sets no event
            await asyncio.sleep(0.005)
    await manager.close()
    assert len(asyncio.all_tasks()) == 1


def test_of_the_workers_that_share_a_store_one_sweeps(tmp_path: Path) -> None:
    """Eight of them, each of which has come to its turn three times before the lease expires."""
    clock = FakeClock()
    looks, sweeps = Counter[int](), list[int]()

    class Watched(FileProvider):
        def read(self, id: str) -> Record | None:
            looks[builtins.id(self)] += 1
            return super().read(id)

        def gc(self, now: float, limit: int) -> int:
            sweeps.append(builtins.id(self))
            return super().gc(now, limit)

    workers = [Manager(Watched(tmp_path), clock=clock, gc_interval=0.01) for _ in range(8)]
    fill(workers[0])
    for number in (1, 2):  # at the next turn, another worker may be the one
        clock.advance(3600 * number)
        looks.clear()
        for worker in workers:
            worker.start_gc()
        until(lambda: len(looks) == 8 and min(looks.values()) >= 3)
        for worker in workers:
            worker.close()
        # At the second turn the lease has expired.  A worker that has read it just before another one
        # replaced it destroys the new lease, and puts it back: other workers may come in between.
        # Without a lease, there would be at least 24 sweeps at each turn.
        assert number <= len(sweeps) <= (1 if number == 1 else 6)
    assert [path.name for path in tmp_path.rglob("[0-9a-f]" * 32)] == [LEASE]


def test_a_worker_whose_sweeps_fail_leaves_the_turn_to_another(tmp_path: Path) -> None:
    """It comes first each time, as one that lacks the right to delete."""
    swept, failed = list[float](), list[float]()

    class Failing(FileProvider):
        def gc(self, now: float, limit: int) -> int:
            failed.append(now)
            raise StoreUnavailable("no right to delete")

    class Counting(FileProvider):
        def gc(self, now: float, limit: int) -> int:
            swept.append(now)
            return super().gc(now, limit)

    failing = Manager(Failing(tmp_path), gc_interval=0.2)
    working = Manager(Counting(tmp_path), gc_interval=0.2)
    failing.start_gc()
    time.sleep(0.1)
    working.start_gc()
    until(lambda: len(swept) > 0)
    assert len(failed) <= 5
    failing.close()
    working.close()


def test_an_interval_may_be_longer_than_a_thread_can_wait() -> None:
    manager = Manager("memory", gc_interval=1e10)
    manager.start_gc()
    time.sleep(0.05)
    assert len(threads()) == 1
    manager.close()


def test_nothing_sweeps_a_store_that_needs_no_sweep() -> None:
    manager = Manager("redis://127.0.0.1:1")
    manager.start_gc()
    assert threads() == []
    manager.close()


async def test_no_task_sweeps_a_store_that_needs_no_sweep() -> None:
    manager = AsyncManager("redis://127.0.0.1:1")
    manager.start_gc()
    assert len(asyncio.all_tasks()) == 1
    await manager.close()


def test_a_sweep_that_fails_is_logged_and_the_next_one_comes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    manager = Manager("memory", gc_interval=0.005)
    sweeps: list[int] = []

    def sweep(now: float, limit: int) -> int:
        sweeps.append(limit)
        raise RuntimeError("the disk is gone")

    manager._provider.gc = sweep  # type: ignore[method-assign]
    with caplog.at_level(logging.ERROR, logger="sojourn"):
        manager.start_gc()
        until(lambda: len(sweeps) > 1)
        manager.close()
    assert "the disk is gone" in caplog.text


async def test_a_failing_sweep_in_a_task(caplog: pytest.LogCaptureFixture) -> None:
    manager = AsyncManager("memory", gc_interval=0.005)
    sweeps: list[int] = []

    async def sweep(now: float, limit: int) -> int:
        sweeps.append(limit)
        raise RuntimeError("the disk is gone")

    manager._provider.gc = sweep  # type: ignore[method-assign]
    manager.start_gc()
    async with asyncio.timeout(5):
        while len(sweeps) < 2:  # noqa: ASYNC110 - the sweep sets no event
            await asyncio.sleep(0.005)
    await manager.close()
    assert "the disk is gone" in caplog.text


def tasks_of(runner: asyncio.Runner) -> int:
    async def count() -> int:
        await asyncio.sleep(0.02)
        return len(asyncio.all_tasks()) - 1

    return runner.run(count())


@pytest.mark.parametrize("gone", [False, True])
def test_a_manager_is_closed_in_another_loop_than_it_sweeps_in(gone: bool) -> None:
    """As tests do that serve one application twice."""
    manager = AsyncManager("memory", gc_interval=60)
    with asyncio.Runner() as first, asyncio.Runner() as second:
        first.run(start_gc(manager))
        assert tasks_of(first) == 1
        if gone:
            first.close()
        second.run(asyncio.wait_for(manager.close(), 5))
        assert gone or tasks_of(first) == 0


async def start_gc(manager: AsyncManager) -> None:
    manager.start_gc()


class Full(FileProvider):
    """A store without room for another record; what is there can be deleted."""

    def create(self, record: Record) -> bool:
        raise StoreUnavailable("no space left on the device")


class Unreadable(FileProvider):
    """A store with a lease that can neither be read nor be deleted by its id."""

    def read(self, id: str) -> Record | None:
        raise CorruptRecord("not a record", id=id)

    destroy = read


@pytest.mark.parametrize("kind", [Full, Unreadable])
def test_a_store_that_refuses_the_lease_is_swept(kind: type[FileProvider], tmp_path: Path) -> None:
    """Otherwise a store that is full would stay full: only a sweep makes room."""
    clock = FakeClock()
    fill(Manager(FileProvider(tmp_path), clock=clock))
    manager = Manager(kind(tmp_path), clock=clock, gc_interval=0.01)
    clock.advance(3601)
    manager.start_gc()
    until(lambda: not [*tmp_path.rglob("[0-9a-f]" * 32)])
    manager.close()


@pytest.mark.parametrize("kind", [Full, Unreadable])
async def test_a_task_sweeps_a_store_that_refuses_the_lease(
    kind: type[FileProvider], tmp_path: Path
) -> None:
    clock = FakeClock()
    fill(Manager(FileProvider(tmp_path), clock=clock))
    manager = AsyncManager(kind(tmp_path), clock=clock, gc_interval=0.01)
    clock.advance(3601)
    manager.start_gc()
    await asyncio.to_thread(until, lambda: not [*tmp_path.rglob("[0-9a-f]" * 32)])
    await manager.close()


class Short(FileProvider):
    """A store that cuts long ids off, as MySQL does without its strict mode."""

    def create(self, record: Record) -> bool:
        return super().create(record._replace(id=record.id[:30]))


async def test_a_lease_that_is_not_found_again_prevents_no_sweep(tmp_path: Path) -> None:
    """The store may not find any record under the id that it was given."""
    leases = [Lease(Short(tmp_path), FakeClock(), 300.0) for _ in range(2)]
    assert [lease.acquire() for lease in leases] == [True, True]
    store = as_async(Short(tmp_path))
    assert await AsyncLease(store, FakeClock(), 300.0).acquire()


@pytest.mark.parametrize("fork", FORKS)
def test_a_child_starts_a_thread_of_its_own_and_waits_for_none_of_its_parent(fork: str) -> None:
    clock = FakeClock()
    # Python's own lock is not safe in the child of a fork in C, if another thread of the parent is
    # taking it just then: an interval this long lets the parent's sweeper sleep through the forks.
    manager = Manager("memory", clock=clock, gc_interval=1.0)
    fill(manager)
    manager.start_gc()
    time.sleep(0.1)
    frames = manager._provider._frames  # type: ignore[attr-defined]

    def work() -> None:
        manager.start_gc()
        clock.advance(3601)
        until(lambda: not any(frames))
        manager.close()

    in_child(manager.close, fork)
    in_child(work, fork)
    assert any(frames)
    manager.close()


def test_the_lease_fits_where_short_ids_do() -> None:
    """A table that was made for ids of 40 characters keeps it too."""
    assert all(is_id(id) and len(id) <= SHORT for id in (LEASE, NOWHERE))
