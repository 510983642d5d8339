"""A few connections for the tasks of each event loop, the one used last first.

A connection serves one statement at a time, and comes back only if its answer was read to the end:
one that failed, or whose task was cancelled in the middle, is closed.  One that died while it lay
here is noticed before anything is sent through it.  Threads have `sojourn.providers.pool`.

A child of `fork` begins with none: those of its parent are left as they are.
"""

from __future__ import annotations

import asyncio
from collections import deque
from threading import Lock
from typing import Any

from sojourn.providers.pool import all_in_use, forget_in_children, leave_to_parent
from sojourn.providers.sql.driver import AsyncDriver

Connection = Any


class AsyncPool:
    """At most `size` connections for each event loop."""

    def __init__(self, driver: AsyncDriver, size: int, timeout: float) -> None:
        """Open none yet.  Who finds all of them in use waits `timeout` seconds at most."""
        self._driver = driver
        self._size = size
        self._timeout = timeout
        self._shelves: dict[asyncio.AbstractEventLoop, _Shelf] = {}
        self._lock = Lock()
        forget_in_children(self)

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
        leave_to_parent(self._shelves)
        self._shelves = {}
        self._lock = Lock()

    def _shelf(self) -> _Shelf:
        loop = asyncio.get_running_loop()
        return self._shelves.get(loop) or self._new(loop)

    def _new(self, loop: asyncio.AbstractEventLoop) -> _Shelf:
        """Make the shelf of a loop, and clear those of loops that have ended."""
        with self._lock:  # loops run in threads of their own
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
            if _is_handed_over(turn):  # in this very turn of the loop
                return turn.result()
            raise all_in_use(self._size, self._timeout) from None
        except asyncio.CancelledError:
            if _is_handed_over(turn):
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


def _is_handed_over(turn: asyncio.Future[Connection | None]) -> bool:
    return turn.done() and not turn.cancelled()
