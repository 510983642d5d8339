"""Many visitors at once, by threads and by tasks, while a test lets a store fail.

Each colour has one manager from the beginning to the end: what failed must be of no consequence to
it afterwards.  How long each request took is written down, and what came of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple, Self

from sojourn import AsyncManager, AsyncProvider, Manager, Provider
from sojourn.errors import OutcomeUnknown, StoreError
from tests.faults.stories import Deed, Story, Vanished, Visitor

COLOURS = ("sync", "async")
THREADS, TASKS = 4, 8
AFTER_ALL = 0.002
"""Seconds between two requests of a visitor: the servers and the test want to live too."""
AFTER_A_FAULT = 0.02
PATIENCE = 30.0
"""Seconds after which a load that does not come to itself again fails the test."""


class Request(NamedTuple):
    """How one request went."""

    colour: str
    verb: str
    begun: float
    ended: float
    error: Exception | None

    @property
    def seconds(self) -> float:
        return self.ended - self.begun


class Load:
    """Visitors who come from the beginning of a block to its end."""

    bound: float
    """How many seconds a request may take, whatever it does and whatever fails."""

    def __init__(self, *, filler: int = 0) -> None:
        self.requests = list[Request]()
        self.threads = [Visitor(f"thread{n}", filler=filler) for n in range(THREADS)]
        self.tasks = [Visitor(f"task{n}", filler=filler) for n in range(TASKS)]
        self._goes_on = True
        self._pool = ThreadPoolExecutor(THREADS + 1)
        self._work = list[Future[None]]()

    def provider(self) -> Provider:
        """A way into the store for threads."""
        raise NotImplementedError

    def async_provider(self) -> AsyncProvider:
        """A way into the store for tasks."""
        raise NotImplementedError

    @property
    def visitors(self) -> list[Visitor]:
        return [*self.threads, *self.tasks]

    @property
    def stories(self) -> list[Story]:
        return [story for visitor in self.visitors for story in visitor.stories]

    def __enter__(self) -> Self:
        self._manager = Manager(self.provider())
        self._work = [self._pool.submit(self._visits, each) for each in self.threads]
        self._work.append(self._pool.submit(asyncio.run, self._all_tasks()))
        self.go_on(0.2)
        return self

    def __exit__(self, *_: object) -> None:
        self._goes_on = False
        self._pool.shutdown()
        for work in self._work:
            work.result()
        self._manager.close()

    def go_on(self, seconds: float) -> None:
        """Let them come for a while, and then until each was served again."""
        time.sleep(seconds)
        self.until_served()

    def until_served(self) -> None:
        """Wait until each colour's changes are acknowledged again."""
        since, deadline = time.monotonic(), time.monotonic() + PATIENCE
        while self._changed(since) != {*COLOURS}:
            assert time.monotonic() < deadline, f"not served within {PATIENCE:g} s: {self}"
            time.sleep(0.02)

    def _changed(self, since: float) -> set[str]:
        served = [one for one in self.acknowledged() if one.begun > since]
        return {one.colour for one in served if one.verb != "look"}

    # -- the visitors ------------------------------------------------------------------------------

    def _visits(self, visitor: Visitor) -> None:
        manager = self._manager
        while self._goes_on:
            deed = visitor.plan()
            with self._written_down("sync", visitor, deed):
                session = manager.start(deed.headers)
                visitor.act(deed, session)
                visitor.succeeded(deed, manager.release(session))
            time.sleep(self._pause())

    async def _all_tasks(self) -> None:
        manager = AsyncManager(self.async_provider())
        await asyncio.gather(*(self._async_visits(manager, visitor) for visitor in self.tasks))
        await manager.close()

    async def _async_visits(self, manager: AsyncManager, visitor: Visitor) -> None:
        while self._goes_on:
            deed = visitor.plan()
            with self._written_down("async", visitor, deed):
                session = await manager.start(deed.headers)
                visitor.act(deed, session)
                visitor.succeeded(deed, await manager.release(session))
            await asyncio.sleep(self._pause())

    @contextlib.contextmanager
    def _written_down(self, colour: str, visitor: Visitor, deed: Deed) -> Iterator[None]:
        begun, failure = time.monotonic(), None
        try:
            yield
        except (StoreError, Vanished) as error:
            failure = error
            visitor.failed(deed, error)
        self.requests.append(Request(colour, deed.verb, begun, time.monotonic(), failure))

    def _pause(self) -> float:
        return AFTER_A_FAULT if self.requests[-1].error else AFTER_ALL

    # -- the figures -------------------------------------------------------------------------------

    def acknowledged(self) -> list[Request]:
        return [one for one in self.requests.copy() if one.error is None]

    def errors(self, colour: str) -> list[Exception]:
        """What was raised, for threads or for tasks."""
        return [one.error for one in self.requests.copy() if one.error and one.colour == colour]

    def slowest(self, colour: str) -> float:
        """The seconds that the longest request took."""
        return max(one.seconds for one in self.requests if one.colour == colour)

    def outage(self, colour: str) -> float:
        """The longest time, in seconds, in which nothing was acknowledged."""
        ends = sorted(one.ended for one in self.acknowledged() if one.colour == colour)
        return max(after - before for before, after in pairwise(ends))

    def __repr__(self) -> str:
        return "; ".join(map(self._of_colour, COLOURS))

    def _of_colour(self, colour: str) -> str:
        errors = self.errors(colour)
        doubtful = sum(isinstance(error, OutcomeUnknown) for error in errors)
        return (
            f"{colour}: {sum(one.colour == colour for one in self.requests)} requests,"
            f" {len(errors)} raised, {doubtful} of them in doubt; slowest"
            f" {self.slowest(colour):.2f} s, longest outage {self.outage(colour):.2f} s"
        )
