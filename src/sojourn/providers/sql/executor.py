"""Statements on the table: its check on first use, and the recovery from lost answers.

Before the first statement of a process the table is checked, and created if it does not exist.
Both happen again if a statement finds that the table has been dropped since.

A statement that only reads, or may safely run twice, is repeated if its answer was lost.  After any
other write the stored row is read.  If the row shows that the write was not made, it is sent again;
if the row is the one that was sent, the write counts as made; otherwise OutcomeUnknown is raised.
After a timeout nothing is repeated, since a repetition would wait as long again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Any

from sojourn.errors import CorruptRecord, StoreError, StoreUnavailable
from sojourn.providers.compare_and_swap import PATIENCE
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
from sojourn.providers.sql.link import AsyncLink, Link
from sojourn.providers.sql.rows import record_of
from sojourn.providers.sql.schema_check import Layout, check_layout, denied, missing, other_columns
from sojourn.providers.sql.statements import Statements
from sojourn.providers.sql.writes import Recovery, Write, after_lost_reply, unknown
from sojourn.record import Record

REPEATS = 5
"""How often a statement is sent if its answers are lost, each time over another connection."""

Run = Callable[[str, Parameters], Answer]
AsyncRun = Callable[[str, Parameters], Awaitable[Answer]]


class Executor:
    """Sends statements once the table is checked, and repeats them where that is safe."""

    def __init__(self, link: Link, statements: Statements, *, create: bool) -> None:
        self._link = link
        self._sql = statements
        self._may_create = create
        self._layout: Layout | None = None

    @property
    def has_checked(self) -> bool:
        """Whether the table has been checked, as before the first statement."""
        return self._layout is not None

    def ask(self, statement: str, parameters: Parameters = (), *, writes: bool = False) -> Answer:
        """Return the answer to a statement that may safely run twice; repeat it if that was lost.

        writes: whether the statement changes rows, as a touch and a sweep do.

        Raises StoreUnavailable if no answer arrives, or OutcomeUnknown if the statement `writes`.
        """
        return self._repeat(self.once, statement, parameters, unknown if writes else cut_off)

    def read(self, id: str) -> Record | None:
        """Return the record under an id, or None; raise CorruptRecord if it cannot be read."""
        rows = self.ask(self._sql.read, (id,)).rows
        return record_of(id, rows[0]) if rows else None

    def write(self, write: Write) -> bool:
        """Make a write; return False, and change nothing, if `write.old` is not stored any more.

        Raises OutcomeUnknown if it cannot be determined whether the write was made.
        """
        try:
            return self.once(*write[:2]).number > 0
        except Taken:
            return False
        except Silent as silent:
            raise unknown(silent) from silent
        except Lost as lost:
            return self._settle(write, lost)

    def once(self, statement: str, parameters: Parameters) -> Answer:
        """Run a statement as `Link.run` does, without a repetition if its answer is lost."""
        if self._layout is None:
            self._prepare()
        try:
            try:
                return self._link.run(statement, parameters)
            except Absent:
                # The table has been dropped since the check.  Nothing was done, so the statement
                # may be sent again; after a restore the table may also have another layout.
                self._prepare()
                return self._link.run(statement, parameters)
        except OtherColumns as error:
            raise other_columns(self._sql, error) from error
        except Denied as error:
            raise denied(self._sql, error) from error

    def layout(self) -> Layout:
        """Return the abilities of the table and its database; check the table if necessary."""
        return self._layout or self._prepare()

    def create(self) -> None:
        """Create the table and its indexes, if they do not exist."""
        for statement in self._sql.create:
            # IF NOT EXISTS does not exclude a race: of two processes that create the table at once,
            # PostgreSQL refuses one with an error about a duplicate.
            with suppress(Taken):
                self._repeat(self._link.run, statement, (), cut_off)

    def _prepare(self) -> Layout:
        """Check the table, and create it if it does not exist and may be created."""
        # Without a lock: threads or tasks that come here at once check the table more than once.
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
        """Return the answer to the query `layout`: no row if the table does not exist."""
        return self._repeat(self._link.run, self._sql.layout, (), cut_off).rows

    def _repeat(
        self,
        run: Run,
        statement: str,
        parameters: Parameters,
        given_up: Callable[[Exception], StoreError],
    ) -> Answer:
        """Run a statement until its answer arrives.

        run: sends it once.
        given_up: makes the error to raise of the last one, if no answer arrives.
        """
        lost: Lost | None = None
        deadline = 0.0
        for _ in range(REPEATS):
            try:
                return run(statement, parameters)
            except Lost as error:
                # Counted from the first loss: one slow answer is not a reason to give up.
                deadline = deadline or monotonic() + PATIENCE
                lost = error
                if isinstance(error, Silent) or monotonic() > deadline:
                    break
            except StoreError as error:
                # After this error nothing was done by this attempt, but an earlier one, whose
                # answer was lost, may have written.
                if lost is None or given_up is cut_off:
                    raise
                raise given_up(error) from error
        assert lost is not None
        raise given_up(lost) from lost

    def _settle(self, write: Write, lost: Lost) -> bool:
        """Find out whether a write was made whose answer was lost, and repeat it if it was not."""
        deadline = monotonic() + PATIENCE
        for _ in range(REPEATS):
            if monotonic() > deadline:
                break
            try:
                # A first attempt that is executed after the repetition changes nothing: the version
                # that it names has been replaced, or the id that it inserts exists.
                after = after_lost_reply(write, self.read(write.id))
                if after is Recovery.UNKNOWN:
                    break
                if after is Recovery.DONE or self.once(*write[:2]).number > 0:
                    return True
            except Silent:
                break
            except (Taken, Lost):
                # Either the repetition was lost too, or the first attempt was executed after the
                # read, as TAKEN shows for an INSERT.  The next read tells.
                continue
            # The first attempt may have written: the row, which would show it, cannot be read.
            except (StoreError, CorruptRecord) as error:
                raise unknown(error) from error
        raise unknown(lost) from lost


class AsyncExecutor:
    """Sends statements once the table is checked, and repeats them where that is safe."""

    def __init__(self, link: AsyncLink, statements: Statements, *, create: bool) -> None:
        self._link = link
        self._sql = statements
        self._may_create = create
        self._layout: Layout | None = None

    @property
    def has_checked(self) -> bool:
        """Whether the table has been checked, as before the first statement."""
        return self._layout is not None

    async def ask(
        self, statement: str, parameters: Parameters = (), *, writes: bool = False
    ) -> Answer:
        """Return the answer to a statement that may safely run twice; repeat it if that was lost.

        writes: whether the statement changes rows, as a touch and a sweep do.

        Raises StoreUnavailable if no answer arrives, or OutcomeUnknown if the statement `writes`.
        """
        return await self._repeat(self.once, statement, parameters, unknown if writes else cut_off)

    async def read(self, id: str) -> Record | None:
        """Return the record under an id, or None; raise CorruptRecord if it cannot be read."""
        rows = (await self.ask(self._sql.read, (id,))).rows
        return record_of(id, rows[0]) if rows else None

    async def write(self, write: Write) -> bool:
        """Make a write; return False, and change nothing, if `write.old` is not stored any more.

        Raises OutcomeUnknown if it cannot be determined whether the write was made.
        """
        try:
            return (await self.once(*write[:2])).number > 0
        except Taken:
            return False
        except Silent as silent:
            raise unknown(silent) from silent
        except Lost as lost:
            return await self._settle(write, lost)

    async def once(self, statement: str, parameters: Parameters) -> Answer:
        """Run a statement as `AsyncLink.run` does, without a repetition if its answer is lost."""
        if self._layout is None:
            await self._prepare()
        try:
            try:
                return await self._link.run(statement, parameters)
            except Absent:
                # The table has been dropped since the check.  Nothing was done, so the statement
                # may be sent again; after a restore the table may also have another layout.
                await self._prepare()
                return await self._link.run(statement, parameters)
        except OtherColumns as error:
            raise other_columns(self._sql, error) from error
        except Denied as error:
            raise denied(self._sql, error) from error

    async def layout(self) -> Layout:
        """Return the abilities of the table and its database; check the table if necessary."""
        return self._layout or await self._prepare()

    async def create(self) -> None:
        """Create the table and its indexes, if they do not exist."""
        for statement in self._sql.create:
            # IF NOT EXISTS does not exclude a race: of two processes that create the table at once,
            # PostgreSQL refuses one with an error about a duplicate.
            with suppress(Taken):
                await self._repeat(self._link.run, statement, (), cut_off)

    async def _prepare(self) -> Layout:
        """Check the table, and create it if it does not exist and may be created."""
        # Without a lock: threads or tasks that come here at once check the table more than once.
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
        """Return the answer to the query `layout`: no row if the table does not exist."""
        return (await self._repeat(self._link.run, self._sql.layout, (), cut_off)).rows

    async def _repeat(
        self,
        run: AsyncRun,
        statement: str,
        parameters: Parameters,
        given_up: Callable[[Exception], StoreError],
    ) -> Answer:
        """Run a statement until its answer arrives.

        run: sends it once.
        given_up: makes the error to raise of the last one, if no answer arrives.
        """
        lost: Lost | None = None
        deadline = 0.0
        for _ in range(REPEATS):
            try:
                return await run(statement, parameters)
            except Lost as error:
                # Counted from the first loss: one slow answer is not a reason to give up.
                deadline = deadline or monotonic() + PATIENCE
                lost = error
                if isinstance(error, Silent) or monotonic() > deadline:
                    break
            except StoreError as error:
                # After this error nothing was done by this attempt, but an earlier one, whose
                # answer was lost, may have written.
                if lost is None or given_up is cut_off:
                    raise
                raise given_up(error) from error
        assert lost is not None
        raise given_up(lost) from lost

    async def _settle(self, write: Write, lost: Lost) -> bool:
        """Find out whether a write was made whose answer was lost, and repeat it if it was not."""
        deadline = monotonic() + PATIENCE
        for _ in range(REPEATS):
            if monotonic() > deadline:
                break
            try:
                # A first attempt that is executed after the repetition changes nothing: the version
                # that it names has been replaced, or the id that it inserts exists.
                after = after_lost_reply(write, await self.read(write.id))
                if after is Recovery.UNKNOWN:
                    break
                if after is Recovery.DONE or (await self.once(*write[:2])).number > 0:
                    return True
            except Silent:
                break
            except (Taken, Lost):
                # Either the repetition was lost too, or the first attempt was executed after the
                # read, as TAKEN shows for an INSERT.  The next read tells.
                continue
            # The first attempt may have written: the row, which would show it, cannot be read.
            except (StoreError, CorruptRecord) as error:
                raise unknown(error) from error
        raise unknown(lost) from lost
