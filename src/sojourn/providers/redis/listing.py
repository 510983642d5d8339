"""The search for the sessions of one user, or for all sessions.

The sorted sets yield the ids, and then the frames of the records are read.  An entry may be
outdated, so the frame decides whether the session is live, and to which user it belongs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import chain

from sojourn.providers.redis import census, verbs
from sojourn.providers.redis.executor import AsyncExecutor, Executor
from sojourn.providers.redis.layout import TAGS, Layout, ids_of_live, ids_of_user
from sojourn.record import MOVES, Record, is_live

BATCH = 200
"""The number of records that are read in one round trip."""


class Lister:
    """Finds sessions through the sorted sets."""

    def __init__(self, executor: Executor, layout: Layout) -> None:
        self._executor = executor
        self._layout = layout

    def find(self, user: str | None, now: float) -> Iterator[Record]:
        """Yield the live records of a user, or of all sessions if None, without their fields.

        Raises StoreUnavailable if Redis cannot be reached.
        """
        if user is None:
            # Tag by tag, so that the ids of only a 256th of all sessions are in memory at once.
            # The reply is None if the key is not a sorted set.
            for tag in TAGS:
                [entries] = self._executor.ask_all([census.of_tag(self._layout, tag)])
                # Not `yield from`, which does not exist in the async twin.
                for record in self._living(ids_of_live(entries or (), tag), now):
                    yield record
            return
        sets = self._executor.ask_all(census.of_user(self._layout, user))
        found = (ids_of_user(of or (), user, tag) for tag, of in zip(TAGS, sets, strict=True))
        for record in self._living([*chain.from_iterable(found)], now):
            # The entry may be of an earlier user of the session, or have been added by another
            # program.
            if record.user == user:
                yield record

    def _living(self, ids: Sequence[str], now: float) -> Iterator[Record]:
        """Yield the live records of these ids.

        If a session has moved since the ids were listed, its record is found under its new id.
        """
        listed = {*ids}
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            for head in self._heads(batch):
                record = self._followed(head, listed)
                if record is not None and is_live(record, now):
                    yield record

    def _followed(self, record: Record | None, listed: set[str]) -> Record | None:
        # Bounded, since faulty data could hold tombstones in a circle.
        for _ in range(MOVES):
            if record is None or record.successor is None:
                return record
            # It is yielded by itself, so following the tombstone would yield it twice.
            if record.successor in listed:
                return None
            [record] = self._heads([record.successor])
        return None

    def _heads(self, ids: Sequence[str]) -> list[Record | None]:
        """Return the records without their fields; None for absent or unreadable ones."""
        replies = self._executor.ask_all([census.head_of(self._layout, id) for id in ids])
        return [verbs.readable(id, reply) for id, reply in zip(ids, replies, strict=True)]


class AsyncLister:
    """Finds sessions through the sorted sets."""

    def __init__(self, executor: AsyncExecutor, layout: Layout) -> None:
        self._executor = executor
        self._layout = layout

    async def find(self, user: str | None, now: float) -> AsyncIterator[Record]:
        """Yield the live records of a user, or of all sessions if None, without their fields.

        Raises StoreUnavailable if Redis cannot be reached.
        """
        if user is None:
            # Tag by tag, so that the ids of only a 256th of all sessions are in memory at once.
            # The reply is None if the key is not a sorted set.
            for tag in TAGS:
                [entries] = await self._executor.ask_all([census.of_tag(self._layout, tag)])
                # Not `yield from`, which does not exist in the async twin.
                async for record in self._living(ids_of_live(entries or (), tag), now):
                    yield record
            return
        sets = await self._executor.ask_all(census.of_user(self._layout, user))
        found = (ids_of_user(of or (), user, tag) for tag, of in zip(TAGS, sets, strict=True))
        async for record in self._living([*chain.from_iterable(found)], now):
            # The entry may be of an earlier user of the session, or have been added by another
            # program.
            if record.user == user:
                yield record

    async def _living(self, ids: Sequence[str], now: float) -> AsyncIterator[Record]:
        """Yield the live records of these ids.

        If a session has moved since the ids were listed, its record is found under its new id.
        """
        listed = {*ids}
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            for head in await self._heads(batch):
                record = await self._followed(head, listed)
                if record is not None and is_live(record, now):
                    yield record

    async def _followed(self, record: Record | None, listed: set[str]) -> Record | None:
        # Bounded, since faulty data could hold tombstones in a circle.
        for _ in range(MOVES):
            if record is None or record.successor is None:
                return record
            # It is yielded by itself, so following the tombstone would yield it twice.
            if record.successor in listed:
                return None
            [record] = await self._heads([record.successor])
        return None

    async def _heads(self, ids: Sequence[str]) -> list[Record | None]:
        """Return the records without their fields; None for absent or unreadable ones."""
        replies = await self._executor.ask_all([census.head_of(self._layout, id) for id in ids])
        return [verbs.readable(id, reply) for id, reply in zip(ids, replies, strict=True)]
