"""What is asked of the table, and what becomes of it if the answer is lost.

The table is looked at once, before the first statement of a process, and made if it is not there;
and again if somebody has taken it away since then.

What only reads is asked again.  A write whose answer was lost is repeated where the row that stands
says that nothing was done, and counts as done where that row is the one that was sent.  After a
silence nothing is repeated: to ask again would take as long again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Any

from sojourn.errors import CorruptRecord, StoreError, StoreUnavailable
from sojourn.providers.sql.driver import (
    Absent,
    Answer,
    Denied,
    Lost,
    OtherColumns,
    Parameters,
    Silent,
    Taken,
    cut_off,
)
from sojourn.providers.sql.layout import Layout, check_layout, denied, missing, other_columns
from sojourn.providers.sql.link import AsyncLink, Link
from sojourn.providers.sql.rows import record_of
from sojourn.providers.sql.statements import Statements
from sojourn.providers.sql.writes import Sequel, Write, sequel, unknown
from sojourn.providers.whole import PATIENCE
from sojourn.record import Record

REPEATS = 5
"""How often a question is asked whose answer does not come, each time of another connection."""

Run = Callable[[str, Parameters], Answer]
AsyncRun = Callable[[str, Parameters], Awaitable[Answer]]


class Asker:
    """Asks and writes: once the table is there, and as often as it takes."""

    def __init__(self, link: Link, statements: Statements, *, create: bool) -> None:
        self._link = link
        self._sql = statements
        self._may_create = create
        self._layout: Layout | None = None

    def ask(self, statement: str, parameters: Parameters = (), *, writes: bool = False) -> Answer:
        """Run a statement that does no harm when it is repeated, until its answer comes.

        Raises StoreUnavailable if no answer comes, or OutcomeUnknown if the statement `writes`.
        """
        return self._repeat(self.once, statement, parameters, unknown if writes else cut_off)

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
        if self._layout is None:
            self._prepare()
        try:
            return self._link.run(statement, parameters)
        except Absent:  # somebody took the table away
            self._prepare()
            return self._link.run(statement, parameters)
        except OtherColumns as error:
            raise other_columns(self._sql, error) from error
        except Denied as error:
            raise denied(self._sql, error) from error

    def layout(self) -> Layout:
        """Return what is known of the table."""
        return self._layout or self._prepare()

    def create(self) -> None:
        """Make the table and its indexes, if they are not there."""
        for statement in self._sql.create:
            with suppress(Taken):  # by another process, just now
                self._repeat(self._link.run, statement, (), cut_off)

    def _prepare(self) -> Layout:
        """Look at the table; make it if it is not there."""
        rows = self._look()
        if not rows and self._may_create:
            try:
                self.create()
            except StoreUnavailable as error:
                raise missing(self._sql, str(error)) from error
            rows = self._look()
        self._layout = check_layout(self._sql, rows)
        return self._layout

    def _look(self) -> list[Any]:
        """Return what the table says of itself: no row if it is not there."""
        return self._repeat(self._link.run, self._sql.layout, (), cut_off).rows

    def _repeat(
        self,
        run: Run,
        statement: str,
        parameters: Parameters,
        given_up: Callable[[Exception], StoreError],
    ) -> Answer:
        """Run a statement until its answer comes; raise what `given_up` makes of the last error."""
        lost: Lost | None = None
        deadline = 0.0
        for _ in range(REPEATS):
            try:
                return run(statement, parameters)
            except Lost as error:
                deadline = deadline or monotonic() + PATIENCE
                lost = error
                if isinstance(error, Silent) or monotonic() > deadline:
                    break
            except StoreError as error:
                if lost is None or given_up is cut_off:
                    raise
                raise given_up(error) from error
        assert lost is not None
        raise given_up(lost) from lost

    def _settle(self, write: Write, lost: Lost) -> bool:
        """Find out what became of a write, and repeat it as long as nothing did."""
        deadline = monotonic() + PATIENCE
        for _ in range(REPEATS):
            if monotonic() > deadline:
                break
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
            except (StoreError, CorruptRecord) as error:
                raise unknown(error) from error
        raise unknown(lost) from lost


class AsyncAsker:
    """Asks and writes: once the table is there, and as often as it takes."""

    def __init__(self, link: AsyncLink, statements: Statements, *, create: bool) -> None:
        self._link = link
        self._sql = statements
        self._may_create = create
        self._layout: Layout | None = None

    async def ask(
        self, statement: str, parameters: Parameters = (), *, writes: bool = False
    ) -> Answer:
        """Run a statement that does no harm when it is repeated, until its answer comes.

        Raises StoreUnavailable if no answer comes, or OutcomeUnknown if the statement `writes`.
        """
        return await self._repeat(self.once, statement, parameters, unknown if writes else cut_off)

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
        if self._layout is None:
            await self._prepare()
        try:
            return await self._link.run(statement, parameters)
        except Absent:  # somebody took the table away
            await self._prepare()
            return await self._link.run(statement, parameters)
        except OtherColumns as error:
            raise other_columns(self._sql, error) from error
        except Denied as error:
            raise denied(self._sql, error) from error

    async def layout(self) -> Layout:
        """Return what is known of the table."""
        return self._layout or await self._prepare()

    async def create(self) -> None:
        """Make the table and its indexes, if they are not there."""
        for statement in self._sql.create:
            with suppress(Taken):  # by another process, just now
                await self._repeat(self._link.run, statement, (), cut_off)

    async def _prepare(self) -> Layout:
        """Look at the table; make it if it is not there."""
        rows = await self._look()
        if not rows and self._may_create:
            try:
                await self.create()
            except StoreUnavailable as error:
                raise missing(self._sql, str(error)) from error
            rows = await self._look()
        self._layout = check_layout(self._sql, rows)
        return self._layout

    async def _look(self) -> list[Any]:
        """Return what the table says of itself: no row if it is not there."""
        return (await self._repeat(self._link.run, self._sql.layout, (), cut_off)).rows

    async def _repeat(
        self,
        run: AsyncRun,
        statement: str,
        parameters: Parameters,
        given_up: Callable[[Exception], StoreError],
    ) -> Answer:
        """Run a statement until its answer comes; raise what `given_up` makes of the last error."""
        lost: Lost | None = None
        deadline = 0.0
        for _ in range(REPEATS):
            try:
                return await run(statement, parameters)
            except Lost as error:
                deadline = deadline or monotonic() + PATIENCE
                lost = error
                if isinstance(error, Silent) or monotonic() > deadline:
                    break
            except StoreError as error:
                if lost is None or given_up is cut_off:
                    raise
                raise given_up(error) from error
        assert lost is not None
        raise given_up(lost) from lost

    async def _settle(self, write: Write, lost: Lost) -> bool:
        """Find out what became of a write, and repeat it as long as nothing did."""
        deadline = monotonic() + PATIENCE
        for _ in range(REPEATS):
            if monotonic() > deadline:
                break
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
            except (StoreError, CorruptRecord) as error:
                raise unknown(error) from error
        raise unknown(lost) from lost
