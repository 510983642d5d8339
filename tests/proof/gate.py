"""A gate before a store, at which the calls of all requests wait until a schedule lets them through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from typing import Any, NamedTuple

from sojourn import Provider
from sojourn.record import Record

request: ContextVar[int] = ContextVar("request")
"""The number of the request to which the running task belongs."""
VERBS = frozenset({"read", "create", "update", "destroy", "count", "gc", "assign"})


class Call(NamedTuple):
    """A call that the store has executed."""

    request: int
    """The number of the request that made it."""
    verb: str
    made: float
    """When it was made, by the clock of the test."""
    executed: float
    answer: Any
    id: str
    """The id that it was given; "" if none."""


class Gate:
    """Lets one call through at a time."""

    def __init__(self, choose: Callable[[int], int], clock: Callable[[], float]) -> None:
        """choose: returns which of so many waiting calls comes next."""
        self._choose = choose
        self._clock = clock
        self._waiting: list[asyncio.Future[None]] = []
        self.calls: list[Call] = []
        """The executed calls, in their order."""

    async def wait(self, verb: str, execute: Callable[[], Any], id: Any = "") -> Any:
        """Wait for the turn of a call, execute it, and return the answer."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        made = self._clock()
        await turn
        answer = execute()
        self.calls.append(Call(request.get(), verb, made, self._clock(), answer, id))
        return answer

    def open(self) -> bool:
        """Let one of the waiting calls through; return whether there was one."""
        if not self._waiting:
            return False
        turn = self._waiting.pop(self._choose(len(self._waiting)))
        turn.set_result(None)
        return True


class Gated:
    """An asynchronous provider whose calls wait at a gate before a synchronous store."""

    def __init__(self, store: Provider, gate: Gate) -> None:
        self._store = store
        self._gate = gate
        if hasattr(store, "assign"):
            # An attribute of its own, since one that is passed on might bypass `update`.
            self.assign = self.__getattr__("assign")

    def __getattr__(self, name: str) -> Any:
        if name not in VERBS:
            raise AttributeError(name)
        method = getattr(self._store, name)

        async def call(*args: Any) -> Any:
            id = args[0] if isinstance(args[0], str) else ""
            return await self._gate.wait(name, lambda: method(*args), id)

        return call

    async def find(self, user: str | None, now: float) -> AsyncIterator[Record]:
        for record in await self._gate.wait("find", lambda: list(self._store.find(user, now))):
            yield record

    async def close(self) -> None:
        """The test closes the store."""
