"""The provider of all SQL databases, in a sync and an async form.

Each operation is one statement, as far as the database allows, so that it is atomic without an
explicit transaction and holds no lock between two round trips.  A change is one UPDATE that names
the version of the record it was computed from.  If another request has written since, no row
matches, and the base class reads the record, merges and tries again.  A touch names no version.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from sojourn.errors import CorruptRecord, OutcomeUnknown, StoreError, StoreUnavailable
from sojourn.providers.compare_and_swap import AsyncCompareAndSwapProvider, CompareAndSwapProvider
from sojourn.providers.sql.driver import Lost, Silent
from sojourn.providers.sql.executor import AsyncExecutor, Executor
from sojourn.providers.sql.link import AsyncLink, Link
from sojourn.providers.sql.rows import Page, complete, owner_of, readable
from sojourn.providers.sql.statements import Statements, ddl
from sojourn.providers.sql.writes import creating, is_touch, moving, swapping, unknown
from sojourn.record import Changes, Outcome, Record, is_live


class SQLProvider(CompareAndSwapProvider):
    """Keeps records as rows of a table, which any number of processes may share."""

    def __init__(self, link: Link, statements: Statements, *, create: bool) -> None:
        """Prepare the provider, without connecting.

        create: whether to create the table on first use if it does not exist.
        """
        self._link = link
        self._sql = statements
        self._executor = Executor(link, statements, create=create)

    def read(self, id: str) -> Record | None:
        """See `Provider.read`."""
        return self._executor.read(id)

    def create(self, record: Record) -> bool:
        """See `Provider.create`."""
        return self._executor.write(creating(self._sql, record))

    def swap(self, old: Record, new: Record | None) -> bool:
        """Replace `old` by `new`, or delete `old` if `new` is None, if its version is still stored.

        One UPDATE or DELETE.  Returns False, and changes nothing, if the version is another.
        """
        return self._executor.write(swapping(self._sql, old, new))

    def move(self, old: Record, new: Record, tombstone: Record) -> bool:
        """Store `new` under its own id, and replace `old` by `tombstone`, in one statement.

        If the table's engine has no transactions, in two statements, as the base class.
        """
        # Without transactions, a statement that fails half-way would leave both rows.
        if not self._executor.layout().has_transactions:
            return super().move(old, new, tombstone)
        return self._executor.write(moving(self._sql, old, new, tombstone))

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """See `Provider.update`.  One UPDATE, unless another request has written since the read."""
        # A touch that matches no row is not lost: the base class reads the record, and finds that
        # it is gone, or that its lifetime is another one.
        if is_touch(record, changes):
            times = changes.now, changes.expires, record.id, changes.now, changes.lifetime
            if self._executor.ask(self._sql.touch, times, writes=True).number:
                return Outcome.APPLIED
        return super().update(record, changes)

    def destroy(self, id: str) -> Record | None:
        """See `Provider.destroy`.  One DELETE, if the database can return the deleted row."""
        if not self._executor.layout().returns_deleted_rows:
            return self._read_and_remove(id)
        try:
            taken = self._executor.once(self._sql.take, (id,)).rows
        except Silent as silent:
            raise unknown(silent) from silent
        except Lost as lost:
            return self._end(id, lost)
        # A row that cannot be read is deleted too, and counts as absent.
        return next(readable(taken), None)

    def find(self, user: str | None, now: float) -> Iterator[Record]:
        """See `Provider.find`.  The records lack their fields."""
        # All sessions of a user in one answer, which is a snapshot of one moment.
        if user is not None:
            rows = self._executor.ask(self._sql.owned, (owner_of(user),)).rows
            for record in readable(rows):
                if is_live(record, now):
                    yield record
            return
        # A list of all sessions takes several answers; `complete` keeps it free of gaps.
        page: Page | None = Page()
        while page is not None:
            rows = self._executor.ask(self._sql.listed, (page.start, page.limit)).rows
            whole, page = complete(rows, page)
            for record in readable(whole):
                if is_live(record, now):
                    yield record

    def scan(self) -> Iterator[Record]:
        """Yield every session, including expired ones, without its fields.

        Tombstones are left out.  The base class needs them only for `gc`, which is overridden here.
        """
        return self.find(None, 0.0)

    def count(self, now: float) -> int:
        """See `Provider.count`.  Uses the index on the expiry."""
        return int(self._executor.ask(self._sql.live, (now,)).rows[0][0])

    def gc(self, now: float, limit: int) -> int:
        """See `Provider.gc`.  One DELETE by the index on the expiry.

        In PostgreSQL rows that another transaction has locked are skipped.
        """
        return self._executor.ask(self._sql.gc, (now, limit), writes=True).number

    def init(self) -> None:
        """Create the table and its indexes, if they do not exist.

        Raises StoreUnavailable if the database cannot be reached or refuses.
        """
        self._executor.create()

    def ddl(self) -> str:
        """Return the statements that `init` runs, for an administrator to run them."""
        return ddl(self._sql)

    def check(self) -> list[str]:
        """Return warnings about settings of the database that can lose or block sessions."""
        said = []
        for query, warning in self._sql.warnings:
            rows = self._executor.ask(query).rows
            said += [warning.format(*row) for row in rows]
        return said

    def close(self) -> None:
        """Close the idle connections; those in use are not affected."""
        self._link.close()

    def _has_moved(self, old: Record, tombstone: Record, error: StoreError) -> bool | None:
        """As `CompareAndSwapProvider._has_moved`, for a move of two statements."""
        # Here only OutcomeUnknown leaves a doubt: any other error means that nothing was written,
        # so neither a read nor a new version of the old record is needed.
        if not isinstance(error, OutcomeUnknown):
            return False
        return super()._has_moved(old, tombstone, error)

    def _read_and_remove(self, id: str) -> Record | None:
        """Read a record, then delete it; delete an unreadable one too, and return None for it."""
        try:
            return super().destroy(id)
        except CorruptRecord:
            self._executor.ask(self._sql.discard, (id,), writes=True)
            return None

    def _end(self, id: str, lost: Lost) -> Record | None:
        """Delete a record whose DELETE got no answer; raise OutcomeUnknown if in doubt."""
        try:
            ended = self._read_and_remove(id)
        except StoreUnavailable as error:
            raise unknown(error) from error
        # The record is gone, but the caller needs its content: if it was a tombstone, the session
        # under its successor has to be ended too, and that id was in the lost answer.
        if ended is None:
            raise unknown(lost) from lost
        return ended


class AsyncSQLProvider(AsyncCompareAndSwapProvider):
    """Keeps records as rows of a table, which any number of processes may share."""

    def __init__(self, link: AsyncLink, statements: Statements, *, create: bool) -> None:
        """Prepare the provider, without connecting.

        create: whether to create the table on first use if it does not exist.
        """
        self._link = link
        self._sql = statements
        self._executor = AsyncExecutor(link, statements, create=create)

    async def read(self, id: str) -> Record | None:
        """See `Provider.read`."""
        return await self._executor.read(id)

    async def create(self, record: Record) -> bool:
        """See `Provider.create`."""
        return await self._executor.write(creating(self._sql, record))

    async def swap(self, old: Record, new: Record | None) -> bool:
        """Replace `old` by `new`, or delete `old` if `new` is None, if its version is still stored.

        One UPDATE or DELETE.  Returns False, and changes nothing, if the version is another.
        """
        return await self._executor.write(swapping(self._sql, old, new))

    async def move(self, old: Record, new: Record, tombstone: Record) -> bool:
        """Store `new` under its own id, and replace `old` by `tombstone`, in one statement.

        If the table's engine has no transactions, in two statements, as the base class.
        """
        # Without transactions, a statement that fails half-way would leave both rows.
        if not (await self._executor.layout()).has_transactions:
            return await super().move(old, new, tombstone)
        return await self._executor.write(moving(self._sql, old, new, tombstone))

    async def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """See `Provider.update`.  One UPDATE, unless another request has written since the read."""
        # A touch that matches no row is not lost: the base class reads the record, and finds that
        # it is gone, or that its lifetime is another one.
        if is_touch(record, changes):
            times = changes.now, changes.expires, record.id, changes.now, changes.lifetime
            if (await self._executor.ask(self._sql.touch, times, writes=True)).number:
                return Outcome.APPLIED
        return await super().update(record, changes)

    async def destroy(self, id: str) -> Record | None:
        """See `Provider.destroy`.  One DELETE, if the database can return the deleted row."""
        if not (await self._executor.layout()).returns_deleted_rows:
            return await self._read_and_remove(id)
        try:
            taken = (await self._executor.once(self._sql.take, (id,))).rows
        except Silent as silent:
            raise unknown(silent) from silent
        except Lost as lost:
            return await self._end(id, lost)
        # A row that cannot be read is deleted too, and counts as absent.
        return next(readable(taken), None)

    async def find(self, user: str | None, now: float) -> AsyncIterator[Record]:
        """See `Provider.find`.  The records lack their fields."""
        # All sessions of a user in one answer, which is a snapshot of one moment.
        if user is not None:
            rows = (await self._executor.ask(self._sql.owned, (owner_of(user),))).rows
            for record in readable(rows):
                if is_live(record, now):
                    yield record
            return
        # A list of all sessions takes several answers; `complete` keeps it free of gaps.
        page: Page | None = Page()
        while page is not None:
            rows = (await self._executor.ask(self._sql.listed, (page.start, page.limit))).rows
            whole, page = complete(rows, page)
            for record in readable(whole):
                if is_live(record, now):
                    yield record

    def scan(self) -> AsyncIterator[Record]:
        """Yield every session, including expired ones, without its fields.

        Tombstones are left out.  The base class needs them only for `gc`, which is overridden here.
        """
        return self.find(None, 0.0)

    async def count(self, now: float) -> int:
        """See `Provider.count`.  Uses the index on the expiry."""
        return int((await self._executor.ask(self._sql.live, (now,))).rows[0][0])

    async def gc(self, now: float, limit: int) -> int:
        """See `Provider.gc`.  One DELETE by the index on the expiry.

        In PostgreSQL rows that another transaction has locked are skipped.
        """
        return (await self._executor.ask(self._sql.gc, (now, limit), writes=True)).number

    async def init(self) -> None:
        """Create the table and its indexes, if they do not exist.

        Raises StoreUnavailable if the database cannot be reached or refuses.
        """
        await self._executor.create()

    def ddl(self) -> str:
        """Return the statements that `init` runs, for an administrator to run them."""
        return ddl(self._sql)

    async def check(self) -> list[str]:
        """Return warnings about settings of the database that can lose or block sessions."""
        said = []
        for query, warning in self._sql.warnings:
            rows = (await self._executor.ask(query)).rows
            said += [warning.format(*row) for row in rows]
        return said

    async def close(self) -> None:
        """Close the idle connections; those in use are not affected."""
        await self._link.close()

    async def _has_moved(self, old: Record, tombstone: Record, error: StoreError) -> bool | None:
        """As `CompareAndSwapProvider._has_moved`, for a move of two statements."""
        # Here only OutcomeUnknown leaves a doubt: any other error means that nothing was written,
        # so neither a read nor a new version of the old record is needed.
        if not isinstance(error, OutcomeUnknown):
            return False
        return await super()._has_moved(old, tombstone, error)

    async def _read_and_remove(self, id: str) -> Record | None:
        """Read a record, then delete it; delete an unreadable one too, and return None for it."""
        try:
            return await super().destroy(id)
        except CorruptRecord:
            await self._executor.ask(self._sql.discard, (id,), writes=True)
            return None

    async def _end(self, id: str, lost: Lost) -> Record | None:
        """Delete a record whose DELETE got no answer; raise OutcomeUnknown if in doubt."""
        try:
            ended = await self._read_and_remove(id)
        except StoreUnavailable as error:
            raise unknown(error) from error
        # The record is gone, but the caller needs its content: if it was a tombstone, the session
        # under its successor has to be ended too, and that id was in the lost answer.
        if ended is None:
            raise unknown(lost) from lost
        return ended
