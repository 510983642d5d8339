"""A pool of connections for asyncio: a stack of idle ones per event loop, the last used on top.

A connection belongs to the event loop that opened it.  It serves one statement at a time, and is
put back only if its answer was read to the end; after a failure, or if its task was cancelled in
the middle of a statement, it is closed.  An idle connection is tested before it is used again.  The
pool for threads is `sojourn.providers.pool`.

Within one event loop no lock is needed: other tasks run only at an `await`.

A forked child starts with an empty pool, and leaves the connections of its parent untouched.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
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
        """Create the pool, without opening a connection.

        size: the largest number of open connections for each event loop.
        timeout: seconds to wait for a connection when all are in use.
        longest_idle: seconds after which an idle connection is closed instead of used.
        """
        self._driver = driver
        self._size = size
        self._timeout = timeout
        self._longest_idle = inf if longest_idle is None else longest_idle
        self._loops = PerProcess(_Loops, partial(_leave, driver))
        leave_in_children(self._loops)

    async def take(self) -> Connection:
        """Return a connection for exclusive use.

        Raises StoreUnavailable if none becomes free within the timeout, or the driver's own error
        if a new one cannot be opened.
        """
        shelf = self._shelf()
        # Idle connections may be dead: the loop goes on to the next one.
        while shelf.idle:
            connection, since = shelf.idle.pop()
            is_old = monotonic() - since >= self._longest_idle
            if not is_old and not self._driver.is_stale(connection):
                return connection
            await self.discard(connection)
        if shelf.open < self._size:
            shelf.open += 1
        else:
            connection = await self._wait(shelf)
            if connection is not None:
                if not self._driver.is_stale(connection):
                    return connection
                self._driver.abort(connection)
        return await self._connect(shelf)

    async def put(self, connection: Connection) -> None:
        """Take back a connection whose last answer was read to the end."""
        # Nothing is awaited here or in `discard`: a cancellation could interrupt it, and the
        # connection would be lost to the pool.
        self._shelf().give(connection)

    async def discard(self, connection: Connection) -> None:
        """Close a connection whose state is unknown, such as one with an answer still to come."""
        self._driver.abort(connection)
        self._shelf().give(None)

    async def close(self) -> None:
        """Close the idle connections of the running event loop."""
        await self.drop_idle(inf)

    async def drop_idle(self, since: float) -> None:
        """Close the connections put back before `since` (monotonic time), as `Pool.drop_idle`."""
        shelf = self._shelf()
        # The list is in the order of putting back, the oldest first.
        while shelf.idle and shelf.idle[0][1] < since:
            await self.discard(shelf.idle.pop(0)[0])

    def _shelf(self) -> _Shelf:
        loop, loops = running_loop(), self._loops()
        return loops.shelves.get(loop) or self._new(loop, loops)

    def _new(self, loop: asyncio.AbstractEventLoop, loops: _Loops) -> _Shelf:
        """Create the shelf of an event loop, and close the connections of loops that are closed."""
        # Each event loop runs in a thread of its own, so two may come here at the same time.
        with loops.lock:
            # `abort` and not `close`: nothing can be awaited on a loop that is closed.
            for ended in [each for each in loops.shelves if each.is_closed()]:
                for connection, _ in loops.shelves.pop(ended).idle:
                    self._driver.abort(connection)
            shelf = loops.shelves[loop] = _Shelf()
            return shelf

    async def _connect(self, shelf: _Shelf) -> Connection:
        """Open a connection, whose place in the pool is already counted."""
        try:
            return await self._driver.connect()
        except BaseException:
            shelf.give(None)
            raise

    async def _wait(self, shelf: _Shelf) -> Connection | None:
        """Wait for a free connection; return None if one was closed instead, so that the caller may open
        another in its place.

        Raises StoreUnavailable after the timeout.
        """
        turn: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        shelf.waiting.append(turn)
        try:
            async with asyncio.timeout(self._timeout):
                return await turn
        except TimeoutError:
            # The connection may have been handed over in the same iteration of the loop in which
            # the timeout fired.  It must not be lost, so the timeout is ignored.
            if _is_handed_over(turn):
                return turn.result()
            shelf.withdraw(turn)
            raise all_in_use(self._size, self._timeout) from None
        except asyncio.CancelledError:
            # The same for a cancellation, which is obeyed: the next task gets the connection.
            if _is_handed_over(turn):
                shelf.give(turn.result())
            else:
                shelf.withdraw(turn)
            raise


class _Loops:
    """The shelf of each event loop of one process."""

    def __init__(self) -> None:
        self.shelves: dict[asyncio.AbstractEventLoop, _Shelf] = {}
        self.lock = Lock()


def _leave(driver: AsyncDriver, loops: _Loops) -> None:
    """Let go of the parent's idle connections in a forked child."""
    for shelf in loops.shelves.values():
        for connection, _ in shelf.idle:
            driver.forget(connection)


class _Shelf:
    """The connections of one event loop."""

    def __init__(self) -> None:
        self.idle: list[tuple[Connection, float]] = []
        """Each idle connection with the monotonic time when it was put back."""
        self.open = 0
        """The number of connections that are open, being opened or in use."""
        self.waiting: deque[asyncio.Future[Connection | None]] = deque()
        """The future of each waiting task, the longest wait first."""

    def give(self, connection: Connection | None) -> None:
        """Hand a connection, or None for the place of a closed one, to the longest waiting task.

        The place remains counted for that task, so that no other can take it before it runs.
        """
        while self.waiting:
            turn = self.waiting.popleft()
            # A future is done if its task timed out or was cancelled, and has not run since.
            if not turn.done():
                turn.set_result(connection)
                return
        if connection is None:
            self.open -= 1
        else:
            self.idle.append((connection, monotonic()))

    def withdraw(self, turn: asyncio.Future[Connection | None]) -> None:
        """Remove the future of a task that waits no longer."""
        with suppress(ValueError):  # `give` has passed it over already
            self.waiting.remove(turn)


def _is_handed_over(turn: asyncio.Future[Connection | None]) -> bool:
    # A timeout or a cancellation of the task cancels the future that it awaits, unless that has its
    # result already.
    return turn.done() and not turn.cancelled()
