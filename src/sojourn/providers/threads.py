"""A sync provider made async: in threads, or inline if it never waits.

A hop into a thread and back costs some 30 µs.  The threads are those of the event loop's default
executor; a call that was cancelled goes on in its thread to its end, so no write is cut in two.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from inspect import iscoroutinefunction
from itertools import islice
from typing import Any, TypeVar, cast

from sojourn.providers.base import AsyncProvider, Provider
from sojourn.record import Changes, Outcome, Record

T = TypeVar("T")

BATCH = 100
"""How many records one hop brings back."""


def as_async(provider: Provider | AsyncProvider) -> AsyncProvider:
    """Return `provider` itself if it is async, and else one that calls it."""
    if iscoroutinefunction(provider.read):
        return cast("AsyncProvider", provider)
    waits = getattr(provider, "blocking", True)
    return Adapted(cast("Provider", provider), in_thread if waits else inline)


async def in_thread(call: Callable[..., T], *args: Any) -> T:
    """Call it in a thread."""
    return await asyncio.get_running_loop().run_in_executor(None, call, *args)


async def inline(call: Callable[..., T], *args: Any) -> T:
    """Call it here and now."""
    return call(*args)


class Adapted:
    """A sync provider with the methods of an async one."""

    def __init__(self, provider: Provider, run: Callable[..., Awaitable[Any]]) -> None:
        self.provider = provider
        self._run = run

    async def read(self, id: str) -> Record | None:
        return cast("Record | None", await self._run(self.provider.read, id))

    async def create(self, record: Record) -> bool:
        return cast("bool", await self._run(self.provider.create, record))

    async def update(self, record: Record, changes: Changes) -> Outcome | Record:
        return cast("Outcome | Record", await self._run(self.provider.update, record, changes))

    async def destroy(self, id: str) -> Record | None:
        return cast("Record | None", await self._run(self.provider.destroy, id))

    async def find(self, user: str | None, now: float) -> AsyncIterator[Record]:
        records = await self._run(self.provider.find, user, now)
        while batch := await self._run(_take, records):
            for record in batch:
                yield record

    async def count(self, now: float) -> int:
        return cast("int", await self._run(self.provider.count, now))

    async def gc(self, now: float, limit: int) -> int:
        return cast("int", await self._run(self.provider.gc, now, limit))

    async def check(self) -> list[str]:
        check = getattr(self.provider, "check", None)
        return [] if check is None else cast("list[str]", await self._run(check))

    async def init(self) -> None:
        init = getattr(self.provider, "init", None)
        if init is not None:
            await self._run(init)

    def ddl(self) -> str:
        ddl = getattr(self.provider, "ddl", None)
        return "" if ddl is None else cast("str", ddl())

    async def close(self) -> None:
        await self._run(self.provider.close)


def _take(records: Iterator[Record]) -> list[Record]:
    return list(islice(records, BATCH))
