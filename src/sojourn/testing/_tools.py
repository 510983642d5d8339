"""A clock that tests control, and wrappers that record every call to a provider."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

from sojourn.providers.base import AsyncProvider, Provider
from sojourn.record import Assignment, Changes, Outcome, Record


class FakeClock:
    """A clock that only moves when a test advances it: `Manager(..., clock=FakeClock())`.

    now: the time at which it starts, in seconds since the epoch.  The default is the current real
        time in whole seconds: a store that expires records itself (Redis, for example) compares the
        given expiry with the real time, so a fixed date would not work there.
    """

    def __init__(self, now: float | None = None) -> None:
        self.now = float(int(time.time())) if now is None else now

    def __call__(self) -> float:
        """Return the current time of this clock, in seconds since the epoch."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move the clock forward by `seconds` (backward if negative)."""
        self.now += seconds


class Trip(NamedTuple):
    """One call of a provider method.

    verb: the name of the method, such as "read".
    args: its positional arguments.
    """

    verb: str
    args: tuple[Any, ...]


class Log:
    """A log of provider calls, in the order in which they were made."""

    def __init__(self) -> None:
        self.trips: list[Trip] = []

    def note(self, verb: str, *args: Any) -> None:
        """Append a call to the log."""
        self.trips.append(Trip(verb, args))

    def taken(self) -> list[str]:
        """Return the method names logged since the last call of `taken`, and clear the log."""
        verbs = [trip.verb for trip in self.trips]
        self.trips.clear()
        return verbs


class Trips(Log):
    """A provider that forwards every call to another provider and logs it in `trips`."""

    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self.provider = provider
        if hasattr(provider, "assign"):  # an optional method
            self.assign = self._assign

    def read(self, id: str) -> Record | None:
        """Log the call, and forward it to `read` of the wrapped provider."""
        self.note("read", id)
        return self.provider.read(id)

    def create(self, record: Record) -> bool:
        """Log the call, and forward it to `create` of the wrapped provider."""
        self.note("create", record)
        return self.provider.create(record)

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """Log the call, and forward it to `update` of the wrapped provider."""
        self.note("update", record, changes)
        return self.provider.update(record, changes)

    def destroy(self, id: str) -> Record | None:
        """Log the call, and forward it to `destroy` of the wrapped provider."""
        self.note("destroy", id)
        return self.provider.destroy(id)

    def find(self, user: str | None, now: float) -> Iterator[Record]:
        """Log the call, and forward it to `find` of the wrapped provider."""
        self.note("find", user, now)
        return self.provider.find(user, now)

    def count(self, now: float) -> int:
        """Log the call, and forward it to `count` of the wrapped provider."""
        self.note("count", now)
        return self.provider.count(now)

    def gc(self, now: float, limit: int) -> int:
        """Log the call, and forward it to `gc` of the wrapped provider."""
        self.note("gc", now, limit)
        return self.provider.gc(now, limit)

    def close(self) -> None:
        """Log the call, and forward it to `close` of the wrapped provider."""
        self.note("close")
        self.provider.close()

    def _assign(self, assignment: Assignment) -> Record | None:
        self.note("assign", assignment)
        provider: Any = self.provider
        record: Record | None = provider.assign(assignment)
        return record


class AsyncTrips(Log):
    """A provider that forwards every call to another provider and logs it in `trips`."""

    def __init__(self, provider: AsyncProvider) -> None:
        super().__init__()
        self.provider = provider
        if hasattr(provider, "assign"):  # an optional method
            self.assign = self._assign

    async def read(self, id: str) -> Record | None:
        """Log the call, and forward it to `read` of the wrapped provider."""
        self.note("read", id)
        return await self.provider.read(id)

    async def create(self, record: Record) -> bool:
        """Log the call, and forward it to `create` of the wrapped provider."""
        self.note("create", record)
        return await self.provider.create(record)

    async def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """Log the call, and forward it to `update` of the wrapped provider."""
        self.note("update", record, changes)
        return await self.provider.update(record, changes)

    async def destroy(self, id: str) -> Record | None:
        """Log the call, and forward it to `destroy` of the wrapped provider."""
        self.note("destroy", id)
        return await self.provider.destroy(id)

    def find(self, user: str | None, now: float) -> AsyncIterator[Record]:
        """Log the call, and forward it to `find` of the wrapped provider."""
        self.note("find", user, now)
        return self.provider.find(user, now)

    async def count(self, now: float) -> int:
        """Log the call, and forward it to `count` of the wrapped provider."""
        self.note("count", now)
        return await self.provider.count(now)

    async def gc(self, now: float, limit: int) -> int:
        """Log the call, and forward it to `gc` of the wrapped provider."""
        self.note("gc", now, limit)
        return await self.provider.gc(now, limit)

    async def close(self) -> None:
        """Log the call, and forward it to `close` of the wrapped provider."""
        self.note("close")
        await self.provider.close()

    async def _assign(self, assignment: Assignment) -> Record | None:
        self.note("assign", assignment)
        provider: Any = self.provider
        record: Record | None = await provider.assign(assignment)
        return record
