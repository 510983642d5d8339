"""The contract between a session manager and a store, in a sync and an async form.

A provider stores records and makes no decisions about them.  The manager computes times, ids and
expiries and passes them in; the provider's part is to apply each change in one atomic step.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Protocol

from sojourn.record import MOVES, Assignment, Changes, Outcome, Record


class Provider(Protocol):
    """A store of session records.

    A provider does not choose times or ids and does not read a clock: both are arguments.  Each
    method is atomic: a concurrent reader sees the record either before or after the change, never
    in between.  An absent record is reported as None, False or GONE.  An error of the store raises
    StoreError (StoreUnavailable if nothing was written) and is never reported as an absent record.
    Times are seconds since the epoch.

    Three attributes are optional.  `blocking = False` says that no method waits for I/O, so that
    an AsyncManager calls the provider without a thread.  `shared = False` says that only this
    process can reach the records.  `needs_gc = False` says that the store deletes expired records
    by itself.  Two methods are optional too: see `ReadsNowait` and `Assigns`.
    """

    def read(self, id: str) -> Record | None:
        """Return the complete record that is stored under `id`, or None if there is none.

        The record may have expired, or may be a tombstone (the record that a session leaves behind
        under its old id): the caller checks both.  Reading writes nothing.  Raises CorruptRecord if
        the stored bytes cannot be read.
        """

    def create(self, record: Record) -> bool:
        """Store a new record; return False, and change nothing, if the id is already in use."""

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """Apply `changes` to the record stored under `record.id`, in one step with all checks.

        `record` is the record as the caller last read it; it may be out of date.  The result is the
        one that `sojourn.record.merge` gives for the record that is stored now:

        - APPLIED: the changes are stored.
        - EMPTIED: the changes left no fields and no user, and the record was deleted.
        - GONE: the record is absent, a tombstone, or expired at `changes.now`; nothing is written.
        - a Record: the stored record, because it differs from `changes.expect`; nothing is written.

        Fields that other requests have stored since are kept.  With `changes.move` the result is
        stored under the new id and a tombstone under the old one.
        """

    def destroy(self, id: str) -> Record | None:
        """Delete a record or tombstone together with its index entries, and return it.

        The returned record may lack its fields.  Returns None if nothing was stored under the id.
        If several callers destroy the same record at once, exactly one of them gets it.  A record
        that cannot be read is deleted if the store is able to do that; otherwise CorruptRecord is
        raised.
        """

    def find(self, user: str | None, now: float) -> Iterator[Record]:
        """Yield the live sessions of a user, or all live sessions if `user` is None.

        The records may lack their fields.  A session that was created before the call and stays
        alive during it is never missed.  Records that cannot be read are skipped.
        """

    def count(self, now: float) -> int:
        """Return the number of live sessions; expired records and tombstones do not count."""

    def gc(self, now: float, limit: int) -> int:
        """Delete at most `limit` records and tombstones that expired by `now`; return the number.

        A number below `limit` means that no expired record is left.  For a record that cannot be
        read, the expiry that the store itself keeps beside it decides.
        """

    def close(self) -> None:
        """Release connections and file descriptors.  Stored sessions are kept."""


class ReadsNowait(Protocol):
    """The optional method of a provider that can often read a record without waiting for I/O."""

    def read_nowait(self, id: str) -> Record | None:
        """Return the same as `Provider.read`, or raise BlockingIOError.

        An AsyncManager calls this method in the event loop's own thread.  If it raises
        BlockingIOError, `read` is called in a thread.  So it raises that whenever it would have to
        wait, for a disk or for a lock, and for every error whose meaning `read` finds out.
        """


class Assigns(Protocol):
    """The optional method of a provider that can change a session which the caller has not read.

    Without it, a request that only assigns values reads its session before it stores them.  In an
    AsyncProvider it is a coroutine.
    """

    def assign(self, assignment: Assignment) -> Record | None:
        """Store values in a live session, and its times if that is due.

        Return the record without its fields.  Return None, with nothing stored, if there is no live
        session under the id, if it would become too large, or if the store cannot tell: the caller
        then reads the session and decides.
        """


class AsyncProvider(Protocol):
    """The same contract for asyncio: each method is a coroutine, and `find` an async iterator."""

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
    """Return the record for an id from a list of ids that was made earlier.

    If the session has moved since then, its successor is followed, unless the successor is on the
    list itself.  A caller that reads such a list id by id therefore misses no session and yields
    none twice.
    """
    record = read(id)
    # The number of steps is bounded, since faulty data could hold tombstones in a circle.
    for _ in range(MOVES):
        if record is None or record.successor is None or is_listed(record.successor):
            break
        record = read(record.successor)
    return record


def belongs(provider: object, name: str, *others: str) -> bool:
    """Return whether a provider has an optional method that belongs to these methods of it.

    An object that wraps a provider, or a class derived from one, may replace the others alone, for
    instance to encrypt the fields.  The method that is inherited or passed on would bypass them.
    """
    for place in (provider, *type(provider).__mro__):
        names = getattr(place, "__dict__", {})
        if name in names:
            return True
        if not names.keys().isdisjoint(others):
            break
    return False
