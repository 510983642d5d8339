"""The repair of the sorted sets (the indexes), for which the hashes are authoritative.

A hash may disappear without its entries (evicted, deleted by hand), and a sorted set without its
hashes.  Each write that changes the expiry of a session also writes its entries, and sessions and
entries that are not renewed expire, so both faults disappear within the lifetime of a session.  A
sweep repairs them at once, in steps that occupy Redis for about a millisecond each:

- If the mark of a set is missing, the set was lost.  A SCAN finds all hashes, and the entries of
  each are added again.
- Entries without a hash and malformed entries are removed.  A sweep examines 400 entries of each
  set, and each time a different 400; if it finds a wrong entry, it examines up to 100,000 entries
  of that set.
"""

from __future__ import annotations

from math import ceil

from sojourn.providers.redis import census
from sojourn.providers.redis.asking import Asker, AsyncAsker, AsyncWire, Wire
from sojourn.providers.redis.census import LOOKED_AT
from sojourn.providers.redis.layout import Layout

STEP = 1000
"""The number of keys that one page of a SCAN examines."""
MOST = 100_000
"""The most entries of one set that a sweep examines, even if the server reports a greater size."""


class Healer:
    """Repairs the sorted sets of one prefix."""

    def __init__(self, asker: Asker, layout: Layout) -> None:
        self._asker = asker
        self._layout = layout
        self._sweeps = 0

    def heal(self) -> None:
        """Repair the sorted sets, which are usually intact: then this only examines a sample."""
        # A reply is None if the mark is absent, and also if the key is not a sorted set.
        if None in self._asker.ask_all(census.marks(self._layout)):
            for server in self._asker.wire.servers():
                self._enter_all(server)
            # Marked only now: if the process ends during the scan, the next sweep scans again.
            self._asker.ask_all(census.mark(self._layout))
        self._sweeps += 1
        sizes = self._asker.ask_all(census.sizes(self._layout))
        for (tag, which), size in zip(census.sets(), sizes, strict=True):
            # None: the key is not a sorted set.  1: the mark is the only entry.
            if size is not None and size > 1:
                self._verify(tag, which, size)

    def _enter_all(self, server: Wire) -> None:
        scan = census.Scan(self._layout, STEP)
        while not scan.ended:
            ids = scan.ids(self._asker.ask_at(server, scan.command()))
            if ids:
                self._asker.repeat_all([census.enter(self._layout, id) for id in ids])

    def _verify(self, tag: str, which: int, size: int) -> None:
        # The number of the sweep chooses the part of the set, so that in time each part is
        # examined.
        rank = self._sweeps % ceil(size / LOOKED_AT) * LOOKED_AT
        if self._asker.repeat(census.verify(self._layout, tag, which, rank)):
            rank, size = 0, min(size, MOST)
            while rank < size:
                lost = self._asker.repeat(census.verify(self._layout, tag, which, rank))
                # Each removed entry lowers the rank of all that follow it.
                rank += LOOKED_AT - lost
                size -= lost


class AsyncHealer:
    """Repairs the sorted sets of one prefix."""

    def __init__(self, asker: AsyncAsker, layout: Layout) -> None:
        self._asker = asker
        self._layout = layout
        self._sweeps = 0

    async def heal(self) -> None:
        """Repair the sorted sets, which are usually intact: then this only examines a sample."""
        # A reply is None if the mark is absent, and also if the key is not a sorted set.
        if None in await self._asker.ask_all(census.marks(self._layout)):
            async for server in self._asker.wire.servers():
                await self._enter_all(server)
            # Marked only now: if the process ends during the scan, the next sweep scans again.
            await self._asker.ask_all(census.mark(self._layout))
        self._sweeps += 1
        sizes = await self._asker.ask_all(census.sizes(self._layout))
        for (tag, which), size in zip(census.sets(), sizes, strict=True):
            # None: the key is not a sorted set.  1: the mark is the only entry.
            if size is not None and size > 1:
                await self._verify(tag, which, size)

    async def _enter_all(self, server: AsyncWire) -> None:
        scan = census.Scan(self._layout, STEP)
        while not scan.ended:
            ids = scan.ids(await self._asker.ask_at(server, scan.command()))
            if ids:
                await self._asker.repeat_all([census.enter(self._layout, id) for id in ids])

    async def _verify(self, tag: str, which: int, size: int) -> None:
        # The number of the sweep chooses the part of the set, so that in time each part is
        # examined.
        rank = self._sweeps % ceil(size / LOOKED_AT) * LOOKED_AT
        if await self._asker.repeat(census.verify(self._layout, tag, which, rank)):
            rank, size = 0, min(size, MOST)
            while rank < size:
                lost = await self._asker.repeat(census.verify(self._layout, tag, which, rank))
                # Each removed entry lowers the rank of all that follow it.
                rank += LOOKED_AT - lost
                size -= lost
