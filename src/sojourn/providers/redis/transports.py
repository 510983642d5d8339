"""The choice of the transport for the settings: to one server or a cluster, for threads or tasks.

A provider may be created in one event loop, or in none, and used in another one, or after a fork.
So no connection is opened here, and tasks find the transport of their own event loop through `Loops`.
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
from sojourn.providers.redis.cluster import AsyncCluster, Cluster
from sojourn.providers.redis.executor import AsyncTransport, Transport
from sojourn.providers.redis.multiplexed import Multiplexed
from sojourn.providers.redis.replies import Command
from sojourn.providers.redis.server import Server
from sojourn.providers.redis.settings import Settings


def transport(settings: Settings) -> Transport:
    """Return the transport for threads; no connection is opened yet."""
    connect, seeds, _, remap = settings.target

    def server(*place: Any) -> Server:
        return Server(
            partial(connect, *place),
            size=settings.pool,
            timeout=settings.timeout,
            longest_idle=settings.longest_idle,
        )

    return Cluster(seeds, lambda place: server(*place), remap) if seeds else server()


def async_transport(settings: Settings) -> AsyncTransport:
    """Return the transport for tasks of any event loop; no connection is opened yet."""
    connect, seeds, _, remap = settings.target

    def shared(*place: Any) -> Multiplexed:
        return Multiplexed(
            partial(connect, *place), timeout=settings.timeout, longest_idle=settings.longest_idle
        )

    def transport() -> AsyncTransport:
        return AsyncCluster(seeds, lambda place: shared(*place), remap) if seeds else shared()

    return Loops(transport)


class Loops:
    """A transport for each event loop, because a connection works only in the loop that opened it.

    The transports also belong to one process: a forked child creates new ones.
    """

    def __init__(self, make: Callable[[], AsyncTransport]) -> None:
        self._make = make
        self._mine = PerProcess(_Transports)

    def call(self, command: Command) -> Coroutine[Any, Any, Any]:
        # As `_here`, without the call, since this runs for each request.
        loop, mine = running_loop(), self._mine()
        return (mine.by_loop.get(loop) or self._new(loop, mine)).call(command)

    def calls(self, commands: Sequence[Command]) -> Coroutine[Any, Any, list[Any]]:
        return self._here().calls(commands)

    def lasting(self, commands: Sequence[Command]) -> Coroutine[Any, Any, list[Any]]:
        return self._here().lasting(commands)

    def servers(self) -> AsyncIterator[AsyncTransport]:
        return self._here().servers()

    async def close(self) -> None:
        """Close the connections of the running loop."""
        # A connection can be closed only in its own loop; if that loop is closed, it is useless
        # anyway.
        mine = self._mine()
        with mine.lock:
            transport = mine.by_loop.pop(asyncio.get_running_loop(), None)
        if transport is not None:
            await transport.close()

    def _here(self) -> AsyncTransport:
        # Without the lock, since this runs for each command: reading a dictionary is atomic.
        loop, mine = running_loop(), self._mine()
        return mine.by_loop.get(loop) or self._new(loop, mine)

    def _new(self, loop: AbstractEventLoop, mine: _Transports) -> AsyncTransport:
        """Create the transport of a loop, and drop the transports of loops that are closed."""
        with mine.lock:  # each thread may run a loop, and they share the dictionary
            for ended in [one for one in mine.by_loop if one.is_closed()]:
                del mine.by_loop[ended]
            transport = mine.by_loop[loop] = self._make()
            return transport


class _Transports:
    """The transports of one process by their event loops."""

    def __init__(self) -> None:
        self.by_loop: dict[AbstractEventLoop, AsyncTransport] = {}
        self.lock = Lock()
