"""Makes a sync provider async: its calls run in threads, or directly if they never block.

A call in a thread costs about 30 µs more.  Each event loop has its own executor for these calls,
because in the loop's default executor a session could wait behind blocking calls of the
application.  A call whose task is cancelled still runs to its end in its thread, so no write is
interrupted half-way.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from inspect import iscoroutinefunction
from itertools import islice
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

from sojourn._loops import running_loop
from sojourn._processes import PerProcess
from sojourn.providers.base import AsyncProvider, Provider
from sojourn.record import Changes, Outcome, Record

T = TypeVar("T")

BATCH = 100
"""The number of records that `find` fetches in one call."""

_executors = PerProcess(WeakKeyDictionary[AbstractEventLoop, ThreadPoolExecutor])
"""The executor of each event loop.  Its threads end when the loop is garbage-collected."""


def as_async(provider: Provider | AsyncProvider) -> AsyncProvider:
    """Return `provider` itself if it is async, or an adapter that calls it."""
    if iscoroutinefunction(provider.read):
        return cast("AsyncProvider", provider)
    # A provider whose methods do not wait for I/O has `blocking = False`.
    waits = getattr(provider, "blocking", True)
    return Adapted(cast("Provider", provider), in_thread if waits else inline)


async def in_thread(call: Callable[..., T], *args: Any) -> T:
    """Run a call in a thread of this event loop's executor."""
    loop, executors = running_loop(), _executors()
    # An executor starts its threads on first use, so a surplus one costs nothing.
    executor = executors.get(loop) or executors.setdefault(loop, ThreadPoolExecutor())
    return await loop.run_in_executor(executor, call, *args)


async def inline(call: Callable[..., T], *args: Any) -> T:
    """Run a call directly in this thread."""
    return call(*args)


class Adapted:
    """A sync provider with the methods of an async one."""

    def __init__(self, provider: Provider, run: Callable[..., Awaitable[Any]]) -> None:
        self.provider = provider
        self.shared: bool = getattr(provider, "shared", True)
        self.needs_gc: bool = getattr(provider, "needs_gc", True)
        self._run = run

    async def read(self, id: str) -> Record | None:
        """See `Provider.read`."""
        return cast("Record | None", await self._run(self.provider.read, id))

    async def create(self, record: Record) -> bool:
        """See `Provider.create`."""
        return cast("bool", await self._run(self.provider.create, record))

    async def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """See `Provider.update`."""
        return cast("Outcome | Record", await self._run(self.provider.update, record, changes))

    async def destroy(self, id: str) -> Record | None:
        """See `Provider.destroy`."""
        return cast("Record | None", await self._run(self.provider.destroy, id))

    async def find(self, user: str | None, now: float) -> AsyncIterator[Record]:
        """See `Provider.find`."""
        # Records are fetched in batches, since a thread call for each would cost more than the
        # record.
        records = await self._run(self.provider.find, user, now)
        while batch := await self._run(_take, records):
            for record in batch:
                yield record

    async def count(self, now: float) -> int:
        """See `Provider.count`."""
        return cast("int", await self._run(self.provider.count, now))

    async def gc(self, now: float, limit: int) -> int:
        """See `Provider.gc`."""
        return cast("int", await self._run(self.provider.gc, now, limit))

    async def check(self) -> list[str]:
        """Return the warnings of the provider's own `check`, or none if it has no such method."""
        check = getattr(self.provider, "check", None)
        return [] if check is None else cast("list[str]", await self._run(check))

    async def repair(self) -> int:
        """Return the result of the provider's own `repair`, or 0 if it has no such method."""
        repair = getattr(self.provider, "repair", None)
        return 0 if repair is None else cast("int", await self._run(repair))

    async def init(self) -> None:
        """Call the provider's own `init`, if it has that method."""
        init = getattr(self.provider, "init", None)
        if init is not None:
            await self._run(init)

    def ddl(self) -> str:
        """Return the result of the provider's own `ddl`, or "" if it has no such method."""
        ddl = getattr(self.provider, "ddl", None)
        return "" if ddl is None else cast("str", ddl())

    async def close(self) -> None:
        """See `Provider.close`."""
        await self._run(self.provider.close)


def _take(records: Iterator[Record]) -> list[Record]:
    """Return the next batch of records."""
    return list(islice(records, BATCH))
