"""What a store must do: the contract, for sync and for async ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Protocol

from sojourn.record import Changes, Outcome, Record


class Provider(Protocol):
    """A store of records.

    It decides nothing: times, ids and merges come from above, and it reads no clock.  It makes
    each verb atomic: whoever reads at the same time sees the record of before or of after.
    Absent is None, False or GONE; a fault of the store raises StoreError (StoreUnavailable if
    nothing was written) and is never reported as absent.
    """

    def read(self, id: str) -> Record | None:
        """Return what stands under `id`, whole; None if nothing does.

        It may have expired, or be a tombstone: the caller checks.  Writes nothing.  Raises
        CorruptRecord for a frame that cannot be read.
        """

    def create(self, record: Record) -> bool:
        """Store a new record; return False, and change nothing, if anything stands there."""

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """Apply `changes` to what stands under `record.id`, in one step with all checks.

        `record` is what the caller last saw there; it may be out of date.  Returns what
        `sojourn.record.merge` would for what stands: APPLIED, EMPTIED (and the record is
        gone), GONE (absent, a tombstone, or expired at `changes.now`; nothing is written), or
        the Record that stands if it differs from `changes.expect` (nothing is written).
        Fields that others wrote meanwhile stay.  With `changes.move` the result stands under
        the new id and a tombstone under the old one.
        """

    def destroy(self, id: str) -> Record | None:
        """Take away the record or tombstone with its index entries, and return it.

        The fields may be left out of what is returned.  None if nothing stood there.  Of
        several callers at once one gets the record.  A frame that cannot be read is taken away
        if the store can do that, and otherwise raises CorruptRecord.
        """

    def find(self, user: str | None, now: float) -> Iterator[Record]:
        """Yield the living sessions of a user, or all; the fields may be left out.

        None that was created before the call, and lives on, is missed.  What cannot be read is
        passed by.
        """

    def count(self, now: float) -> int:
        """Return how many sessions live; expired ones and tombstones do not count."""

    def gc(self, now: float, limit: int) -> int:
        """Take away at most `limit` expired records or tombstones, and return how many.

        Fewer than `limit` means that nothing expired is left.  A frame that cannot be read goes
        by the time that the store itself knows of it.
        """

    def close(self) -> None:
        """Give back what it holds: connections, descriptors.  Stored sessions stay."""


class AsyncProvider(Protocol):
    """The same contract for asyncio: each verb is a coroutine, `find` an async iterator."""

    async def read(self, id: str) -> Record | None:
        """As `Provider.read`."""

    async def create(self, record: Record) -> bool:
        """As `Provider.create`."""

    async def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """As `Provider.update`."""

    async def destroy(self, id: str) -> Record | None:
        """As `Provider.destroy`."""

    def find(self, user: str | None, now: float) -> AsyncIterator[Record]:
        """As `Provider.find`."""

    async def count(self, now: float) -> int:
        """As `Provider.count`."""

    async def gc(self, now: float, limit: int) -> int:
        """As `Provider.gc`."""

    async def close(self) -> None:
        """As `Provider.close`."""


def followed(
    read: Callable[[str], Record | None], id: str, is_listed: Callable[[str], bool]
) -> Record | None:
    """Return what stands under an id of a list that was made before.

    A session that moved since then is found where it went, unless that is on the list itself:
    so a list that is read one by one misses none, and names none twice.
    """
    record = read(id)
    while record is not None and record.successor is not None and not is_listed(record.successor):
        record = read(record.successor)
    return record
