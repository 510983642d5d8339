"""A clock that stands still, and wrappers that count the trips to a store."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

from sojourn.providers.base import AsyncProvider, Provider
from sojourn.record import Changes, Outcome, Record


class FakeClock:
    """Stands still until it is told to go on: `Manager(..., clock=FakeClock())`.

    It starts at the present second: a store with a lifetime of its own for each record compares
    what it is given with the real time.
    """

    def __init__(self, now: float | None = None) -> None:
        self.now = float(int(time.time())) if now is None else now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let `seconds` go by."""
        self.now += seconds


class Trip(NamedTuple):
    """One call of a provider."""

    verb: str
    args: tuple[Any, ...]


class Log:
    """The trips that were taken, in their order."""

    def __init__(self) -> None:
        self.trips: list[Trip] = []

    def note(self, verb: str, *args: Any) -> None:
        """Add a trip."""
        self.trips.append(Trip(verb, args))

    def taken(self) -> list[str]:
        """Return the verbs of the trips since this was last asked."""
        verbs = [trip.verb for trip in self.trips]
        self.trips.clear()
        return verbs


class Trips(Log):
    """A provider that hands every call on to another, and keeps a log of them."""

    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self.provider = provider

    def read(self, id: str) -> Record | None:
        """As `Provider.read`."""
        self.note("read", id)
        return self.provider.read(id)

    def create(self, record: Record) -> bool:
        """As `Provider.create`."""
        self.note("create", record)
        return self.provider.create(record)

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """As `Provider.update`."""
        self.note("update", record, changes)
        return self.provider.update(record, changes)

    def destroy(self, id: str) -> Record | None:
        """As `Provider.destroy`."""
        self.note("destroy", id)
        return self.provider.destroy(id)

    def find(self, user: str | None, now: float) -> Iterator[Record]:
        """As `Provider.find`."""
        self.note("find", user, now)
        return self.provider.find(user, now)

    def count(self, now: float) -> int:
        """As `Provider.count`."""
        self.note("count", now)
        return self.provider.count(now)

    def gc(self, now: float, limit: int) -> int:
        """As `Provider.gc`."""
        self.note("gc", now, limit)
        return self.provider.gc(now, limit)

    def close(self) -> None:
        """As `Provider.close`."""
        self.note("close")
        self.provider.close()


class AsyncTrips(Log):
    """A provider that hands every call on to another, and keeps a log of them."""

    def __init__(self, provider: AsyncProvider) -> None:
        super().__init__()
        self.provider = provider

    async def read(self, id: str) -> Record | None:
        """As `Provider.read`."""
        self.note("read", id)
        return await self.provider.read(id)

    async def create(self, record: Record) -> bool:
        """As `Provider.create`."""
        self.note("create", record)
        return await self.provider.create(record)

    async def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """As `Provider.update`."""
        self.note("update", record, changes)
        return await self.provider.update(record, changes)

    async def destroy(self, id: str) -> Record | None:
        """As `Provider.destroy`."""
        self.note("destroy", id)
        return await self.provider.destroy(id)

    def find(self, user: str | None, now: float) -> AsyncIterator[Record]:
        """As `Provider.find`."""
        self.note("find", user, now)
        return self.provider.find(user, now)

    async def count(self, now: float) -> int:
        """As `Provider.count`."""
        self.note("count", now)
        return await self.provider.count(now)

    async def gc(self, now: float, limit: int) -> int:
        """As `Provider.gc`."""
        self.note("gc", now, limit)
        return await self.provider.gc(now, limit)

    async def close(self) -> None:
        """As `Provider.close`."""
        self.note("close")
        await self.provider.close()
