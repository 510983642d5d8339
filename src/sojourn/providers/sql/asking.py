"""What is asked of the table, and what becomes of it if the answer is lost.

The table is looked at once, before the first statement of a process, and made if it is not there;
and again if somebody has taken it away since then.

What only reads is asked again.  A write whose answer was lost is repeated where the row that stands
says that nothing was done, and counts as done where that row is the one that was sent.  After a
silence nothing is repeated: to ask again would take as long again.
"""

from __future__ import annotations

from time import monotonic

from sojourn.errors import CorruptRecord, StoreUnavailable
from sojourn.providers.sql.driver import (
    Absent,
    Answer,
    Denied,
    Lost,
    Parameters,
    Silent,
    Taken,
    cut_off,
)
from sojourn.providers.sql.layout import check_layout, denied, missing
from sojourn.providers.sql.link import AsyncLink, Link
from sojourn.providers.sql.rows import record_of
from sojourn.providers.sql.statements import Statements
from sojourn.providers.sql.writes import Sequel, Write, sequel, unknown
from sojourn.providers.whole import PATIENCE
from sojourn.record import Record

REPEATS = 5
"""How often a question is asked whose answer does not come, each time of another connection."""


class Asker:
    """Asks and writes: once the table is there, and as often as it takes."""

    def __init__(self, link: Link, statements: Statements, *, create: bool) -> None:
        self._link = link
        self._sql = statements
        self._may_create = create
        self._ready = False
        self._says_what_it_deletes = False

    def ask(self, statement: str, parameters: Parameters = ()) -> Answer:
        """Run what does no harm when it is repeated."""
        for _ in range(REPEATS):
            try:
                return self.once(statement, parameters)
            except Silent as silent:
                raise cut_off(silent) from silent
            except Lost as error:
                lost = error
        raise cut_off(lost) from lost

    def read(self, id: str) -> Record | None:
        """Return what stands under an id; raise CorruptRecord if it cannot be read."""
        rows = self.ask(self._sql.read, (id,)).rows
        return record_of(id, rows[0]) if rows else None

    def write(self, write: Write) -> bool:
        """Run what writes; say whether `write.old` stood there."""
        try:
            return self.once(*write[:2]).number > 0
        except Taken:
            return False
        except Silent as silent:
            raise unknown(silent) from silent
        except Lost as lost:
            return self._settle(write, lost)

    def once(self, statement: str, parameters: Parameters) -> Answer:
        """Run a statement once, as `Link.run`."""
        if not self._ready:
            self._prepare()
        try:
            return self._link.run(statement, parameters)
        except Absent:  # somebody took the table away
            self._prepare()
            return self._link.run(statement, parameters)
        except Denied as error:
            raise denied(self._sql, error) from error

    def says_what_it_deletes(self) -> bool:
        """Whether a DELETE can return rows."""
        if not self._ready:
            self.ask(self._sql.layout)
        return self._says_what_it_deletes

    def create(self) -> None:
        """Make the table and its indexes, if they are not there."""
        for statement in self._sql.create:
            try:
                self._link.run(statement)
            except Taken:  # by another process, just now
                continue
            except Lost as lost:
                raise cut_off(lost) from lost

    def _prepare(self) -> None:
        """Look at the table; make it if it is not there."""
        rows = self._link.run(self._sql.layout).rows
        if not rows and self._may_create:
            try:
                self.create()
            except StoreUnavailable as error:
                raise missing(self._sql, str(error)) from error
            rows = self._link.run(self._sql.layout).rows
        self._says_what_it_deletes = check_layout(self._sql, rows)
        self._ready = True

    def _settle(self, write: Write, lost: Lost) -> bool:
        """Find out what became of a write, and repeat it as long as nothing did."""
        deadline = monotonic() + PATIENCE
        while monotonic() < deadline:
            try:
                after = sequel(write, self.read(write.id))
                if after is Sequel.UNKNOWN:
                    break
                if after is Sequel.STANDS or self.once(*write[:2]).number > 0:
                    return True
            except Silent:
                break
            except (Taken, Lost):
                continue  # and see: the first one may have been done at last
            except (StoreUnavailable, CorruptRecord) as error:
                raise unknown(error) from error
        raise unknown(lost) from lost


class AsyncAsker:
    """Asks and writes: once the table is there, and as often as it takes."""

    def __init__(self, link: AsyncLink, statements: Statements, *, create: bool) -> None:
        self._link = link
        self._sql = statements
        self._may_create = create
        self._ready = False
        self._says_what_it_deletes = False

    async def ask(self, statement: str, parameters: Parameters = ()) -> Answer:
        """Run what does no harm when it is repeated."""
        for _ in range(REPEATS):
            try:
                return await self.once(statement, parameters)
            except Silent as silent:
                raise cut_off(silent) from silent
            except Lost as error:
                lost = error
        raise cut_off(lost) from lost

    async def read(self, id: str) -> Record | None:
        """Return what stands under an id; raise CorruptRecord if it cannot be read."""
        rows = (await self.ask(self._sql.read, (id,))).rows
        return record_of(id, rows[0]) if rows else None

    async def write(self, write: Write) -> bool:
        """Run what writes; say whether `write.old` stood there."""
        try:
            return (await self.once(*write[:2])).number > 0
        except Taken:
            return False
        except Silent as silent:
            raise unknown(silent) from silent
        except Lost as lost:
            return await self._settle(write, lost)

    async def once(self, statement: str, parameters: Parameters) -> Answer:
        """Run a statement once, as `AsyncLink.run`."""
        if not self._ready:
            await self._prepare()
        try:
            return await self._link.run(statement, parameters)
        except Absent:  # somebody took the table away
            await self._prepare()
            return await self._link.run(statement, parameters)
        except Denied as error:
            raise denied(self._sql, error) from error

    async def says_what_it_deletes(self) -> bool:
        """Whether a DELETE can return rows."""
        if not self._ready:
            await self.ask(self._sql.layout)
        return self._says_what_it_deletes

    async def create(self) -> None:
        """Make the table and its indexes, if they are not there."""
        for statement in self._sql.create:
            try:
                await self._link.run(statement)
            except Taken:  # by another process, just now
                continue
            except Lost as lost:
                raise cut_off(lost) from lost

    async def _prepare(self) -> None:
        """Look at the table; make it if it is not there."""
        rows = (await self._link.run(self._sql.layout)).rows
        if not rows and self._may_create:
            try:
                await self.create()
            except StoreUnavailable as error:
                raise missing(self._sql, str(error)) from error
            rows = (await self._link.run(self._sql.layout)).rows
        self._says_what_it_deletes = check_layout(self._sql, rows)
        self._ready = True

    async def _settle(self, write: Write, lost: Lost) -> bool:
        """Find out what became of a write, and repeat it as long as nothing did."""
        deadline = monotonic() + PATIENCE
        while monotonic() < deadline:
            try:
                after = sequel(write, await self.read(write.id))
                if after is Sequel.UNKNOWN:
                    break
                if after is Sequel.STANDS or (await self.once(*write[:2])).number > 0:
                    return True
            except Silent:
                break
            except (Taken, Lost):
                continue  # and see: the first one may have been done at last
            except (StoreUnavailable, CorruptRecord) as error:
                raise unknown(error) from error
        raise unknown(lost) from lost
