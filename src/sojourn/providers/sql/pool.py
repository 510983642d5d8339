"""A few connections for the tasks of each event loop, the one used last first.

A connection serves one statement at a time, and comes back only if its answer was read to the end:
one that failed, or whose task was cancelled in the middle, is closed.  One that died while it lay
here is noticed before anything is sent through it.  Threads have `sojourn.providers.pool`.

A child of `fork` begins with none: those of its parent are left as they are.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from math import inf
from threading import Lock
from time import monotonic
from typing import Any

from sojourn._loops import running_loop
from sojourn._processes import PerProcess
from sojourn.providers.pool import all_in_use, leave_in_children
from sojourn.providers.sql.driver import AsyncDriver

Connection = Any


class AsyncPool:
    """At most `size` connections for each event loop."""

    def __init__(
        self, driver: AsyncDriver, size: int, timeout: float, longest_idle: float | None = None
    ) -> None:
        """Open none yet.

        timeout: seconds that who finds all in use waits for one.
        longest_idle: seconds after which an idle one is closed rather than used.
        """
        self._driver = driver
        self._size = size
        self._timeout = timeout
        self._longest_idle = inf if longest_idle is None else longest_idle
        self._loops = PerProcess(_Loops, partial(_leave, driver))
        leave_in_children(self._loops)

    async def take(self) -> Connection:
        """Return a connection that is alive as far as can be seen; raise StoreUnavailable."""
        shelf = self._shelf()
        while True:
            since = monotonic()
            if shelf.idle:
                connection, since = shelf.idle.pop()
            elif shelf.open < self._size:
                return await self._connect(shelf)
            else:
                connection = await self._wait(shelf)
                if connection is None:
                    continue
            is_old = monotonic() - since >= self._longest_idle
            if not is_old and not self._driver.is_stale(connection):
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
        await self.drop_idle(inf)

    async def drop_idle(self, since: float) -> None:
        """Close those that were put back before `since`, as `Pool.drop_idle`."""
        shelf = self._shelf()
        while shelf.idle and shelf.idle[0][1] < since:
            connection, _ = shelf.idle.pop(0)
            shelf.leave()
            await self._driver.close(connection)

    def _shelf(self) -> _Shelf:
        loop, loops = running_loop(), self._loops()
        return loops.shelves.get(loop) or self._new(loop, loops)

    def _new(self, loop: asyncio.AbstractEventLoop, loops: _Loops) -> _Shelf:
        """Make the shelf of a loop, and clear those of loops that have ended."""
        with loops.lock:  # loops run in threads of their own
            for ended in [each for each in loops.shelves if each.is_closed()]:
                for connection, _ in loops.shelves.pop(ended).idle:
                    self._driver.abort(connection)
            shelf = loops.shelves[loop] = _Shelf()
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


class _Loops:
    """The event loops of one process."""

    def __init__(self) -> None:
        self.shelves: dict[asyncio.AbstractEventLoop, _Shelf] = {}
        self.lock = Lock()


def _leave(driver: AsyncDriver, loops: _Loops) -> None:
    """Forget the connections of a parent of this process."""
    for shelf in loops.shelves.values():
        for connection, _ in shelf.idle:
            driver.forget(connection)


class _Shelf:
    """The connections of one event loop."""

    def __init__(self) -> None:
        self.idle: list[tuple[Connection, float]] = []
        """Each with the time when it was put back."""
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
            self.idle.append((connection, monotonic()))

    def leave(self) -> None:
        self.open -= 1
        self.give(None)


def _is_handed_over(turn: asyncio.Future[Connection | None]) -> bool:
    return turn.done() and not turn.cancelled()
