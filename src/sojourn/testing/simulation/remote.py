"""The providers of a simulated process: they send every call of the store through the network."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from sojourn.providers.compare_and_swap import AsyncCompareAndSwapProvider, CompareAndSwapProvider
from sojourn.record import Assignment, Changes, Outcome, Record
from sojourn.testing.simulation.network import Link


class Remote:
    """A provider whose store executes each method in one step."""

    def __init__(self, link: Link, *, assigns: bool) -> None:
        """assigns: whether the store has the optional method `assign`."""
        self._link = link
        if assigns:
            self.assign = self._assign

    async def read(self, id: str) -> Record | None:
        """See `Provider.read`."""
        record: Record | None = await self._link.call("read", id)
        return record

    async def create(self, record: Record) -> bool:
        """See `Provider.create`."""
        created: bool = await self._link.call("create", record)
        return created

    async def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """See `Provider.update`."""
        answer: Outcome | Record = await self._link.call("update", record, changes)
        return answer

    async def destroy(self, id: str) -> Record | None:
        """See `Provider.destroy`."""
        record: Record | None = await self._link.call("destroy", id)
        return record

    async def find(self, user: str | None, now: float) -> AsyncIterator[Record]:
        """See `Provider.find`.  The list is that of the moment at which the call arrives."""
        for record in await self._link.call("find", user, now):
            yield record

    async def count(self, now: float) -> int:
        """See `Provider.count`."""
        number: int = await self._link.call("count", now)
        return number

    async def gc(self, now: float, limit: int) -> int:
        """See `Provider.gc`."""
        removed: int = await self._link.call("gc", now, limit)
        return removed

    async def close(self) -> None:
        """Do nothing: the store belongs to the world."""

    async def _assign(self, assignment: Assignment) -> Record | None:
        record: Record | None = await self._link.call("assign", assignment)
        return record


class RemoteSwaps(AsyncCompareAndSwapProvider):
    """A provider whose store swaps whole records: each step of a merge or move is a call."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def read(self, id: str) -> Record | None:
        """See `Provider.read`."""
        record: Record | None = await self._link.call("read", id)
        return record

    async def create(self, record: Record) -> bool:
        """See `Provider.create`."""
        created: bool = await self._link.call("create", record)
        return created

    async def swap(self, old: Record, new: Record | None) -> bool:
        """See `AsyncCompareAndSwapProvider.swap`."""
        swapped: bool = await self._link.call("swap", old, new)
        return swapped

    async def scan(self) -> AsyncIterator[Record]:
        """See `AsyncCompareAndSwapProvider.scan`."""
        for record in await self._link.call("scan"):
            yield record


class SwapStore(CompareAndSwapProvider):
    """A store that swaps whole records, in a dict."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}

    def read(self, id: str) -> Record | None:
        """See `Provider.read`."""
        return self._records.get(id)

    def create(self, record: Record) -> bool:
        """See `Provider.create`."""
        if record.id in self._records:
            return False
        self._records[record.id] = record
        return True

    def swap(self, old: Record, new: Record | None) -> bool:
        """See `CompareAndSwapProvider.swap`."""
        stored = self._records.get(old.id)
        if stored is None or stored.version != old.version:
            return False
        if new is None:
            del self._records[old.id]
        else:
            self._records[old.id] = new
        return True

    def scan(self) -> Iterator[Record]:
        """See `CompareAndSwapProvider.scan`."""
        yield from list(self._records.values())
