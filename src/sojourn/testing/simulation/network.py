"""A simulated network between the processes of an application and their store.

Calls and answers are delayed, overtake each other, or get lost.  A process gives a call up after a
time limit, but the call may still reach the store later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from random import Random
from typing import Any, NamedTuple

from sojourn.errors import OutcomeUnknown, StoreError, StoreUnavailable

TIMEOUT = 3.0
"""Seconds after which a process gives a call up."""
READS = frozenset({"read", "find", "scan", "count"})


class Network(NamedTuple):
    """The shares of the calls to which a fault happens."""

    slow: float = 0.0
    """Delayed by up to a second, so that others overtake them."""
    late: float = 0.0
    """Delayed by more than the time limit."""
    lost: float = 0.0
    """Lost on the way to the store."""
    unanswered: float = 0.0
    """Executed, but the answer is lost."""


NETWORKS = {
    "calm": Network(slow=0.05),
    "rough": Network(slow=0.3, late=0.01, lost=0.01, unanswered=0.02),
    "storm": Network(slow=0.3, late=0.05, lost=0.05, unanswered=0.08),
}


class Caller(NamedTuple):
    """The request that makes a call."""

    name: str
    dice: Random
    """Decides what happens to its calls, whatever other requests there are."""


caller: ContextVar[Caller] = ContextVar("caller")
"""The request to which the running task belongs."""

Execute = Callable[[float, str, str, tuple[Any, ...]], Any]
"""Executes a call that has arrived: the time, the name of the caller, the method, its arguments."""


class Server:
    """The store of a world, as the network sees it."""

    def __init__(self, execute: Execute) -> None:
        self.execute = execute
        self.up = True


class Link:
    """The connections of one process to the store."""

    def __init__(self, server: Server, network: Network) -> None:
        self._server = server
        self._network = network
        self.cut = False
        """Whether the process cannot reach the network."""
        self.alive = True
        """Whether the process lives.  A dead one receives no answers."""

    async def call(self, verb: str, *args: Any) -> Any:
        """Send a call to the store, and return its answer.

        Raises StoreUnavailable if the call cannot be sent or, for one that only reads, if no answer
        comes in time; otherwise OutcomeUnknown.
        """
        loop, mine, network = asyncio.get_running_loop(), caller.get(), self._network
        there, back, luck = self._delay(mine.dice), self._delay(mine.dice), mine.dice.random()
        if self.cut:
            await asyncio.sleep(there)
            raise StoreUnavailable("the network is down")
        answer: asyncio.Future[Any] = loop.create_future()

        def receive(value: Any, error: StoreError | None) -> None:
            if not self.alive or answer.done():
                return
            if error is None:
                answer.set_result(value)
            else:
                answer.set_exception(error)

        def arrive() -> None:
            if not self._server.up:
                loop.call_later(back, receive, None, _no_answer(verb))
                return
            value, error = None, None
            try:
                value = self._server.execute(loop.time(), mine.name, verb, args)
            except StoreError as refusal:
                error = refusal
            if luck >= network.lost + network.unanswered:
                loop.call_later(back, receive, value, error)

        if luck >= network.lost:
            loop.call_later(there, arrive)
        loop.call_later(TIMEOUT, receive, None, _no_answer(verb))
        return await answer

    def _delay(self, dice: Random) -> float:
        """Return the seconds that a message is under way."""
        luck, network = dice.random(), self._network
        if luck < network.late:
            return dice.uniform(TIMEOUT, 4 * TIMEOUT)
        if luck < network.late + network.slow:
            return dice.uniform(0.01, 1.0)
        return dice.uniform(0.001, 0.02)


def _no_answer(verb: str) -> StoreError:
    error = StoreUnavailable if verb in READS else OutcomeUnknown
    return error("the store did not answer in time")


def now_of(verb: str, args: tuple[Any, ...]) -> float | None:
    """Return the time that a call is given; None if it has none."""
    if verb == "gc":
        return float(args[0])
    if verb == "update":
        return float(args[1].now)
    return float(args[0].now) if verb == "assign" else None
