"""The choice of the wire for the settings: to one server or a cluster, for threads or tasks.

A provider may be created in one event loop, or in none, and used in another one, or after a fork.
So no connection is opened here, and tasks find the wire of their own event loop through `Loops`.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from functools import partial
from threading import Lock
from typing import Any

from sojourn._loops import running_loop
from sojourn._processes import PerProcess
from sojourn.providers.redis.asking import AsyncWire, Wire
from sojourn.providers.redis.cluster import AsyncCluster, Cluster
from sojourn.providers.redis.lane import Lane
from sojourn.providers.redis.replies import Command
from sojourn.providers.redis.server import Server
from sojourn.providers.redis.settings import Settings


def wire(settings: Settings) -> Wire:
    """Return the wire for threads; no connection is opened yet."""
    connect, seeds, _, remap = settings.target

    def server(*place: Any) -> Server:
        return Server(
            partial(connect, *place),
            size=settings.pool,
            timeout=settings.timeout,
            longest_idle=settings.longest_idle,
        )

    return Cluster(seeds, lambda place: server(*place), remap) if seeds else server()


def async_wire(settings: Settings) -> AsyncWire:
    """Return the wire for tasks, which may run in any event loop; no connection is opened yet."""
    connect, seeds, _, remap = settings.target

    def lane(*place: Any) -> Lane:
        return Lane(
            partial(connect, *place), timeout=settings.timeout, longest_idle=settings.longest_idle
        )

    def wire() -> AsyncWire:
        return AsyncCluster(seeds, lambda place: lane(*place), remap) if seeds else lane()

    return Loops(wire)


class Loops:
    """A wire for each event loop, because a connection works only in the loop that opened it.

    The wires also belong to one process: a forked child creates new ones.
    """

    def __init__(self, make: Callable[[], AsyncWire]) -> None:
        self._make = make
        self._mine = PerProcess(_Wires)

    def call(self, command: Command) -> Coroutine[Any, Any, Any]:
        return self._here().call(command)

    def calls(self, commands: Sequence[Command]) -> Coroutine[Any, Any, list[Any]]:
        return self._here().calls(commands)

    def lasting(self, commands: Sequence[Command]) -> Coroutine[Any, Any, list[Any]]:
        return self._here().lasting(commands)

    def servers(self) -> AsyncIterator[AsyncWire]:
        return self._here().servers()

    async def close(self) -> None:
        """Close the connections of the running loop."""
        # A connection can be closed only in its own loop; if that loop is closed, it is useless
        # anyway.
        mine = self._mine()
        with mine.lock:
            wire = mine.by_loop.pop(asyncio.get_running_loop(), None)
        if wire is not None:
            await wire.close()

    def _here(self) -> AsyncWire:
        # Without the lock, since this runs for each command: reading a dictionary is atomic.
        loop, mine = running_loop(), self._mine()
        return mine.by_loop.get(loop) or self._new(loop, mine)

    def _new(self, loop: AbstractEventLoop, mine: _Wires) -> AsyncWire:
        """Create the wire of a loop, and drop the wires of loops that are closed."""
        with mine.lock:  # each thread may run a loop, and they share the dictionary
            for ended in [one for one in mine.by_loop if one.is_closed()]:
                del mine.by_loop[ended]
            wire = mine.by_loop[loop] = self._make()
            return wire


class _Wires:
    """The wires of one process by their event loops."""

    def __init__(self) -> None:
        self.by_loop: dict[AbstractEventLoop, AsyncWire] = {}
        self.lock = Lock()
