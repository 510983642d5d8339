"""The provider, which is the same for every database.

A change is one UPDATE that names the version it was made for; a touch passes the version by.  A
write whose answer was lost is repeated where the row that stands says that nothing was done, and
counts as done where that row is the one that was sent.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator

from sojourn.errors import CorruptRecord, StoreUnavailable
from sojourn.providers.sql.driver import Answer, Lost, Parameters, Taken, cut_off
from sojourn.providers.sql.link import AsyncLink, Link
from sojourn.providers.sql.rows import Asked, complete, owner_of, readable, record_of
from sojourn.providers.sql.statements import Statements, ddl
from sojourn.providers.sql.writes import (
    Sequel,
    Write,
    creating,
    is_touch,
    moving,
    sequel,
    swapping,
    unknown,
)
from sojourn.providers.whole import PATIENCE, AsyncWholeRecords, WholeRecords
from sojourn.record import Changes, Outcome, Record

REPEATS = 5
"""How often a question is asked whose answer does not come, each time of another connection."""


class SQLProvider(WholeRecords):
    """Keeps records as rows of a table; any number of processes may share it."""

    def __init__(self, link: Link, statements: Statements) -> None:
        self._link = link
        self._sql = statements

    def read(self, id: str) -> Record | None:
        """As the contract says."""
        rows = self._ask(self._sql.read, (id,)).rows
        return record_of(id, rows[0]) if rows else None

    def create(self, record: Record) -> bool:
        """As the contract says."""
        return self._write(creating(self._sql, record))

    def swap(self, old: Record, new: Record | None) -> bool:
        """Put `new` in the place of `old`: one UPDATE or DELETE of that version."""
        return self._write(swapping(self._sql, old, new))

    def move(self, old: Record, new: Record, tombstone: Record) -> bool:
        """Put `new` under its own id and `tombstone` in the place of `old`, in one step."""
        return self._write(moving(self._sql, old, new, tombstone))

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """As the contract says: one UPDATE, unless others wrote meanwhile."""
        if is_touch(record, changes):
            times = changes.now, changes.expires, record.id, changes.now, changes.lifetime
            if self._ask(self._sql.touch, times).number:
                return Outcome.APPLIED
        return super().update(record, changes)

    def find(self, user: str | None, now: float) -> Iterator[Record]:
        """As the contract says; without the fields."""
        if user is not None:
            rows = self._ask(self._sql.owned, (owner_of(user), now)).rows
            for record in readable(rows):
                yield record
            return
        asked: Asked | None = Asked()
        while asked is not None:
            rows = self._ask(self._sql.listed, (asked.start, now, asked.limit)).rows
            whole, asked = complete(rows, asked)
            for record in readable(whole):
                yield record

    def scan(self) -> Iterator[Record]:
        """Yield every session; tombstones are left out, since `gc` and `count` ask the index."""
        return self.find(None, 0.0)

    def count(self, now: float) -> int:
        """As the contract says, by the index."""
        return int(self._ask(self._sql.live, (now,)).rows[0][0])

    def gc(self, now: float, limit: int) -> int:
        """As the contract says, by the index."""
        return self._ask(self._sql.gc, (now, limit)).number

    def init(self) -> None:
        """Make the table and its indexes, if they are not there; raise StoreUnavailable."""
        self._link.create()

    def ddl(self) -> str:
        """Return the statements that `init` runs, for somebody else to run them."""
        return ddl(self._sql)

    def check(self) -> list[str]:
        """Say what is unsafe about the database."""
        said = []
        for query, warning in self._sql.warnings:
            rows = self._ask(query).rows
            said += [warning.format(*row) for row in rows]
        return said

    def close(self) -> None:
        """Close the connections; those in use are left to their users."""
        self._link.close()

    def _ask(self, statement: str, parameters: Parameters = ()) -> Answer:
        """Run what does no harm when it is repeated."""
        for _ in range(REPEATS):
            try:
                return self._link.run(statement, parameters)
            except Lost as error:
                lost = error
        raise cut_off(lost) from lost

    def _write(self, write: Write) -> bool:
        """Run what writes; say whether `write.old` stood there."""
        try:
            return self._link.run(*write[:2]).number > 0
        except Taken:
            return False
        except Lost as lost:
            return self._settle(write, lost)

    def _settle(self, write: Write, lost: Lost) -> bool:
        """Find out what became of a write, and repeat it as long as nothing did."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                after = sequel(write.old, write.new, self.read(write.id))
                if after is Sequel.UNKNOWN:
                    break
                if after is Sequel.STANDS or self._link.run(*write[:2]).number > 0:
                    return True
            except (Taken, Lost):
                continue  # and see: the first one may have been done at last
            except (StoreUnavailable, CorruptRecord) as error:
                raise unknown(write, error) from error
        raise unknown(write, lost) from lost


