"""A base for stores that swap whole records: four methods make a provider."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator

from sojourn.errors import StoreUnavailable
from sojourn.record import Changes, Merged, Outcome, Record, is_live, merge

PATIENCE = 5.0
"""Seconds that an update goes on against others that swap the same record."""


class WholeRecords(ABC):
    """A provider for a store that swaps whole records: give it four methods.

    A move is not one step here: the new record is created first, then the old one is swapped
    for its tombstone, and if that fails the new one is taken away.  Cut off in between, the old
    session goes on, and a record stays that no token opens and that expires by itself.  A store
    that can do both in one step overrides `move`.
    """

    @abstractmethod
    def read(self, id: str) -> Record | None:
        """Return what stands under `id`; None if nothing does."""

    @abstractmethod
    def create(self, record: Record) -> bool:
        """Store a new record; return False, and change nothing, if anything stands there."""

    @abstractmethod
    def swap(self, old: Record, new: Record | None) -> bool:
        """Put `new` (None: nothing) in the place of `old`, if `old.version` still stands there.

        Return False, and change nothing, if it does not.  The check and the write are one step.
        """

    @abstractmethod
    def scan(self) -> Iterator[Record]:
        """Yield every record and tombstone that can be read, expired ones too.

        As of one moment, where the store can: else a session that moves meanwhile may be missed.
        """

    def move(self, old: Record, new: Record, tombstone: Record) -> bool:
        """Put `new` under its own id and `tombstone` in the place of `old`, as `swap`."""
        if not self.create(new):
            return False
        if self.swap(old, tombstone):
            return True
        self.swap(new, None)
        return False

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """Merge and swap until nobody came in between."""
        deadline = time.monotonic() + PATIENCE
        merged = merge(record, changes)
        while True:
            if isinstance(merged, Merged) and self._store(record, merged):
                return merged.outcome
            stands = self.read(record.id)
            merged = merge(stands, changes)
            if stands is None or not isinstance(merged, Merged):
                return merged if isinstance(merged, Record) else Outcome.GONE
            if time.monotonic() > deadline:
                raise _crowded()
            record = stands

    def _store(self, old: Record, merged: Merged) -> bool:
        if merged.record is not None and merged.tombstone is not None:
            return self.move(old, merged.record, merged.tombstone)
        return self.swap(old, merged.record)

    def destroy(self, id: str) -> Record | None:
        """Take away what stands, and return it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            record = self.read(id)
            if record is None or self.swap(record, None):
                return record
            if time.monotonic() > deadline:
                raise _crowded()

    def find(self, user: str | None, now: float) -> Iterator[Record]:
        """Look through all of them."""
        for record in self.scan():
            if is_live(record, now) and user in (None, record.user):
                yield record

    def count(self, now: float) -> int:
        """Count all of them."""
        live = 0
        for record in self.scan():
            live += is_live(record, now)
        return live

    def gc(self, now: float, limit: int) -> int:
        """Take away what has expired; frames that `scan` cannot read stay: override it for these."""
        removed = 0
        for record in self.scan():
            if removed == limit:
                break
            if record.expires <= now and self.swap(record, None):
                removed += 1
        return removed

    def close(self) -> None:
        """Hold nothing."""


class AsyncWholeRecords(ABC):
    """A provider for a store that swaps whole records: give it four methods.

    A move is not one step here: the new record is created first, then the old one is swapped
    for its tombstone, and if that fails the new one is taken away.  Cut off in between, the old
    session goes on, and a record stays that no token opens and that expires by itself.  A store
    that can do both in one step overrides `move`.
    """

    @abstractmethod
    async def read(self, id: str) -> Record | None:
        """Return what stands under `id`; None if nothing does."""

    @abstractmethod
    async def create(self, record: Record) -> bool:
        """Store a new record; return False, and change nothing, if anything stands there."""

    @abstractmethod
    async def swap(self, old: Record, new: Record | None) -> bool:
        """Put `new` (None: nothing) in the place of `old`, if `old.version` still stands there.

        Return False, and change nothing, if it does not.  The check and the write are one step.
        """

    @abstractmethod
    def scan(self) -> AsyncIterator[Record]:
        """Yield every record and tombstone that can be read, expired ones too.

        As of one moment, where the store can: else a session that moves meanwhile may be missed.
        """

    async def move(self, old: Record, new: Record, tombstone: Record) -> bool:
        """Put `new` under its own id and `tombstone` in the place of `old`, as `swap`."""
        if not await self.create(new):
            return False
        if await self.swap(old, tombstone):
            return True
        await self.swap(new, None)
        return False

    async def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """Merge and swap until nobody came in between."""
        deadline = time.monotonic() + PATIENCE
        merged = merge(record, changes)
        while True:
            if isinstance(merged, Merged) and await self._store(record, merged):
                return merged.outcome
            stands = await self.read(record.id)
            merged = merge(stands, changes)
            if stands is None or not isinstance(merged, Merged):
                return merged if isinstance(merged, Record) else Outcome.GONE
            if time.monotonic() > deadline:
                raise _crowded()
            record = stands

    async def _store(self, old: Record, merged: Merged) -> bool:
        if merged.record is not None and merged.tombstone is not None:
            return await self.move(old, merged.record, merged.tombstone)
        return await self.swap(old, merged.record)

    async def destroy(self, id: str) -> Record | None:
        """Take away what stands, and return it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            record = await self.read(id)
            if record is None or await self.swap(record, None):
                return record
            if time.monotonic() > deadline:
                raise _crowded()

    async def find(self, user: str | None, now: float) -> AsyncIterator[Record]:
        """Look through all of them."""
        async for record in self.scan():
            if is_live(record, now) and user in (None, record.user):
                yield record

    async def count(self, now: float) -> int:
        """Count all of them."""
        live = 0
        async for record in self.scan():
            live += is_live(record, now)
        return live

    async def gc(self, now: float, limit: int) -> int:
        """Take away what has expired; frames that `scan` cannot read stay: override it for these."""
        removed = 0
        async for record in self.scan():
            if removed == limit:
                break
            if record.expires <= now and await self.swap(record, None):
                removed += 1
        return removed

    async def close(self) -> None:
        """Hold nothing."""


def _crowded() -> StoreUnavailable:
    return StoreUnavailable(f"others wrote the same record without a pause for {PATIENCE} seconds")
