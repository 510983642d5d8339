"""The repair of the sorted sets (the indexes), for which the hashes are authoritative.

A hash may disappear without its entries (evicted, deleted by hand), and a sorted set without its
hashes.  Each write of the times of a session also writes its entries, and sessions and entries that
are not renewed expire, so both faults disappear within the lifetime of a session.
This repair corrects them at once, in steps that occupy Redis for about a millisecond each.
"""

from __future__ import annotations

from sojourn.providers.redis import census
from sojourn.providers.redis.census import EXAMINED
from sojourn.providers.redis.executor import AsyncExecutor, AsyncTransport, Executor, Transport
from sojourn.providers.redis.layout import Layout

STEP = 1000
"""The number of keys that one page of a SCAN examines."""
MOST = 1_000_000
"""The most entries of one set that are examined, even if the server reports a greater size."""


class IndexRepair:
    """Repairs the sorted sets of one prefix."""

    def __init__(self, executor: Executor, layout: Layout) -> None:
        self._executor = executor
        self._layout = layout

    def run(self) -> int:
        """Add missing entries, and remove those without a hash; return how many it was in all."""
        repaired = 0
        for server in self._executor.transport.servers():
            repaired += self._enter_all(server)
        sizes = self._executor.ask_all(census.sizes(self._layout))
        for (tag, which), size in zip(census.sets(), sizes, strict=True):
            # The reply is None if the key is not a sorted set.
            repaired += self._verify(tag, which, min(size or 0, MOST))
        return repaired

    def _enter_all(self, server: Transport) -> int:
        """Add the entries of every hash of one server; return how many were missing."""
        # The scan is of this server alone; the entries go to the server that has their tag.
        entered = 0
        scan = census.Scan(self._layout, STEP)
        while not scan.ended:
            ids = scan.ids(self._executor.ask_at(server, scan.command()))
            if ids:
                added = self._executor.repeat_all([census.enter(self._layout, id) for id in ids])
                entered += sum(filter(None, added))
        return entered

    def _verify(self, tag: str, which: int, size: int) -> int:
        """Remove the entries of a set of this size that have no hash; return their number."""
        rank = removed = 0
        while rank < size:
            wrong = self._executor.repeat(census.verify(self._layout, tag, which, rank))
            # Each removed entry lowers the rank of all that follow it.
            rank += EXAMINED - wrong
            size -= wrong
            removed += wrong
        return removed


class AsyncIndexRepair:
    """Repairs the sorted sets of one prefix."""

    def __init__(self, executor: AsyncExecutor, layout: Layout) -> None:
        self._executor = executor
        self._layout = layout

    async def run(self) -> int:
        """Add missing entries, and remove those without a hash; return how many it was in all."""
        repaired = 0
        async for server in self._executor.transport.servers():
            repaired += await self._enter_all(server)
        sizes = await self._executor.ask_all(census.sizes(self._layout))
        for (tag, which), size in zip(census.sets(), sizes, strict=True):
            # The reply is None if the key is not a sorted set.
            repaired += await self._verify(tag, which, min(size or 0, MOST))
        return repaired

    async def _enter_all(self, server: AsyncTransport) -> int:
        """Add the entries of every hash of one server; return how many were missing."""
        # The scan is of this server alone; the entries go to the server that has their tag.
        entered = 0
        scan = census.Scan(self._layout, STEP)
        while not scan.ended:
            ids = scan.ids(await self._executor.ask_at(server, scan.command()))
            if ids:
                added = await self._executor.repeat_all(
                    [census.enter(self._layout, id) for id in ids]
                )
                entered += sum(filter(None, added))
        return entered

    async def _verify(self, tag: str, which: int, size: int) -> int:
        """Remove the entries of a set of this size that have no hash; return their number."""
        rank = removed = 0
        while rank < size:
            wrong = await self._executor.repeat(census.verify(self._layout, tag, which, rank))
            # Each removed entry lowers the rank of all that follow it.
            rank += EXAMINED - wrong
            size -= wrong
            removed += wrong
        return removed
