"""Connections of one process to a store: a bounded stack of idle ones, the last used on top.

What the request path pays is one `list.pop` and one `list.append`, which are atomic; the lock is
taken only where a connection is opened, dropped or waited for.  An idle connection is looked at
before it is used again: what is sent to a server that has closed it is lost, and nobody could tell
whether it was heard.  After a fork the child begins with none: two processes must never share one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from threading import Condition
from time import monotonic
from typing import Generic, TypeVar

from sojourn.errors import StoreUnavailable

C = TypeVar("C")


class Pool(Generic[C]):
    """At most `size` connections; who finds none free waits for at most `timeout` seconds."""

    def __init__(
        self,
        *,
        connect: Callable[[], C],
        close: Callable[[C], object],
        is_alive: Callable[[C], bool],
        size: int,
        timeout: float,
        longest_idle: float | None = None,
    ) -> None:
        self._connect = connect
        self._close = close
        self._is_alive = is_alive
        self._size = size
        self._timeout = timeout
        self._longest_idle = longest_idle
        self._begin()

    def take(self) -> C:
        """Return a connection that nobody else has; StoreUnavailable if none comes free."""
        if self._pid != os.getpid():
            self._begin()
        deadline: float | None = None
        while True:
            try:
                connection, since = self._idle.pop()
            except IndexError:
                deadline = deadline or monotonic() + self._timeout
                if self._may_open(deadline):
                    return self._one_more()
                continue  # one came free
            if self._is_usable(connection, since):
                return connection
            self.drop(connection)

    def give(self, connection: C) -> None:
        """Take back a connection that is ready for whoever comes next."""
        self._idle.append((connection, monotonic()))
        if self._waiting:
            with self._change:
                self._change.notify()

    def drop(self, connection: C) -> None:
        """Close a connection of which nobody knows what will come next."""
        self._closed()
        self._close(connection)

    def drain(self) -> None:
        """Close what is idle."""
        with suppress(IndexError):
            while True:
                self.drop(self._idle.pop()[0])

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._idle: list[tuple[C, float]] = []
        self._change = Condition()
        self._opened = 0
        self._waiting = 0

    def _is_usable(self, connection: C, since: float) -> bool:
        if self._longest_idle is not None and monotonic() - since >= self._longest_idle:
            return False
        return self._is_alive(connection)

    def _one_more(self) -> C:
        try:
            return self._connect()
        except BaseException:
            self._closed()
            raise

    def _may_open(self, deadline: float) -> bool:
        """Wait for one to come free, or for leave to open one more; whether it is leave."""
        with self._change:
            self._waiting += 1
            try:
                free = self._change.wait_for(self._has_room, deadline - monotonic())
            finally:
                self._waiting -= 1
            if not free:
                raise StoreUnavailable(
                    f"all {self._size} connections to the store were busy for"
                    f" {self._timeout:g} s: a larger `pool` allows more"
                )
            if self._idle:
                return False
            self._opened += 1
            return True

    def _has_room(self) -> bool:
        return bool(self._idle) or self._opened < self._size

    def _closed(self) -> None:
        with self._change:
            self._opened -= 1
            self._change.notify()
