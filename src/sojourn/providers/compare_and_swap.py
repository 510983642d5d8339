"""Base classes for stores that swap whole records: a provider needs only four methods.

Changes are merged here and stored by compare and swap: the store replaces a record only if its
version is still the one that was read.  If another writer was faster, the record is read and merged
again.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator

from sojourn.errors import CorruptRecord, OutcomeUnknown, StoreError, StoreUnavailable
from sojourn.providers.versions import own_version
from sojourn.record import Changes, Merged, Outcome, Record, is_live, merge, record_of

PATIENCE = 5.0
"""Seconds for which an update or a deletion is repeated while others write the same record."""


class CompareAndSwapProvider(ABC):
    """A base class for providers whose store swaps whole records; a subclass needs four methods.

    Here a move takes several steps: the new record is created, the old one is swapped for its
    tombstone, and if that fails, the new record is deleted again.  If the process or the task ends
    in between, the old session remains valid, and the new record, for which no client has a token,
    remains until it expires.  Override `move` if the store can do both in one step.
    """

    @abstractmethod
    def read(self, id: str) -> Record | None:
        """Return the record stored under `id`, or None if there is none."""

    @abstractmethod
    def create(self, record: Record) -> bool:
        """Store a new record; return False, and change nothing, if the id is already in use."""

    @abstractmethod
    def swap(self, old: Record, new: Record | None) -> bool:
        """Replace `old` by `new`, or delete it if `new` is None, in one atomic step.

        Returns False, and changes nothing, if the version of the stored record is not
        `old.version`.
        """

    @abstractmethod
    def scan(self) -> Iterator[Record]:
        """Yield every record and tombstone that can be read, including expired ones.

        They should be a snapshot of one moment if the store can give one; otherwise a session that
        moves during the scan may be missed.
        """

    def move(self, old: Record, new: Record, tombstone: Record) -> bool:
        """Store `new` under its own id, and replace `old` by `tombstone`.

        Returns False, and changes nothing, under the same condition as `swap`, or if the new id is
        in use.  If the first step fails, its error is raised, after `new` is deleted if it may have
        been stored.  If the swap fails, this method finds out whether the move was made: it returns
        True if it was; otherwise it deletes `new` and raises StoreUnavailable.  It raises
        OutcomeUnknown if the store does not answer that, if the session has ended meanwhile, or if
        `new` cannot be deleted.
        """
        try:
            if not self.create(new):
                return False
        except StoreError as error:
            # The record may have been created; after any other error it certainly was not.  The
            # error remains OutcomeUnknown: a delayed `create` may still reach the store after this.
            if isinstance(error, OutcomeUnknown):
                self._withdraw(new, error)
            raise
        try:
            moved = self.swap(old, tombstone)
        except StoreError as error:
            has_moved = self._has_moved(old, tombstone, error)
            if not has_moved:
                self._withdraw(new, error)
                raise (_unknown if has_moved is None else _undone)(error) from error
            moved = True
        if not moved:
            self._withdraw(new, None)
        return moved

    def _has_moved(self, old: Record, tombstone: Record, error: StoreError) -> bool | None:
        """Whether the tombstone was stored although the swap raised an error.

        None if that cannot be known, since the session has ended by now.

        If it was not, the stored record gets a new version before this returns False, because the
        delayed swap may still reach the store, and then must not find the version it expects.
        """
        deadline = time.monotonic() + PATIENCE
        try:
            while time.monotonic() < deadline:
                stored = self.read(old.id)
                if stored is not None and stored.successor == tombstone.successor:
                    return True
                # It may have ended after its move: an end deletes the tombstone and the successor.
                if stored is None:
                    return None
                if stored.version != old.version:
                    return False
                # A swap with no change except the version is enough to make a delayed one fail.
                if self.swap(stored, stored._replace(version=own_version())):
                    return False
        except (StoreError, CorruptRecord) as another:
            raise _unknown(error) from another
        raise _unknown(error)

    def _withdraw(self, new: Record, error: StoreError | None) -> None:
        """Delete the record that a move created; try twice, since an outage may be short."""
        # `destroy` also succeeds if the record was not stored, as after a lost reply to `create`.
        for last in (False, True):
            try:
                self.destroy(new.id)
            except (StoreError, CorruptRecord) as another:
                if last:
                    raise _left(new) from error or another
            else:
                return

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """See `Provider.update`.  Merges and swaps, and repeats both while other writers interfere.

        Raises StoreUnavailable after `PATIENCE` seconds of that.
        """
        deadline = time.monotonic() + PATIENCE
        # The caller's copy is usually current, so the first attempt saves the read.
        merged = merge(record, changes)
        while True:
            # False: another writer has changed the record since it was read.
            if isinstance(merged, Merged) and self._swap_or_move(record, merged):
                return merged.outcome
            stands = self.read(record.id)
            merged = merge(stands, changes)
            if stands is None or not isinstance(merged, Merged):
                return merged if isinstance(merged, Record) else Outcome.GONE
            # Repeated without a pause: of several writers, at least one succeeds in each round.
            if time.monotonic() > deadline:
                raise _crowded()
            record = stands

    def _swap_or_move(self, old: Record, merged: Merged) -> bool:
        new, tombstone = _unique(merged.record), _unique(merged.tombstone)
        if new is not None and tombstone is not None:
            return self.move(old, new, tombstone)
        return self.swap(old, new)

    def destroy(self, id: str) -> Record | None:
        """See `Provider.destroy`.  Raises StoreUnavailable after `PATIENCE` seconds of conflict."""
        deadline = time.monotonic() + PATIENCE
        while True:
            record = self.read(id)
            if record is None or self.swap(record, None):
                return record
            # Repeated without a pause: of several writers, at least one succeeds in each round.
            if time.monotonic() > deadline:
                raise _crowded()

    def find(self, user: str | None, now: float) -> Iterator[Record]:
        """See `Provider.find`.  Scans all records: override it if the store has a user index."""
        for record in self.scan():
            if is_live(record, now) and user in (None, record.user):
                yield record

    def count(self, now: float) -> int:
        """See `Provider.count`.  Scans all records."""
        live = 0
        for record in self.scan():
            # Not `sum`, which cannot consume the async iterator of the twin.
            live += is_live(record, now)
        return live

    def gc(self, now: float, limit: int) -> int:
        """See `Provider.gc`.  Scans all records.

        Records that `scan` cannot read are not deleted: override the method to handle them.
        """
        removed = 0
        for record in self.scan():
            if removed == limit:
                break
            # A record that was prolonged since the scan read it has another version, and is not
            # deleted.
            if record.expires <= now and self.swap(record, None):
                removed += 1
        return removed

    def close(self) -> None:
        """Do nothing; override it if the provider holds connections."""


class AsyncCompareAndSwapProvider(ABC):
    """A base class for providers whose store swaps whole records; a subclass needs four methods.

    Here a move takes several steps: the new record is created, the old one is swapped for its
    tombstone, and if that fails, the new record is deleted again.  If the process or the task ends
    in between, the old session remains valid, and the new record, for which no client has a token,
    remains until it expires.  Override `move` if the store can do both in one step.
    """

    @abstractmethod
    async def read(self, id: str) -> Record | None:
        """Return the record stored under `id`, or None if there is none."""

    @abstractmethod
    async def create(self, record: Record) -> bool:
        """Store a new record; return False, and change nothing, if the id is already in use."""

    @abstractmethod
    async def swap(self, old: Record, new: Record | None) -> bool:
        """Replace `old` by `new`, or delete it if `new` is None, in one atomic step.

        Returns False, and changes nothing, if the version of the stored record is not
        `old.version`.
        """

    @abstractmethod
    def scan(self) -> AsyncIterator[Record]:
        """Yield every record and tombstone that can be read, including expired ones.

        They should be a snapshot of one moment if the store can give one; otherwise a session that
        moves during the scan may be missed.
        """

    async def move(self, old: Record, new: Record, tombstone: Record) -> bool:
        """Store `new` under its own id, and replace `old` by `tombstone`.

        Returns False, and changes nothing, under the same condition as `swap`, or if the new id is
        in use.  If the first step fails, its error is raised, after `new` is deleted if it may have
        been stored.  If the swap fails, this method finds out whether the move was made: it returns
        True if it was; otherwise it deletes `new` and raises StoreUnavailable.  It raises
        OutcomeUnknown if the store does not answer that, if the session has ended meanwhile, or if
        `new` cannot be deleted.
        """
        try:
            if not await self.create(new):
                return False
        except StoreError as error:
            # The record may have been created; after any other error it certainly was not.  The
            # error remains OutcomeUnknown: a delayed `create` may still reach the store after this.
            if isinstance(error, OutcomeUnknown):
                await self._withdraw(new, error)
            raise
        try:
            moved = await self.swap(old, tombstone)
        except StoreError as error:
            has_moved = await self._has_moved(old, tombstone, error)
            if not has_moved:
                await self._withdraw(new, error)
                raise (_unknown if has_moved is None else _undone)(error) from error
            moved = True
        if not moved:
            await self._withdraw(new, None)
        return moved

    async def _has_moved(self, old: Record, tombstone: Record, error: StoreError) -> bool | None:
        """Whether the tombstone was stored although the swap raised an error.

        None if that cannot be known, since the session has ended by now.

        If it was not, the stored record gets a new version before this returns False, because the
        delayed swap may still reach the store, and then must not find the version it expects.
        """
        deadline = time.monotonic() + PATIENCE
        try:
            while time.monotonic() < deadline:
                stored = await self.read(old.id)
                if stored is not None and stored.successor == tombstone.successor:
                    return True
                # It may have ended after its move: an end deletes the tombstone and the successor.
                if stored is None:
                    return None
                if stored.version != old.version:
                    return False
                # A swap with no change except the version is enough to make a delayed one fail.
                if await self.swap(stored, stored._replace(version=own_version())):
                    return False
        except (StoreError, CorruptRecord) as another:
            raise _unknown(error) from another
        raise _unknown(error)

    async def _withdraw(self, new: Record, error: StoreError | None) -> None:
        """Delete the record that a move created; try twice, since an outage may be short."""
        # `destroy` also succeeds if the record was not stored, as after a lost reply to `create`.
        for last in (False, True):
            try:
                await self.destroy(new.id)
            except (StoreError, CorruptRecord) as another:
                if last:
                    raise _left(new) from error or another
            else:
                return

    async def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """See `Provider.update`.  Merges and swaps, and repeats both while other writers interfere.

        Raises StoreUnavailable after `PATIENCE` seconds of that.
        """
        deadline = time.monotonic() + PATIENCE
        # The caller's copy is usually current, so the first attempt saves the read.
        merged = merge(record, changes)
        while True:
            # False: another writer has changed the record since it was read.
            if isinstance(merged, Merged) and await self._swap_or_move(record, merged):
                return merged.outcome
            stands = await self.read(record.id)
            merged = merge(stands, changes)
            if stands is None or not isinstance(merged, Merged):
                return merged if isinstance(merged, Record) else Outcome.GONE
            # Repeated without a pause: of several writers, at least one succeeds in each round.
            if time.monotonic() > deadline:
                raise _crowded()
            record = stands

    async def _swap_or_move(self, old: Record, merged: Merged) -> bool:
        new, tombstone = _unique(merged.record), _unique(merged.tombstone)
        if new is not None and tombstone is not None:
            return await self.move(old, new, tombstone)
        return await self.swap(old, new)

    async def destroy(self, id: str) -> Record | None:
        """See `Provider.destroy`.  Raises StoreUnavailable after `PATIENCE` seconds of conflict."""
        deadline = time.monotonic() + PATIENCE
        while True:
            record = await self.read(id)
            if record is None or await self.swap(record, None):
                return record
            # Repeated without a pause: of several writers, at least one succeeds in each round.
            if time.monotonic() > deadline:
                raise _crowded()

    async def find(self, user: str | None, now: float) -> AsyncIterator[Record]:
        """See `Provider.find`.  Scans all records: override it if the store has a user index."""
        async for record in self.scan():
            if is_live(record, now) and user in (None, record.user):
                yield record

    async def count(self, now: float) -> int:
        """See `Provider.count`.  Scans all records."""
        live = 0
        async for record in self.scan():
            # Not `sum`, which cannot consume the async iterator of the twin.
            live += is_live(record, now)
        return live

    async def gc(self, now: float, limit: int) -> int:
        """See `Provider.gc`.  Scans all records.

        Records that `scan` cannot read are not deleted: override the method to handle them.
        """
        removed = 0
        async for record in self.scan():
            if removed == limit:
                break
            # A record that was prolonged since the scan read it has another version, and is not
            # deleted.
            if record.expires <= now and await self.swap(record, None):
                removed += 1
        return removed

    async def close(self) -> None:
        """Do nothing; override it if the provider holds connections."""


def _unique(record: Record | None) -> Record | None:
    """Return a record with a version that no other write has; None stays None."""
    return record and record_of((*record[:10], own_version(), record.successor))


def _crowded() -> StoreUnavailable:
    """Return the error for a record that other writers changed again and again."""
    return StoreUnavailable(f"others wrote the same record without a pause for {PATIENCE} seconds")


def _undone(error: StoreError) -> StoreUnavailable:
    """Return the error for a move that failed and was reversed."""
    return StoreUnavailable(f"the session keeps its id, since its move failed: {error}")


def _unknown(error: StoreError) -> OutcomeUnknown:
    """Return the error for a move that may or may not have been made."""
    return OutcomeUnknown(f"the session may have a new id or not, since its move failed: {error}")


def _left(new: Record) -> OutcomeUnknown:
    """Return the error for a failed move whose new record could not be deleted."""
    return OutcomeUnknown(
        f"a move failed, and {new.id} could not be deleted again: "
        "nobody has its token, but it is listed until it expires"
    )
