"""Lower bounds ("floors") of the cost: the plain operations of a store, and one pass of a codec.

Each kind of store has its own floors, one for each available driver.  The timed code is a
function, or a coroutine function that is awaited in one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from inspect import iscoroutinefunction
from itertools import repeat
from pathlib import Path
from time import perf_counter
from typing import Any

from bench.floors import local, redis, sql
from bench.floors.local import CREATE, DECODE, ENCODE, LOOKUP, OPEN, REPLACE, TOKEN

BLOCKS = 5
"""The number of times that a floor is timed in a round."""

OPENED = {
    "memory": local.memory,
    "redis": redis.opened,
    "mysql": sql.mysql,
    "postgres": sql.postgres,
    "sqlite": sql.sqlite,
    "file": local.files,
}
"""The floors of each kind of store: a context manager that yields functions by their names."""

SUMS = {
    ("memory", "read"): (LOOKUP, DECODE),
    ("memory", "write"): (LOOKUP, DECODE, ENCODE, LOOKUP),
    ("memory", "new"): (TOKEN, ENCODE, LOOKUP),
    ("redis", "read"): (redis.SOCKET_GET, DECODE),
    ("redis", "write"): (redis.SOCKET_GET_SET, DECODE, ENCODE),
    ("redis", "new"): (TOKEN, ENCODE, redis.SOCKET_SET),
    ("mysql", "read"): (sql.MYSQL_SELECT, DECODE),
    ("mysql", "write"): (sql.MYSQL_UPDATE, DECODE, ENCODE),
    ("mysql", "new"): (TOKEN, ENCODE, sql.MYSQL_INSERT),
    ("postgres", "read"): (sql.POSTGRES_SELECT, DECODE),
    ("postgres", "write"): (sql.POSTGRES_UPDATE, DECODE, ENCODE),
    ("postgres", "new"): (TOKEN, ENCODE, sql.POSTGRES_INSERT),
    ("sqlite", "read"): (sql.SQLITE_SELECT, DECODE),
    ("sqlite", "write"): (sql.SQLITE_UPDATE, DECODE, ENCODE),
    ("sqlite", "new"): (TOKEN, ENCODE, sql.SQLITE_INSERT),
    ("file", "read"): (OPEN, DECODE),
    ("file", "write"): (OPEN, DECODE, ENCODE, REPLACE),
    ("file", "new"): (TOKEN, ENCODE, CREATE),
}
"""The operations that a request needs at least if the whole session goes through the codec."""
STORES = tuple(dict.fromkeys(store for store, _ in SUMS))
"""The stores that have a floor; Sojourn is compared with the floors of these."""


def timed(store: str, size: str, folder: Path, seconds: float) -> Iterator[tuple[str, float]]:
    """Measure each floor of a store several times; yield its name and the microseconds."""
    if store not in OPENED:
        return
    with asyncio.Runner() as loop, OPENED[store](size, folder, loop) as functions:
        for name, function in functions.items():
            yield from ((name, cost) for cost in _microseconds(function, loop, seconds))


def _microseconds(function: Callable[[], Any], loop: asyncio.Runner, seconds: float) -> list[float]:
    spent, nothing = _timers(function, loop)
    once = max(spent(5) / 5, 1e-8)
    times = max(5, int(seconds / once))
    return [max(0.0, (spent(times) - nothing(times)) / times * 1e6) for _ in range(BLOCKS)]


def _timers(function: Callable[[], Any], loop: asyncio.Runner) -> list[Callable[[int], float]]:
    """Return two timers: one for calls of the function, and one for as many empty calls."""
    if iscoroutinefunction(function):
        return [lambda times, it=it: loop.run(_awaited(it, times)) for it in (function, _soon)]
    return [lambda times, it=it: _called(it, times) for it in (function, _nothing)]


def _called(function: Callable[[], object], times: int) -> float:
    begin = perf_counter()
    for _ in repeat(None, times):
        function()
    return perf_counter() - begin


async def _awaited(function: Callable[[], Any], times: int) -> float:
    begin = perf_counter()
    for _ in repeat(None, times):
        await function()
    return perf_counter() - begin


def _nothing() -> None:
    pass


async def _soon() -> None:
    pass
