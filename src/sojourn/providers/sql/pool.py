"""A few connections, the one used last first, for the threads of a process or for an event loop.

A connection serves one statement at a time, and comes back only if its answer was read to the end:
one that failed, or whose task was cancelled in the middle, is closed.  One that died while it lay
here is noticed before anything is sent through it.

A child of `fork` begins with none: those of its parent are left as they are.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
import weakref
from collections import deque
from typing import Any

from sojourn.errors import StoreUnavailable
from sojourn.providers.sql.driver import AsyncDriver, Driver

Connection = Any


class Pool:
    """At most `size` connections, for any number of threads."""

    def __init__(self, driver: Driver, size: int, timeout: float) -> None:
        """Open none yet.  Who finds all of them in use waits `timeout` seconds at most."""
        self._driver = driver
        self._size = size
        self._timeout = timeout
        self._begin()
        _pools.add(self)

    def take(self) -> Connection:
        """Return a connection that is alive as far as can be seen; raise StoreUnavailable."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._wait()
                if connection is None:
                    return self._connect()
            if not self._driver.is_stale(connection):
                return connection
            self.discard(connection)

    def put(self, connection: Connection) -> None:
        """Take back a connection whose last answer was read."""
        self._idle.append(connection)
        if self._waiting:
            with self._changed:
                self._changed.notify()

    def discard(self, connection: Connection) -> None:
        """Close a connection of which nobody knows what it would answer next."""
        self._driver.close(connection)
        self._leave()

    def close(self) -> None:
        """Close those that nobody uses."""
        while self._idle:
            self.discard(self._idle.pop())

    def forget(self) -> None:
        """Begin anew in a child of `fork`."""
        for connection in self._idle:
            self._driver.forget(connection)
        _inherited.append(self._idle)  # to let go of them would be to close them
        self._begin()

    def _begin(self) -> None:
        self._idle: list[Connection] = []
        self._open = self._waiting = 0
        self._changed = threading.Condition(threading.Lock())

    def _connect(self) -> Connection:
        try:
            return self._driver.connect()
        except BaseException:
            self._leave()
            raise

    def _leave(self) -> None:
        with self._changed:
            self._open -= 1
            self._changed.notify()

    def _wait(self) -> Connection | None:
        """Wait for a connection, or for leave to open one: then None is returned."""
        deadline = time.monotonic() + self._timeout
        with self._changed:
            self._waiting += 1  # before looking: who puts one back looks after putting
            try:
                while True:
                    if self._idle:
                        return self._idle.pop()
                    if self._open < self._size:
                        self._open += 1
                        return None
                    if not self._changed.wait(deadline - time.monotonic()):
                        raise _all_in_use(self._size, self._timeout)
            finally:
                self._waiting -= 1


class AsyncPool:
    """At most `size` connections for each event loop."""

    def __init__(self, driver: AsyncDriver, size: int, timeout: float) -> None:
        """Open none yet.  Who finds all of them in use waits `timeout` seconds at most."""
        self._driver = driver
        self._size = size
        self._timeout = timeout
        self._shelves: dict[asyncio.AbstractEventLoop, _Shelf] = {}
        _pools.add(self)

    async def take(self) -> Connection:
        """Return a connection that is alive as far as can be seen; raise StoreUnavailable."""
        shelf = self._shelf()
        while True:
            if shelf.idle:
                connection = shelf.idle.pop()
            elif shelf.open < self._size:
                return await self._connect(shelf)
            else:
                connection = await self._wait(shelf)
                if connection is None:
                    continue
            if not self._driver.is_stale(connection):
                return connection
            await self.discard(connection)

    async def put(self, connection: Connection) -> None:
        """Take back a connection whose last answer was read."""
        self._shelf().give(connection)

    async def discard(self, connection: Connection) -> None:
        """Close a connection of which nobody knows what it would answer next."""
        self._driver.abort(connection)
        self._shelf().leave()

    async def close(self) -> None:
        """Close those of this event loop that nobody uses."""
        shelf = self._shelf()
        while shelf.idle:
            connection = shelf.idle.pop()
            shelf.leave()
            await self._driver.close(connection)

    def forget(self) -> None:
        """Begin anew in a child of `fork`."""
        for shelf in self._shelves.values():
            for connection in shelf.idle:
                self._driver.forget(connection)
        _inherited.append(self._shelves)  # to let go of them would be to close them
        self._shelves = {}

    def _shelf(self) -> _Shelf:
        loop = asyncio.get_running_loop()
        shelf = self._shelves.get(loop)
        if shelf is None:
            for ended in [each for each in self._shelves if each.is_closed()]:
                for connection in self._shelves.pop(ended).idle:
                    self._driver.abort(connection)
            shelf = self._shelves[loop] = _Shelf()
        return shelf

    async def _connect(self, shelf: _Shelf) -> Connection:
        shelf.open += 1
        try:
            return await self._driver.connect()
        except BaseException:
            shelf.leave()
            raise

    async def _wait(self, shelf: _Shelf) -> Connection | None:
        """Wait for a connection, or for room to open one: then None is returned."""
        turn: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        shelf.waiting.append(turn)
        try:
            async with asyncio.timeout(self._timeout):
                return await turn
        except TimeoutError:
            raise _all_in_use(self._size, self._timeout) from None
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # handed over, too late
                shelf.give(turn.result())
            raise


class _Shelf:
    """The connections of one event loop."""

    def __init__(self) -> None:
        self.idle: list[Connection] = []
        self.open = 0
        self.waiting: deque[asyncio.Future[Connection | None]] = deque()

    def give(self, connection: Connection | None) -> None:
        """Give a connection, or the leave to open one, to whoever waited longest."""
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        if connection is not None:
            self.idle.append(connection)

    def leave(self) -> None:
        self.open -= 1
        self.give(None)


def _all_in_use(size: int, timeout: float) -> StoreUnavailable:
    return StoreUnavailable(
        f"all {size} connections to the database were in use for {timeout:g} seconds: "
        "give `pool` a greater number if the server has room for them"
    )


# -- fork --------------------------------------------------------------------------------------------

_pools: weakref.WeakSet[Pool | AsyncPool] = weakref.WeakSet()
_inherited: list[object] = []


def _forget() -> None:
    for pool in _pools:
        pool.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
