"""Connections of tasks: how many, whose, and what becomes of one that is spoilt."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from sojourn.errors import StoreUnavailable
from sojourn.providers.sql.driver import Answer, Fault, Lost, Parameters
from sojourn.providers.sql.link import AsyncLink
from sojourn.providers.sql.pool import AsyncPool
from tests.forks import as_in_a_child


class Numbers:
    """Connections that are numbers."""

    errors: tuple[type[Exception], ...] = (ArithmeticError,)
    timeout = 4.0
    patience = 5.0
    delay = 0.0

    def __init__(self) -> None:
        self.numbers: Iterator[int] = count(1)
        self.stale: set[int] = set()
        self.closed: list[int] = []
        self.forgotten: list[int] = []

    async def connect(self) -> int:
        return next(self.numbers)

    async def execute(self, connection: int, statement: str, parameters: Parameters) -> Answer:
        await asyncio.sleep(self.delay)
        return Answer([], connection)

    def is_stale(self, connection: int) -> object:
        return connection in self.stale

    def abort(self, connection: int) -> None:
        self.closed.append(connection)

    def forget(self, connection: int) -> None:
        self.forgotten.append(connection)

    def fault(self, error: Exception) -> tuple[Fault, str]:
        return Fault.REFUSED, str(error)


async def test_one_that_died_is_passed_by() -> None:
    driver = Numbers()
    pool = AsyncPool(driver, 1, 1.0)
    await pool.put(await pool.take())
    driver.stale.add(1)
    assert (await pool.take(), driver.closed) == (2, [1])


async def test_a_child_of_fork_begins_with_none() -> None:
    driver = Numbers()
    pool = AsyncPool(driver, 1, 0.1)
    await pool.put(await pool.take())
    as_in_a_child(pool._loops)
    assert (await pool.take(), driver.forgotten, driver.closed) == (2, [1], [])


async def test_tasks_share_few() -> None:
    driver = Numbers()
    pool = AsyncPool(driver, 2, 5.0)

    async def work() -> None:
        connection = await pool.take()
        await asyncio.sleep(0.001)
        await pool.put(connection)

    await asyncio.gather(*(work() for _ in range(20)))
    assert next(driver.numbers) == 3


async def test_a_task_waits_for_a_bounded_time() -> None:
    pool = AsyncPool(Numbers(), 1, 0.05)
    connection = await pool.take()
    with pytest.raises(StoreUnavailable, match="all 1 connections"):
        await pool.take()
    await pool.put(connection)
    assert await pool.take() == connection


async def test_waiting_in_the_queue_is_no_idleness() -> None:
    driver = Numbers()
    pool = AsyncPool(driver, 1, 5.0, longest_idle=0.02)
    connection = await pool.take()
    waiting = asyncio.ensure_future(pool.take())
    await asyncio.sleep(0.05)
    await pool.put(connection)
    assert (await waiting, driver.closed) == (connection, [])


async def test_the_place_of_a_closed_one_goes_to_the_task_that_has_waited_longest() -> None:
    """Another that comes in between has to wait, and nobody waits longer than the timeout."""
    pool = AsyncPool(Numbers(), 1, 0.1)
    connection = await pool.take()
    waiting = asyncio.ensure_future(pool.take())
    await asyncio.sleep(0)
    await pool.discard(connection)
    with pytest.raises(StoreUnavailable):
        await pool.take()
    assert await waiting == 2


async def test_one_that_died_as_it_was_handed_over_is_replaced_at_once() -> None:
    driver = Numbers()
    pool = AsyncPool(driver, 1, 0.1)
    connection = await pool.take()
    waiting = asyncio.ensure_future(pool.take())
    await asyncio.sleep(0)
    driver.stale.add(connection)
    await pool.put(connection)
    with pytest.raises(StoreUnavailable):
        await pool.take()
    assert (await waiting, driver.closed) == (2, [connection])


async def test_a_place_whose_connection_cannot_be_opened_is_free_again() -> None:
    driver = Numbers()
    pool = AsyncPool(driver, 1, 0.1)
    connection = await pool.take()
    driver.numbers = iter(())
    waiting = [asyncio.ensure_future(pool.take()) for _ in range(2)]
    await asyncio.sleep(0)
    await pool.discard(connection)
    ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(end) for end in ends] == [RuntimeError, RuntimeError]  # of the empty iterator
    driver.numbers = count(2)
    assert await pool.take() == 2


async def test_who_waits_no_longer_leaves_nothing_behind() -> None:
    pool = AsyncPool(Numbers(), 1, 0.05)
    await pool.take()
    cancelled = asyncio.ensure_future(pool.take())
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    with pytest.raises(StoreUnavailable):
        await pool.take()
    assert not pool._shelf().waiting


async def test_who_is_cancelled_as_it_is_handed_a_place_gives_it_back() -> None:
    pool = AsyncPool(Numbers(), 1, 5.0)
    connection = await pool.take()
    waiting = asyncio.ensure_future(pool.take())
    await asyncio.sleep(0)
    await pool.discard(connection)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asyncio.wait_for(pool.take(), 1) == 2


async def test_who_is_cancelled_as_it_is_handed_one_gives_it_back() -> None:
    pool = AsyncPool(Numbers(), 1, 5.0)
    connection = await pool.take()
    waiting = asyncio.ensure_future(pool.take())
    await asyncio.sleep(0)
    await pool.put(connection)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asyncio.wait_for(pool.take(), 1) == connection


async def test_who_is_handed_one_as_its_time_runs_out_has_it() -> None:
    pool = AsyncPool(Numbers(), 1, 0.05)
    connection = await pool.take()
    waiting = asyncio.ensure_future(pool.take())
    await asyncio.sleep(0)
    time.sleep(0.1)  # noqa: ASYNC251 - so that both happen in one turn of the loop
    handing = asyncio.ensure_future(pool.put(connection))
    await pool.put(await waiting)
    await handing
    assert await pool.take() == connection


async def test_a_cancelled_statement_spoils_its_connection() -> None:
    driver = Numbers()
    pool = AsyncPool(driver, 1, 1.0)
    link = AsyncLink(pool, driver)
    await link.run("first")
    driver.delay = 5.0
    task = asyncio.ensure_future(link.run("second"))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert driver.closed == [1]
    driver.delay = 0.0
    await link.run("third")
    assert next(driver.numbers) == 3


def test_each_event_loop_has_its_own() -> None:
    driver = Numbers()
    pool = AsyncPool(driver, 2, 1.0)

    async def use() -> int:
        connection: int = await pool.take()
        await pool.put(connection)
        return connection

    assert [asyncio.run(use()), asyncio.run(use())] == [1, 2]
    assert driver.closed == [1]


def test_loops_in_threads_do_not_meet() -> None:
    """Two begin at once, and clear what loops that have ended left behind."""
    driver = Numbers()
    pool = AsyncPool(driver, 1, 1.0)

    async def use() -> None:
        await pool.put(await pool.take())

    loops = [asyncio.new_event_loop() for _ in range(5)]
    for loop in loops:
        loop.run_until_complete(use())
    for loop in loops:
        loop.close()
    driver.abort = lambda connection: time.sleep(0.01) or driver.closed.append(connection)  # type: ignore[method-assign,func-returns-value]
    with ThreadPoolExecutor(2) as threads:
        for begun in [threads.submit(asyncio.run, use()) for _ in range(2)]:
            begun.result()
    assert {*range(1, 6)} <= {*driver.closed}
    assert len(driver.closed) == len({*driver.closed})


async def test_what_lay_idle_for_too_long_is_not_used_again() -> None:
    driver = Numbers()
    pool = AsyncPool(driver, 1, 1.0, longest_idle=0.01)
    await pool.put(await pool.take())
    await asyncio.sleep(0.02)
    assert (await pool.take(), driver.closed) == (2, [1])


class Breaking(Numbers):
    """Breaks every connection that was there when it is told to."""

    broken = 0

    async def execute(self, connection: int, statement: str, parameters: Parameters) -> Answer:
        if connection <= self.broken:
            raise ArithmeticError("nobody answers")
        return await super().execute(connection, statement, parameters)

    def fault(self, error: Exception) -> tuple[Fault, str]:
        return Fault.LOST, str(error)


async def test_where_one_broke_those_that_lay_idle_as_long_are_closed() -> None:
    driver = Breaking()
    pool = AsyncPool(driver, 3, 1.0)
    link = AsyncLink(pool, driver)
    for connection in [await pool.take(), await pool.take(), await pool.take()]:
        await pool.put(connection)
    driver.broken = 3
    with pytest.raises(Lost):
        await link.run("first")
    assert sorted(driver.closed) == [1, 2, 3]
    assert (await link.run("second")).number == 4
