"""Keeping the sorted sets true to the hashes, which alone are the truth.

A hash may go without its entries (evicted, deleted by hand), and a sorted set without its hashes.
Every write of a session enters it again, and entries that nobody renews expire, so both mend by
themselves within a lifetime.  A sweep mends at once, in steps that hold Redis up for about a
millisecond each:

- Where a mark is missing, the set was lost.  All hashes are entered again, by SCAN.
- Entries without a hash are forgotten.  A sweep looks at 400 of each set, another 400 each time,
  and at all where it finds one.  So up to 100,000 sessions it looks at every one.
"""

from __future__ import annotations

from math import ceil
from typing import Any

from sojourn.providers.redis import census
from sojourn.providers.redis.asking import Asker, AsyncAsker, AsyncWire, Wire
from sojourn.providers.redis.layout import Layout
from sojourn.providers.redis.verbs import LOOKED_AT

STEP = 1000
"""Keys that one SCAN goes through."""


class Healer:
    """Mends what one prefix holds."""

    def __init__(self, asker: Asker, layout: Layout) -> None:
        self._asker = asker
        self._layout = layout
        self._sweeps = 0

    def heal(self) -> None:
        """Make the sorted sets true."""
        if None in self._asker.ask_all(census.marks(self._layout)):
            for server in self._asker.wire.servers():
                self._enter_all(server)
            self._asker.ask_all(census.mark(self._layout))
        self._sweeps += 1
        sizes = self._asker.ask_all(census.sizes(self._layout))
        for (tag, which), size in zip(census.sets(), sizes, strict=True):
            if size is not None and size > 1:
                self._verify(tag, which, size)

    def _enter_all(self, server: Wire) -> None:
        cursor: Any = b"0"
        while True:
            cursor, keys = server.call(census.scan(self._layout, cursor, STEP), "")
            ids = filter(None, map(self._layout.id_of, keys))
            self._asker.repeat_all([census.enter(self._layout, id) for id in ids])
            if cursor == b"0":
                return

    def _verify(self, tag: str, which: int, size: int) -> None:
        rank = self._sweeps % ceil(size / LOOKED_AT) * LOOKED_AT
        if self._asker.repeat(census.verify(self._layout, tag, which, rank)):
            rank = 0
            while rank < size:
                lost = self._asker.repeat(census.verify(self._layout, tag, which, rank))
                rank += LOOKED_AT - lost
                size -= lost


class AsyncHealer:
    """Mends what one prefix holds."""

    def __init__(self, asker: AsyncAsker, layout: Layout) -> None:
        self._asker = asker
        self._layout = layout
        self._sweeps = 0

    async def heal(self) -> None:
        """Make the sorted sets true."""
        if None in await self._asker.ask_all(census.marks(self._layout)):
            async for server in self._asker.wire.servers():
                await self._enter_all(server)
            await self._asker.ask_all(census.mark(self._layout))
        self._sweeps += 1
        sizes = await self._asker.ask_all(census.sizes(self._layout))
        for (tag, which), size in zip(census.sets(), sizes, strict=True):
            if size is not None and size > 1:
                await self._verify(tag, which, size)

    async def _enter_all(self, server: AsyncWire) -> None:
        cursor: Any = b"0"
        while True:
            cursor, keys = await server.call(census.scan(self._layout, cursor, STEP), "")
            ids = filter(None, map(self._layout.id_of, keys))
            await self._asker.repeat_all([census.enter(self._layout, id) for id in ids])
            if cursor == b"0":
                return

    async def _verify(self, tag: str, which: int, size: int) -> None:
        rank = self._sweeps % ceil(size / LOOKED_AT) * LOOKED_AT
        if await self._asker.repeat(census.verify(self._layout, tag, which, rank)):
            rank = 0
            while rank < size:
                lost = await self._asker.repeat(census.verify(self._layout, tag, which, rank))
                rank += LOOKED_AT - lost
                size -= lost
