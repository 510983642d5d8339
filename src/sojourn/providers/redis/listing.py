"""The search for the sessions of one user, or for all sessions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import chain

from sojourn.providers.redis import census, verbs
from sojourn.providers.redis.asking import Asker, AsyncAsker
from sojourn.providers.redis.layout import TAGS, Layout, ids_of_live, ids_of_user
from sojourn.record import MOVES, Record, is_live

BATCH = 200
"""How many records are asked for together."""


class Lister:
    """Finds sessions by the sorted sets."""

    def __init__(self, asker: Asker, layout: Layout) -> None:
        self._asker = asker
        self._layout = layout

    def find(self, user: str | None, now: float) -> Iterator[Record]:
        """Yield the live records of a user, or of everybody if None, without their fields."""
        if user is None:
            for tag in TAGS:
                [entries] = self._asker.ask_all([census.of_tag(self._layout, tag)])
                for record in self._living(ids_of_live(entries or (), tag), now):
                    yield record
            return
        sets = self._asker.ask_all(census.of_user(self._layout, user))
        found = (ids_of_user(of or (), user, tag) for tag, of in zip(TAGS, sets, strict=True))
        for record in self._living([*chain.from_iterable(found)], now):
            if record.user == user:
                yield record

    def _living(self, ids: Sequence[str], now: float) -> Iterator[Record]:
        """Yield the live records of these ids; if one has moved, the record of its new id."""
        listed = {*ids}
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            for head in self._heads(batch):
                record = self._followed(head, listed)
                if record is not None and is_live(record, now):
                    yield record

    def _followed(self, record: Record | None, listed: set[str]) -> Record | None:
        for _ in range(MOVES):
            if record is None or record.successor is None:
                return record
            if record.successor in listed:
                return None
            [record] = self._heads([record.successor])
        return None

    def _heads(self, ids: Sequence[str]) -> list[Record | None]:
        """Return the records without their fields; None for absent or unreadable ones."""
        replies = self._asker.ask_all([census.head_of(self._layout, id) for id in ids])
        return [verbs.readable(id, reply) for id, reply in zip(ids, replies, strict=True)]


class AsyncLister:
    """Finds sessions by the sorted sets."""

    def __init__(self, asker: AsyncAsker, layout: Layout) -> None:
        self._asker = asker
        self._layout = layout

    async def find(self, user: str | None, now: float) -> AsyncIterator[Record]:
        """Yield the live records of a user, or of everybody if None, without their fields."""
        if user is None:
            for tag in TAGS:
                [entries] = await self._asker.ask_all([census.of_tag(self._layout, tag)])
                async for record in self._living(ids_of_live(entries or (), tag), now):
                    yield record
            return
        sets = await self._asker.ask_all(census.of_user(self._layout, user))
        found = (ids_of_user(of or (), user, tag) for tag, of in zip(TAGS, sets, strict=True))
        async for record in self._living([*chain.from_iterable(found)], now):
            if record.user == user:
                yield record

    async def _living(self, ids: Sequence[str], now: float) -> AsyncIterator[Record]:
        """Yield the live records of these ids; if one has moved, the record of its new id."""
        listed = {*ids}
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            for head in await self._heads(batch):
                record = await self._followed(head, listed)
                if record is not None and is_live(record, now):
                    yield record

    async def _followed(self, record: Record | None, listed: set[str]) -> Record | None:
        for _ in range(MOVES):
            if record is None or record.successor is None:
                return record
            if record.successor in listed:
                return None
            [record] = await self._heads([record.successor])
        return None

    async def _heads(self, ids: Sequence[str]) -> list[Record | None]:
        """Return the records without their fields; None for absent or unreadable ones."""
        replies = await self._asker.ask_all([census.head_of(self._layout, id) for id in ids])
        return [verbs.readable(id, reply) for id, reply in zip(ids, replies, strict=True)]
