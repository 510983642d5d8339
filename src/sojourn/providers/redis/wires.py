"""The wire that leads to what the settings say."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from functools import partial
from threading import Lock
from typing import Any

from sojourn.providers.redis.asking import AsyncWire, Wire
from sojourn.providers.redis.cluster import AsyncCluster, Cluster
from sojourn.providers.redis.lane import Lane
from sojourn.providers.redis.server import Server
from sojourn.providers.redis.settings import Settings
from sojourn.providers.redis.verbs import Command, Words


def wire(settings: Settings) -> Wire:
    """Return the wire for threads."""
    connect, seeds, _ = settings.target

    def server(*place: Any) -> Server:
        return Server(
            partial(connect, *place),
            size=settings.pool,
            timeout=settings.timeout,
            longest_idle=settings.longest_idle,
        )

    return Cluster(seeds, lambda place: server(*place)) if seeds else server()


def async_wire(settings: Settings) -> AsyncWire:
    """Return the wire for tasks, of any event loop."""
    connect, seeds, _ = settings.target

    def lane(*place: Any) -> Lane:
        return Lane(
            partial(connect, *place), timeout=settings.timeout, longest_idle=settings.longest_idle
        )

    def wire() -> AsyncWire:
        return AsyncCluster(seeds, lambda place: lane(*place)) if seeds else lane()

    return Loops(wire)


class Loops:
    """A wire for each event loop: connections belong to the loop that made them."""

    def __init__(self, make: Callable[[], AsyncWire]) -> None:
        self._make = make
        self._wires: dict[AbstractEventLoop, AsyncWire] = {}
        self._lock = Lock()

    def call(self, words: Words, tag: str) -> Coroutine[Any, Any, Any]:
        return self._here().call(words, tag)

    def calls(self, commands: Sequence[Command]) -> Coroutine[Any, Any, list[Any]]:
        return self._here().calls(commands)

    def lasting(self, commands: Sequence[Command]) -> Coroutine[Any, Any, list[Any]]:
        return self._here().lasting(commands)

    def servers(self) -> AsyncIterator[AsyncWire]:
        return self._here().servers()

    async def close(self) -> None:
        """Close those of this loop; what a loop that has ended held is gone with it."""
        with self._lock:
            wire = self._wires.pop(asyncio.get_running_loop(), None)
        if wire is not None:
            await wire.close()

    def _here(self) -> AsyncWire:
        loop = asyncio.get_running_loop()
        return self._wires.get(loop) or self._new(loop)

    def _new(self, loop: AbstractEventLoop) -> AsyncWire:
        """Make the wire of a loop, and forget those of loops that have ended."""
        with self._lock:  # loops run in threads of their own
            for ended in [one for one in self._wires if one.is_closed()]:
                del self._wires[ended]
            wire = self._wires[loop] = self._make()
            return wire
