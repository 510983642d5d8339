"""A record of the manager's own, by which it tries a store: written, read, listed and removed."""

from __future__ import annotations

from contextlib import suppress

from sojourn._lifecycle import Lifecycle
from sojourn.errors import CorruptRecord, StoreError, StoreUnavailable
from sojourn.providers.base import AsyncProvider, Provider
from sojourn.record import Record

LIFETIME = 60.0
"""Seconds after which the record goes by itself, if the process dies before it removes it."""

NOT_WRITTEN = "the store did not take a new record under an id that nobody has"
CORRUPT = "the store gives back something else than was written: a record cannot be read"
ALTERED = "the store gives back something else than was written: a record has other data or times"
NOT_LISTED = "the store does not list a record under its user, so `destroy_user` would not end it"
NOT_REMOVED = "the store still has a record that was removed, so a logout would end nothing"


def _record(id: str, now: float) -> Record:
    """Return a record that shows whether a store keeps all bytes, and lists it by its user."""
    user = f"sojourn check {id}"
    return Record(id, {b"bytes": bytes(range(256))}, now, now, now + LIFETIME, user, now)


class Prober:
    """Reads records, and tries the store where one cannot be read."""

    def __init__(self, provider: Provider, life: Lifecycle) -> None:
        self._provider = provider
        self._life = life
        self._is_sound = False
        """Whether the store is known to give back what was written."""

    def read(self, id: str) -> Record | None:
        """Read a record.

        Raises CorruptRecord, or StoreUnavailable if the store gives back no record as it was
        written: then the fault is the store's, and no visitor may appear signed out by it.
        """
        try:
            return self._provider.read(id)
        except CorruptRecord:
            if self._is_sound or CORRUPT not in self._tried():
                raise
        raise StoreUnavailable(CORRUPT)

    def probe(self) -> list[str]:
        """Return what is wrong with the store, in sentences.

        Raises StoreError if it does not answer, or refuses to write.
        """
        record = _record(self._life.unused_id(), self._life.now())
        provider = self._provider
        wrong = [] if provider.create(record) else [NOT_WRITTEN]
        try:
            wrong += _compared(record, provider.read(record.id))
            listed = [found.id for found in provider.find(record.user, record.seen)]
            wrong += [] if listed == [record.id] else [NOT_LISTED]
        except CorruptRecord:
            wrong.append(CORRUPT)
        finally:
            provider.destroy(record.id)
        if not wrong and provider.read(record.id) is not None:
            wrong.append(NOT_REMOVED)
        self._is_sound = CORRUPT not in wrong
        return wrong

    def _tried(self) -> list[str]:
        """Return what is wrong; nothing if the store refuses to be tried."""
        with suppress(StoreError):
            return self.probe()
        return []


class AsyncProber:
    """Reads records, and tries the store where one cannot be read."""

    def __init__(self, provider: AsyncProvider, life: Lifecycle) -> None:
        self._provider = provider
        self._life = life
        self._is_sound = False
        """Whether the store is known to give back what was written."""

    async def read(self, id: str) -> Record | None:
        """Read a record.

        Raises CorruptRecord, or StoreUnavailable if the store gives back no record as it was
        written: then the fault is the store's, and no visitor may appear signed out by it.
        """
        try:
            return await self._provider.read(id)
        except CorruptRecord:
            if self._is_sound or CORRUPT not in await self._tried():
                raise
        raise StoreUnavailable(CORRUPT)

    async def probe(self) -> list[str]:
        """Return what is wrong with the store, in sentences.

        Raises StoreError if it does not answer, or refuses to write.
        """
        record = _record(self._life.unused_id(), self._life.now())
        provider = self._provider
        wrong = [] if await provider.create(record) else [NOT_WRITTEN]
        try:
            wrong += _compared(record, await provider.read(record.id))
            listed = [found.id async for found in provider.find(record.user, record.seen)]
            wrong += [] if listed == [record.id] else [NOT_LISTED]
        except CorruptRecord:
            wrong.append(CORRUPT)
        finally:
            await provider.destroy(record.id)
        if not wrong and await provider.read(record.id) is not None:
            wrong.append(NOT_REMOVED)
        self._is_sound = CORRUPT not in wrong
        return wrong

    async def _tried(self) -> list[str]:
        """Return what is wrong; nothing if the store refuses to be tried."""
        with suppress(StoreError):
            return await self.probe()
        return []


def _compared(written: Record, read: Record | None) -> list[str]:
    """Compare what was read with what was written; versions are the store's own affair."""
    return (
        [] if read is not None and read._replace(version=written.version) == written else [ALTERED]
    )