class AsyncSQLProvider(AsyncWholeRecords):
    """Keeps records as rows of a table; any number of processes may share it."""

    def __init__(self, link: AsyncLink, statements: Statements) -> None:
        self._link = link
        self._sql = statements

    async def read(self, id: str) -> Record | None:
        """As the contract says."""
        rows = (await self._ask(self._sql.read, (id,))).rows
        return record_of(id, rows[0]) if rows else None

    async def create(self, record: Record) -> bool:
        """As the contract says."""
        return await self._write(creating(self._sql, record))

    async def swap(self, old: Record, new: Record | None) -> bool:
        """Put `new` in the place of `old`: one UPDATE or DELETE of that version."""
        return await self._write(swapping(self._sql, old, new))

    async def move(self, old: Record, new: Record, tombstone: Record) -> bool:
        """Put `new` under its own id and `tombstone` in the place of `old`, in one step."""
        return await self._write(moving(self._sql, old, new, tombstone))

    async def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """As the contract says: one UPDATE, unless others wrote meanwhile."""
        if is_touch(record, changes):
            times = changes.now, changes.expires, record.id, changes.now, changes.lifetime
            if (await self._ask(self._sql.touch, times)).number:
                return Outcome.APPLIED
        return await super().update(record, changes)

    async def find(self, user: str | None, now: float) -> AsyncIterator[Record]:
        """As the contract says; without the fields."""
        if user is not None:
            rows = (await self._ask(self._sql.owned, (owner_of(user), now))).rows
            for record in readable(rows):
                yield record
            return
        asked: Asked | None = Asked()
        while asked is not None:
            rows = (await self._ask(self._sql.listed, (asked.start, now, asked.limit))).rows
            whole, asked = complete(rows, asked)
            for record in readable(whole):
                yield record

    def scan(self) -> AsyncIterator[Record]:
        """Yield every session; tombstones are left out, since `gc` and `count` ask the index."""
        return self.find(None, 0.0)

    async def count(self, now: float) -> int:
        """As the contract says, by the index."""
        return int((await self._ask(self._sql.live, (now,))).rows[0][0])

    async def gc(self, now: float, limit: int) -> int:
        """As the contract says, by the index."""
        return (await self._ask(self._sql.gc, (now, limit))).number

    async def init(self) -> None:
        """Make the table and its indexes, if they are not there; raise StoreUnavailable."""
        await self._link.create()

    def ddl(self) -> str:
        """Return the statements that `init` runs, for somebody else to run them."""
        return ddl(self._sql)

    async def check(self) -> list[str]:
        """Say what is unsafe about the database."""
        said = []
        for query, warning in self._sql.warnings:
            rows = (await self._ask(query)).rows
            said += [warning.format(*row) for row in rows]
        return said

    async def close(self) -> None:
        """Close the connections; those in use are left to their users."""
        await self._link.close()

    async def _ask(self, statement: str, parameters: Parameters = ()) -> Answer:
        """Run what does no harm when it is repeated."""
        for _ in range(REPEATS):
            try:
                return await self._link.run(statement, parameters)
            except Lost as error:
                lost = error
        raise cut_off(lost) from lost

    async def _write(self, write: Write) -> bool:
        """Run what writes; say whether `write.old` stood there."""
        try:
            return (await self._link.run(*write[:2])).number > 0
        except Taken:
            return False
        except Lost as lost:
            return await self._settle(write, lost)

    async def _settle(self, write: Write, lost: Lost) -> bool:
        """Find out what became of a write, and repeat it as long as nothing did."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                after = sequel(write.old, write.new, await self.read(write.id))
                if after is Sequel.UNKNOWN:
                    break
                if after is Sequel.STANDS or (await self._link.run(*write[:2])).number > 0:
                    return True
            except (Taken, Lost):
                continue  # and see: the first one may have been done at last
            except (StoreUnavailable, CorruptRecord) as error:
                raise unknown(write, error) from error
        raise unknown(write, lost) from lost
