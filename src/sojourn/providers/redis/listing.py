"""Finding sessions: a user's, or all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

from sojourn.providers.redis import census, verbs
from sojourn.providers.redis.asking import Asker, AsyncAsker
from sojourn.providers.redis.layout import TAGS, Layout, ids_of_live, ids_of_user
from sojourn.record import Record, is_live

BATCH = 200
"""How many records are asked for together."""


class Lister:
    """Finds sessions by the sorted sets."""

    def __init__(self, asker: Asker, layout: Layout) -> None:
        self._asker = asker
        self._layout = layout

    def find(self, user: str | None, now: float) -> Iterator[Record]:
        """As the contract says."""
        if user is None:
            for tag in TAGS:
                [entries] = self._asker.ask_all([census.of_tag(self._layout, tag)])
                for record in self._living(ids_of_live(entries or ()), now):
                    yield record
            return
        replies = self._asker.ask_all(census.of_user(self._layout, user))
        entries = [entry for reply in replies for entry in reply or ()]
        for record in self._living(ids_of_user(entries, user), now):
            if record.user == user:
                yield record

    def _living(self, ids: Sequence[str], now: float) -> Iterator[Record]:
        """Yield the records of a list; those that moved meanwhile, from where they went."""
        listed = {*ids}
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            for head in self._heads(batch):
                record = self._followed(head, listed)
                if record is not None and is_live(record, now):
                    yield record

    def _followed(self, record: Record | None, listed: set[str]) -> Record | None:
        while record is not None and record.successor is not None:
            if record.successor in listed:
                return None
            [record] = self._heads([record.successor])
        return record

    def _heads(self, ids: Sequence[str]) -> list[Record | None]:
        """Return records without their fields; None for what cannot be read."""
        replies = self._asker.ask_all([census.head_of(self._layout, id) for id in ids])
        return [verbs.readable(id, reply) for id, reply in zip(ids, replies, strict=True)]


class AsyncLister:
    """Finds sessions by the sorted sets."""

    def __init__(self, asker: AsyncAsker, layout: Layout) -> None:
        self._asker = asker
        self._layout = layout

    async def find(self, user: str | None, now: float) -> AsyncIterator[Record]:
        """As the contract says."""
        if user is None:
            for tag in TAGS:
                [entries] = await self._asker.ask_all([census.of_tag(self._layout, tag)])
                async for record in self._living(ids_of_live(entries or ()), now):
                    yield record
            return
        replies = await self._asker.ask_all(census.of_user(self._layout, user))
        entries = [entry for reply in replies for entry in reply or ()]
        async for record in self._living(ids_of_user(entries, user), now):
            if record.user == user:
                yield record

    async def _living(self, ids: Sequence[str], now: float) -> AsyncIterator[Record]:
        """Yield the records of a list; those that moved meanwhile, from where they went."""
        listed = {*ids}
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            for head in await self._heads(batch):
                record = await self._followed(head, listed)
                if record is not None and is_live(record, now):
                    yield record

    async def _followed(self, record: Record | None, listed: set[str]) -> Record | None:
        while record is not None and record.successor is not None:
            if record.successor in listed:
                return None
            [record] = await self._heads([record.successor])
        return record

    async def _heads(self, ids: Sequence[str]) -> list[Record | None]:
        """Return records without their fields; None for what cannot be read."""
        replies = await self._asker.ask_all([census.head_of(self._layout, id) for id in ids])
        return [verbs.readable(id, reply) for id, reply in zip(ids, replies, strict=True)]
