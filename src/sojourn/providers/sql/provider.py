"""The provider, which is the same for every database.

A change is one UPDATE that names the version it was made for; a touch passes the version by.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from sojourn.errors import CorruptRecord, OutcomeUnknown, StoreError, StoreUnavailable
from sojourn.providers.sql.asking import Asker, AsyncAsker
from sojourn.providers.sql.driver import Lost, Silent
from sojourn.providers.sql.link import AsyncLink, Link
from sojourn.providers.sql.rows import Asked, complete, owner_of, readable
from sojourn.providers.sql.statements import Statements, ddl
from sojourn.providers.sql.writes import creating, is_touch, moving, swapping, unknown
from sojourn.providers.whole import AsyncWholeRecords, WholeRecords
from sojourn.record import Changes, Outcome, Record


class SQLProvider(WholeRecords):
    """Keeps records as rows of a table; any number of processes may share it."""

    def __init__(self, link: Link, statements: Statements, *, create: bool) -> None:
        """Connect when it is first used.  create: make the table if it is not there."""
        self._link = link
        self._sql = statements
        self._asker = Asker(link, statements, create=create)

    def read(self, id: str) -> Record | None:
        """As the contract says."""
        return self._asker.read(id)

    def create(self, record: Record) -> bool:
        """As the contract says."""
        return self._asker.write(creating(self._sql, record))

    def swap(self, old: Record, new: Record | None) -> bool:
        """Put `new` in the place of `old`: one UPDATE or DELETE of that version."""
        return self._asker.write(swapping(self._sql, old, new))

    def move(self, old: Record, new: Record, tombstone: Record) -> bool:
        """Put `new` under its own id and `tombstone` in the place of `old`.

        In one step; in two, as other stores do, if the table's engine has no transactions.
        """
        if not self._asker.layout().has_transactions:
            return super().move(old, new, tombstone)
        return self._asker.write(moving(self._sql, old, new, tombstone))

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """As the contract says: one UPDATE, unless others wrote meanwhile."""
        if is_touch(record, changes):
            times = changes.now, changes.expires, record.id, changes.now, changes.lifetime
            if self._asker.ask(self._sql.touch, times, writes=True).number:
                return Outcome.APPLIED
        return super().update(record, changes)

    def destroy(self, id: str) -> Record | None:
        """As the contract says: one DELETE, where the database says what it took away."""
        if not self._asker.layout().says_what_it_deletes:
            return self._read_and_remove(id)
        try:
            taken = self._asker.once(self._sql.take, (id,)).rows
        except Silent as silent:
            raise unknown(silent) from silent
        except Lost as lost:
            return self._end(id, lost)
        return next(readable(taken), None)

    def find(self, user: str | None, now: float) -> Iterator[Record]:
        """As the contract says; without the fields."""
        if user is not None:
            rows = self._asker.ask(self._sql.owned, (owner_of(user), now)).rows
            for record in readable(rows):
                yield record
            return
        asked: Asked | None = Asked()
        while asked is not None:
            rows = self._asker.ask(self._sql.listed, (asked.start, now, asked.limit)).rows
            whole, asked = complete(rows, asked)
            for record in readable(whole):
                yield record

    def scan(self) -> Iterator[Record]:
        """Yield every session; tombstones are left out, since `gc` and `count` ask the index."""
        return self.find(None, 0.0)

    def count(self, now: float) -> int:
        """As the contract says, by the index."""
        return int(self._asker.ask(self._sql.live, (now,)).rows[0][0])

    def gc(self, now: float, limit: int) -> int:
        """As the contract says, by the index."""
        return self._asker.ask(self._sql.gc, (now, limit), writes=True).number

    def init(self) -> None:
        """Make the table and its indexes, if they are not there; raise StoreUnavailable."""
        self._asker.create()

    def ddl(self) -> str:
        """Return the statements that `init` runs, for somebody else to run them."""
        return ddl(self._sql)

    def check(self) -> list[str]:
        """Say what is unsafe about the database."""
        said = []
        for query, warning in self._sql.warnings:
            rows = self._asker.ask(query).rows
            said += [warning.format(*row) for row in rows]
        return said

    def close(self) -> None:
        """Close the connections; those in use are left to their users."""
        self._link.close()

    def _has_moved(self, old: Record, tombstone: Record, error: StoreError) -> bool:
        """As the base, but for a statement that was refused: it has done nothing."""
        if not isinstance(error, OutcomeUnknown):
            return False
        return super()._has_moved(old, tombstone, error)

    def _read_and_remove(self, id: str) -> Record | None:
        """Read a row, then remove it; one that cannot be read is removed too, and None returned."""
        try:
            return super().destroy(id)
        except CorruptRecord:
            self._asker.ask(self._sql.discard, (id,), writes=True)
            return None

    def _end(self, id: str, lost: Lost) -> Record | None:
        """Take away what stands, though the answer to that was lost before."""
        try:
            ended = self._read_and_remove(id)
        except StoreUnavailable as error:
            raise unknown(error) from error
        if ended is None:  # by this call or another, and it is not known where it went
            raise unknown(lost) from lost
        return ended


class AsyncSQLProvider(AsyncWholeRecords):
    """Keeps records as rows of a table; any number of processes may share it."""

    def __init__(self, link: AsyncLink, statements: Statements, *, create: bool) -> None:
        """Connect when it is first used.  create: make the table if it is not there."""
        self._link = link
        self._sql = statements
        self._asker = AsyncAsker(link, statements, create=create)

    async def read(self, id: str) -> Record | None:
        """As the contract says."""
        return await self._asker.read(id)

    async def create(self, record: Record) -> bool:
        """As the contract says."""
        return await self._asker.write(creating(self._sql, record))

    async def swap(self, old: Record, new: Record | None) -> bool:
        """Put `new` in the place of `old`: one UPDATE or DELETE of that version."""
        return await self._asker.write(swapping(self._sql, old, new))

    async def move(self, old: Record, new: Record, tombstone: Record) -> bool:
        """Put `new` under its own id and `tombstone` in the place of `old`.

        In one step; in two, as other stores do, if the table's engine has no transactions.
        """
        if not (await self._asker.layout()).has_transactions:
            return await super().move(old, new, tombstone)
        return await self._asker.write(moving(self._sql, old, new, tombstone))

    async def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """As the contract says: one UPDATE, unless others wrote meanwhile."""
        if is_touch(record, changes):
            times = changes.now, changes.expires, record.id, changes.now, changes.lifetime
            if (await self._asker.ask(self._sql.touch, times, writes=True)).number:
                return Outcome.APPLIED
        return await super().update(record, changes)

    async def destroy(self, id: str) -> Record | None:
        """As the contract says: one DELETE, where the database says what it took away."""
        if not (await self._asker.layout()).says_what_it_deletes:
            return await self._read_and_remove(id)
        try:
            taken = (await self._asker.once(self._sql.take, (id,))).rows
        except Silent as silent:
            raise unknown(silent) from silent
        except Lost as lost:
            return await self._end(id, lost)
        return next(readable(taken), None)

    async def find(self, user: str | None, now: float) -> AsyncIterator[Record]:
        """As the contract says; without the fields."""
        if user is not None:
            rows = (await self._asker.ask(self._sql.owned, (owner_of(user), now))).rows
            for record in readable(rows):
                yield record
            return
        asked: Asked | None = Asked()
        while asked is not None:
            rows = (await self._asker.ask(self._sql.listed, (asked.start, now, asked.limit))).rows
            whole, asked = complete(rows, asked)
            for record in readable(whole):
                yield record

    def scan(self) -> AsyncIterator[Record]:
        """Yield every session; tombstones are left out, since `gc` and `count` ask the index."""
        return self.find(None, 0.0)

    async def count(self, now: float) -> int:
        """As the contract says, by the index."""
        return int((await self._asker.ask(self._sql.live, (now,))).rows[0][0])

    async def gc(self, now: float, limit: int) -> int:
        """As the contract says, by the index."""
        return (await self._asker.ask(self._sql.gc, (now, limit), writes=True)).number

    async def init(self) -> None:
        """Make the table and its indexes, if they are not there; raise StoreUnavailable."""
        await self._asker.create()

    def ddl(self) -> str:
        """Return the statements that `init` runs, for somebody else to run them."""
        return ddl(self._sql)

    async def check(self) -> list[str]:
        """Say what is unsafe about the database."""
        said = []
        for query, warning in self._sql.warnings:
            rows = (await self._asker.ask(query)).rows
            said += [warning.format(*row) for row in rows]
        return said

    async def close(self) -> None:
        """Close the connections; those in use are left to their users."""
        await self._link.close()

    async def _has_moved(self, old: Record, tombstone: Record, error: StoreError) -> bool:
        """As the base, but for a statement that was refused: it has done nothing."""
        if not isinstance(error, OutcomeUnknown):
            return False
        return await super()._has_moved(old, tombstone, error)

    async def _read_and_remove(self, id: str) -> Record | None:
        """Read a row, then remove it; one that cannot be read is removed too, and None returned."""
        try:
            return await super().destroy(id)
        except CorruptRecord:
            await self._asker.ask(self._sql.discard, (id,), writes=True)
            return None

    async def _end(self, id: str, lost: Lost) -> Record | None:
        """Take away what stands, though the answer to that was lost before."""
        try:
            ended = await self._read_and_remove(id)
        except StoreUnavailable as error:
            raise unknown(error) from error
        if ended is None:  # by this call or another, and it is not known where it went
            raise unknown(lost) from lost
        return ended
