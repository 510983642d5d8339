"""Connections: how many, whose, and what becomes of one that is spoilt."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from sojourn.errors import StoreUnavailable
from sojourn.providers.sql.dialects import SQLITE
from sojourn.providers.sql.driver import Answer, Fault, Parameters
from sojourn.providers.sql.link import AsyncLink
from sojourn.providers.sql.pool import AsyncPool, Pool
from sojourn.providers.sql.statements import statements


class Numbers:
    """Connections that are numbers."""

    errors: tuple[type[Exception], ...] = (ArithmeticError,)

    def __init__(self) -> None:
        self.numbers: Iterator[int] = count(1)
        self.stale: set[int] = set()
        self.closed: list[int] = []
        self.forgotten: list[int] = []

    def connect(self) -> int:
        return next(self.numbers)

    def execute(self, connection: int, statement: str, parameters: Parameters) -> Answer:
        return Answer([], connection)

    def is_stale(self, connection: int) -> object:
        return connection in self.stale

    def close(self, connection: int) -> None:
        self.closed.append(connection)

    def forget(self, connection: int) -> None:
        self.forgotten.append(connection)

    def fault(self, error: Exception) -> tuple[Fault, str]:
        return Fault.REFUSED, str(error)


class AsyncNumbers(Numbers):
    delay = 0.0

    async def connect(self) -> int:  # type: ignore[override]
        return next(self.numbers)

    async def execute(self, *args: Any) -> Answer:  # type: ignore[override]
        await asyncio.sleep(self.delay)
        return Answer([("sojourn layout 1",)], 1)

    def abort(self, connection: int) -> None:
        self.closed.append(connection)

    async def close(self, connection: int) -> None:  # type: ignore[override]
        self.closed.append(connection)


def test_the_one_used_last_is_used_first() -> None:
    pool = Pool(Numbers(), 3, 1.0)
    first, second = pool.take(), pool.take()
    pool.put(first)
    pool.put(second)
    assert pool.take() == second


def test_one_that_died_is_passed_by() -> None:
    driver = Numbers()
    pool = Pool(driver, 1, 1.0)
    pool.put(pool.take())
    driver.stale.add(1)
    assert (pool.take(), driver.closed) == (2, [1])


def test_there_are_never_more_than_its_size() -> None:
    pool = Pool(Numbers(), 1, 0.05)
    connection = pool.take()
    with pytest.raises(StoreUnavailable, match="all 1 connections"):
        pool.take()
    pool.discard(connection)
    assert pool.take() == 2


def test_who_waits_gets_the_next_one() -> None:
    pool = Pool(Numbers(), 2, 5.0)
    taken = [pool.take(), pool.take()]
    got: list[int] = []
    threads = [threading.Thread(target=lambda: got.append(pool.take())) for _ in range(2)]
    for thread in threads:
        thread.start()
    pool.put(taken[0])
    pool.discard(taken[1])
    for thread in threads:
        thread.join(5)
    assert sorted(got) == [1, 3]


def test_many_threads_share_few() -> None:
    driver = Numbers()
    pool = Pool(driver, 3, 5.0)

    def work() -> None:
        for _ in range(200):
            pool.put(pool.take())

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert next(driver.numbers) <= 4


def test_a_child_of_fork_begins_with_none() -> None:
    driver = Numbers()
    pool = Pool(driver, 1, 0.1)
    pool.put(pool.take())
    pool.forget()
    assert (pool.take(), driver.forgotten, driver.closed) == (2, [1], [])


async def test_tasks_share_few() -> None:
    driver = AsyncNumbers()
    pool = AsyncPool(driver, 2, 5.0)

    async def work() -> None:
        connection = await pool.take()
        await asyncio.sleep(0.001)
        await pool.put(connection)

    await asyncio.gather(*(work() for _ in range(20)))
    assert next(driver.numbers) == 3


async def test_a_task_waits_for_a_bounded_time() -> None:
    pool = AsyncPool(AsyncNumbers(), 1, 0.05)
    connection = await pool.take()
    with pytest.raises(StoreUnavailable, match="all 1 connections"):
        await pool.take()
    await pool.put(connection)
    assert await pool.take() == connection


async def test_who_is_cancelled_as_it_is_handed_one_gives_it_back() -> None:
    pool = AsyncPool(AsyncNumbers(), 1, 5.0)
    connection = await pool.take()
    waiting = asyncio.ensure_future(pool.take())
    await asyncio.sleep(0)
    await pool.put(connection)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asyncio.wait_for(pool.take(), 1) == connection


async def test_a_cancelled_statement_spoils_its_connection() -> None:
    driver = AsyncNumbers()
    pool = AsyncPool(driver, 1, 1.0)
    sql = statements(SQLITE, "t")
    link = AsyncLink(pool, driver, sql, create=False)
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
    driver = AsyncNumbers()
    pool = AsyncPool(driver, 2, 1.0)

    async def use() -> int:
        connection: int = await pool.take()
        await pool.put(connection)
        return connection

    assert [asyncio.run(use()), asyncio.run(use())] == [1, 2]
    assert driver.closed == [1]
