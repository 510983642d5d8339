"""A pool of connections to a store: a bounded stack of idle ones, the last used on top.

A request costs one `list.pop` and one `list.append`, which are atomic; the lock is taken only
when a connection is opened, closed or waited for.  An idle connection is tested before it is used
again: if the server has closed it, the command would be lost, and the client could not find out
whether the server had executed it.

A forked child starts with an empty pool, and leaves the connections of its parent untouched.
"""

from __future__ import annotations

import atexit
import os
import socket
import weakref
from collections.abc import Callable
from functools import partial
from math import inf
from threading import Condition, Lock
from time import monotonic
from typing import Any, Generic, TypeVar

from sojourn._processes import PerProcess
from sojourn.errors import StoreUnavailable

C = TypeVar("C")

_KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}
KEEPALIVE = {
    getattr(socket, name): value for name, value in _KEEPALIVE.items() if hasattr(socket, name)
}
"""TCP keepalive options: after a minute of silence the system probes the other end.  Without that,
firewalls and load balancers drop the connection after 4 minutes or more."""


class Pool(Generic[C]):
    """At most `size` connections per process, shared by any number of threads."""

    def __init__(
        self,
        *,
        connect: Callable[[], C],
        close: Callable[[C], object],
        is_stale: Callable[[C], object],
        size: int,
        timeout: float,
        longest_idle: float | None = None,
        forget: Callable[[C], object] | None = None,
    ) -> None:
        """Create the pool, without opening a connection.

        connect: opens a connection.
        close: closes one.
        is_stale: returns whether an idle connection is dead, as far as this end can see.
        size: the largest number of open connections.
        timeout: seconds to wait for a connection when all are in use.
        longest_idle: seconds after which an idle connection is closed instead of used.
        forget: called in a forked child with each idle connection of the parent; it must ensure
            that dropping the connection in the child does not end it for the parent.
        """
        self._connect = connect
        self._close = close
        self._is_stale = is_stale
        self._size = size
        self._timeout = timeout
        self._longest_idle = longest_idle
        self._shelf: PerProcess[_Shelf[C]] = PerProcess(_Shelf, partial(_leave, forget))
        leave_in_children(self._shelf)

    def take(self) -> C:
        """Return a connection for exclusive use.

        Raises StoreUnavailable if none becomes free within the timeout.
        """
        shelf = self._shelf()
        while True:
            try:
                connection, since = shelf.idle.pop()
            except IndexError:
                found = self._wait(shelf)
                if found is None:
                    return self._one_more()
                connection, since = found
            try:
                if not self._is_old(since) and not self._is_stale(connection):
                    return connection
            # Such as a Timeout of gevent, whose `poll` switches to other greenlets.
            except BaseException:
                self.discard(connection)
                raise
            # Other connections may be stale too: the loop takes the next one, or opens a new one.
            self.discard(connection)

    def take_nowait(self) -> C:
        """Return an idle connection for exclusive use; raise BlockingIOError if none is usable.

        It neither opens, closes nor waits for a connection: a stale one is left for `take`.
        """
        shelf = self._shelf()
        try:
            connection, since = entry = shelf.idle.pop()
        except IndexError:
            raise BlockingIOError from None
        if self._is_old(since) or self._is_stale(connection):
            _give(shelf, entry)
            raise BlockingIOError
        return connection

    def put(self, connection: C) -> None:
        """Take back a connection that is ready for its next use."""
        # The shelf is known: the connection was taken from it.
        _give(self._shelf.known, (connection, monotonic()))

    def discard(self, connection: C) -> None:
        """Close a connection whose state is unknown, such as one with an answer still to come."""
        try:
            self._close(connection)
        finally:
            # Even if closing fails, the connection's place must become free.
            self._leave()

    def close(self) -> None:
        """Close all idle connections."""
        self.drop_idle(inf)

    def drop_idle(self, since: float) -> None:
        """Close the connections that were put back before `since` (monotonic time), oldest first.

        Called after one connection broke: others that were idle as long are probably dead too,
        since a load balancer drops connections by age without notice, and each would fail a
        request.
        """
        idle = self._shelf().idle
        for entry in [one for one in idle.copy() if one[1] < since]:
            try:
                idle.remove(entry)
            except ValueError:  # another thread has taken it in the meantime
                continue
            self.discard(entry[0])

    def _is_old(self, since: float) -> bool:
        """Whether a connection was idle for too long; since: when it was put back."""
        return self._longest_idle is not None and monotonic() - since >= self._longest_idle

    def _one_more(self) -> C:
        """Open a connection, whose place in the pool is already counted."""
        try:
            return self._connect()
        except BaseException:
            self._leave()
            raise

    def _leave(self) -> None:
        """Give up the place of one connection, and wake a thread that waits for one."""
        shelf = self._shelf()
        with shelf.lock:
            shelf.open -= 1
            shelf.changed.notify()

    def _wait(self, shelf: _Shelf[C]) -> tuple[C, float] | None:
        """Wait for an idle connection; return None if the caller may open a new one instead."""
        deadline = monotonic() + self._timeout
        with shelf.lock:
            shelf.waiting += 1  # counted before looking at the stack: see `_give`
            try:
                while True:
                    try:
                        return shelf.idle.pop()
                    except IndexError:
                        pass
                    # Counted now, so that the caller may open it after the lock is released:
                    # connecting may take seconds.
                    if shelf.open < self._size:
                        shelf.open += 1
                        return None
                    if not shelf.changed.wait(deadline - monotonic()):
                        raise all_in_use(self._size, self._timeout)
            finally:
                shelf.waiting -= 1


