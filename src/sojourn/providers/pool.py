"""Connections of one process to a store: a bounded stack of idle ones, the last used on top.

What the request path pays is one `list.pop` and one `list.append`, which are atomic; the lock is
taken only where a connection is opened, closed or waited for.  An idle connection is looked at
before it is used again: what is sent to a server that has closed it is lost, and nobody could tell
whether it was heard.

A child of `fork` begins with none, and leaves those of its parent as they are.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from threading import Condition, Lock
from time import monotonic
from typing import Generic, Protocol, TypeVar

from sojourn.errors import StoreUnavailable

C = TypeVar("C")


class Pool(Generic[C]):
    """At most `size` connections, for any number of threads."""

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
        """Open none yet.

        is_stale: whether an idle connection has died, as far as can be seen from here.
        timeout: seconds that who finds all in use waits for one.
        longest_idle: seconds after which an idle one is closed rather than used.
        forget: makes sure that the end of a connection, in a child, is none for its parent.
        """
        self._connect = connect
        self._close = close
        self._is_stale = is_stale
        self._size = size
        self._timeout = timeout
        self._longest_idle = longest_idle
        self._forget = forget
        self._begin()
        forget_in_children(self)

    def take(self) -> C:
        """Return a connection that nobody else has; StoreUnavailable if none comes free."""
        while True:
            try:
                connection, since = self._idle.pop()
            except IndexError:
                found = self._wait()
                if found is None:
                    return self._one_more()
                connection, since = found
            if not self._is_old(since) and not self._is_stale(connection):
                return connection
            self.discard(connection)

    def put(self, connection: C) -> None:
        """Take back a connection that is ready for whoever comes next."""
        self._idle.append((connection, monotonic()))
        if self._waiting:
            with self._changed:
                self._changed.notify()

    def discard(self, connection: C) -> None:
        """Close a connection of which nobody knows what it would answer next."""
        try:
            self._close(connection)
        finally:
            self._leave()

    def close(self) -> None:
        """Close those that nobody uses."""
        while self._idle:
            try:
                connection, _ = self._idle.pop()
            except IndexError:  # somebody took it meanwhile
                return
            self.discard(connection)

    def forget(self) -> None:
        """Begin anew, in a child."""
        for connection, _ in self._idle:
            if self._forget is not None:
                self._forget(connection)
        leave_to_parent(self._idle)
        self._begin()

    def _begin(self) -> None:
        self._idle: list[tuple[C, float]] = []
        self._open = self._waiting = 0
        self._changed = Condition(Lock())

    def _is_old(self, since: float) -> bool:
        return self._longest_idle is not None and monotonic() - since >= self._longest_idle

    def _one_more(self) -> C:
        try:
            return self._connect()
        except BaseException:
            self._leave()
            raise

    def _leave(self) -> None:
        with self._changed:
            self._open -= 1
            self._changed.notify()

    def _wait(self) -> tuple[C, float] | None:
        """Wait for a connection, or for leave to open one: then None is returned."""
        deadline = monotonic() + self._timeout
        with self._changed:
            self._waiting += 1  # before looking: who puts one back looks after putting
            try:
                while True:
                    try:
                        return self._idle.pop()
                    except IndexError:
                        pass
                    if self._open < self._size:
                        self._open += 1
                        return None
                    if not self._changed.wait(deadline - monotonic()):
                        raise all_in_use(self._size, self._timeout)
            finally:
                self._waiting -= 1


def all_in_use(size: int, timeout: float) -> StoreUnavailable:
    """Return the error for who has waited in vain."""
    return StoreUnavailable(
        f"all {size} connections to the store were in use for {timeout:g} seconds: give `pool` a"
        " greater number if the server has room for them"
    )


# -- fork ------------------------------------------------------------------------------------------


class Forgetful(Protocol):
    """What holds connections of its process."""

    def forget(self) -> None:
        """Begin anew, in a child."""


_pools: weakref.WeakSet[Forgetful] = weakref.WeakSet()
_inherited: list[object] = []


def forget_in_children(pool: Forgetful) -> None:
    """Have it begin anew in each child, before any thread of that runs."""
    _pools.add(pool)


def leave_to_parent(connections: object) -> None:
    """Never let go of them in this child: to do so might be to close them."""
    _inherited.append(connections)


def _forget() -> None:
    for pool in _pools:
        pool.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
