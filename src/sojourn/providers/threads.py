"""Makes a sync provider async: its calls run in threads, or directly if they do not wait.

A call in a thread costs about 30 µs more than a direct one.  A provider whose records can often be
read without waiting, such as from the system's cache, has a method `read_nowait`; it is called
directly, and only a read that would have to wait runs in a thread.

A provider has threads of its own, so that no session waits behind calls of the application.  Nor
may a call wait behind those that wait for it: writes that wait for a lock which a list holds would
leave no thread for the rest of the list.  So writes, reads, and the rest of lists that have begun
have separate threads.  A call whose task is cancelled still runs to its end in its thread, so no
write is interrupted half-way.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from inspect import iscoroutinefunction
from itertools import islice
from typing import Any, TypeVar, cast

from sojourn.providers.base import AsyncProvider, Provider, ReadsNowait, belongs
from sojourn.providers.thread_executor import ThreadExecutor
from sojourn.record import Changes, Outcome, Record

T = TypeVar("T")
Run = Callable[..., Awaitable[Any]]

BATCH = 100
"""The number of records that `find` fetches in one call."""
THREADS = 16
"""The largest number of threads of each kind, for each event loop."""


def as_async(provider: Provider | AsyncProvider) -> AsyncProvider:
    """Return `provider` itself if it is async, or an adapter that calls it."""
    if iscoroutinefunction(provider.read):
        return cast("AsyncProvider", provider)
    return Adapted(cast("Provider", provider))


async def inline(call: Callable[..., T], *args: Any) -> T:
    """Run a call directly in this thread."""
    return call(*args)


def _executor(provider: Provider) -> Run:
    """Return a function that runs calls in threads, or directly if the provider never waits."""
    return ThreadExecutor(THREADS).run if getattr(provider, "blocking", True) else inline


class Adapted:
    """A sync provider with the methods of an async one."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.shared: bool = getattr(provider, "shared", True)
        self.needs_gc: bool = getattr(provider, "needs_gc", True)
        own = belongs(provider, "read_nowait", "read")
        self._reader_nowait = cast("ReadsNowait", provider) if own else None
        self._read, self._write, self._go_on = (_executor(provider) for _ in range(3))

    async def read(self, id: str) -> Record | None:
        """See `Provider.read`."""
        if self._reader_nowait is not None:
            try:
                return self._reader_nowait.read_nowait(id)
            except BlockingIOError:
                pass
        return cast("Record | None", await self._read(self.provider.read, id))

    async def create(self, record: Record) -> bool:
        """See `Provider.create`."""
        return cast("bool", await self._write(self.provider.create, record))

    async def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """See `Provider.update`."""
        return cast("Outcome | Record", await self._write(self.provider.update, record, changes))

    async def destroy(self, id: str) -> Record | None:
        """See `Provider.destroy`."""
        return cast("Record | None", await self._write(self.provider.destroy, id))

    async def find(self, user: str | None, now: float) -> AsyncIterator[Record]:
        """See `Provider.find`."""
        # Records are fetched in batches, since a thread call for each would cost more than the
        # record.
        batch, rest = await self._read(_begin, self.provider.find, user, now)
        while batch:
            for record in batch:
                yield record
            batch = await self._go_on(_take, rest) if len(batch) == BATCH else []

    async def count(self, now: float) -> int:
        """See `Provider.count`."""
        return cast("int", await self._read(self.provider.count, now))

    async def gc(self, now: float, limit: int) -> int:
        """See `Provider.gc`."""
        return cast("int", await self._write(self.provider.gc, now, limit))

    async def check(self) -> list[str]:
        """Return the warnings of the provider's own `check`, or none if it has no such method."""
        check = getattr(self.provider, "check", None)
        return [] if check is None else cast("list[str]", await self._write(check))

    async def repair(self) -> int:
        """Return the result of the provider's own `repair`, or 0 if it has no such method."""
        repair = getattr(self.provider, "repair", None)
        return 0 if repair is None else cast("int", await self._write(repair))

    async def init(self) -> None:
        """Call the provider's own `init`, if it has that method."""
        init = getattr(self.provider, "init", None)
        if init is not None:
            await self._write(init)

    def ddl(self) -> str:
        """Return the result of the provider's own `ddl`, or "" if it has no such method."""
        ddl = getattr(self.provider, "ddl", None)
        return "" if ddl is None else cast("str", ddl())

    async def close(self) -> None:
        """See `Provider.close`."""
        await self._write(self.provider.close)


def _begin(
    find: Callable[[str | None, float], Iterator[Record]], user: str | None, now: float
) -> tuple[list[Record], Iterator[Record]]:
    """Begin a list; return the first batch of records, and an iterator over the rest."""
    records = find(user, now)
    return _take(records), records


def _take(records: Iterator[Record]) -> list[Record]:
    """Return the next batch of records."""
    return list(islice(records, BATCH))