class _Shelf(Generic[C]):
    """The connections of one process."""

    def __init__(self) -> None:
        self.idle: list[tuple[C, float]] = []
        """Each idle connection with the monotonic time when it was put back."""
        self.open = 0
        self.waiting = 0
        # Entered by itself and not through the condition, whose `__enter__` is written in Python: an
        # interrupt (Ctrl-C) in it would leave the lock taken.
        self.lock = Lock()
        self.changed = Condition(self.lock)


def _give(shelf: _Shelf[C], entry: tuple[C, float]) -> None:
    """Put a connection on the shelf, and wake a thread that waits for one."""
    shelf.idle.append(entry)
    # Read without the lock: `_wait` increments the count before it looks at the stack, and this
    # function appends before it looks at the count, so one of the two sees the other.
    if shelf.waiting:
        with shelf.lock:
            shelf.changed.notify()


def _leave(forget: Callable[[C], object] | None, shelf: _Shelf[C]) -> None:
    """Abandon the parent's idle connections in a forked child."""
    if forget is not None:
        for connection, _ in shelf.idle:
            forget(connection)


def all_in_use(size: int, timeout: float) -> StoreUnavailable:
    """Return the error for a caller for which no connection became free in time."""
    return StoreUnavailable(
        f"all {size} connections to the store were in use for {timeout:g} seconds: give `pool` a"
        " greater number if the server has room for them"
    )


# -- fork ------------------------------------------------------------------------------------------

# `PerProcess` ensures that a child never uses a connection of its parent.  But even a child that
# never uses the store closes inherited connections when its objects are collected, and a driver may
# then send a message that ends the parent's connection.  The code below prevents that.
_shelves: weakref.WeakSet[PerProcess[Any]] = weakref.WeakSet()


def leave_in_children(shelf: PerProcess[Any]) -> None:
    """Register a shelf, whose connections each forked child abandons, at the latest at its end."""
    _shelves.add(shelf)


def _leave_all() -> None:
    """Abandon the connections that this process inherited from its parent, without closing them."""
    for shelf in _shelves:
        shelf.leave_to_parent()


# At the end of the process for a fork in C (such as uWSGI's), of which Python does not notify.
atexit.register(_leave_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all)
