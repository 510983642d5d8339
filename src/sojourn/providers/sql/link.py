"""The way of a statement to the database and of its answer back.

The table is looked at once, before the first statement of a process, and made if it is not there.
"""

from __future__ import annotations

import time
from asyncio import sleep as async_sleep
from time import sleep
from typing import Any, Protocol

from sojourn.errors import StoreError, StoreUnavailable
from sojourn.providers.sql.driver import (
    Answer,
    AsyncDriver,
    Connection,
    Driver,
    Fault,
    Parameters,
    Taken,
    raised,
)
from sojourn.providers.sql.statements import LAYOUT, Statements, ddl

PATIENCE = 3.0
"""Seconds that a statement is tried again if others were in the way: less than a wait for a lock
takes, so that only what was refused at once is tried again."""
PAUSE = 0.005
SPOILS = (Fault.LOST, Fault.TOO_LARGE)
"""After these a connection is no use any more."""


class Source(Protocol):
    """Where connections come from: a pool of ours, or the application's."""

    def take(self) -> Connection: ...
    def put(self, connection: Connection) -> None: ...
    def discard(self, connection: Connection) -> None: ...
    def close(self) -> None: ...


class AsyncSource(Protocol):
    """The same for asyncio."""

    async def take(self) -> Connection: ...
    async def put(self, connection: Connection) -> None: ...
    async def discard(self, connection: Connection) -> None: ...
    async def close(self) -> None: ...


class Link:
    """Sends statements, each through a connection of its own."""

    def __init__(
        self, source: Source, driver: Driver, statements: Statements, *, create: bool
    ) -> None:
        self._source = source
        self._driver = driver
        self._statements = statements
        self._may_create = create
        self._ready = False
        self.close = source.close

    def run(self, statement: str, parameters: Parameters = ()) -> Answer:
        """Return the answer.

        Raises Lost if the connection broke, Taken, or StoreUnavailable, SessionTooLarge or
        StoreError; but for the first, nothing was written then.
        """
        if not self._ready:
            self._prepare()
        return self._send(statement, parameters)

    def create(self) -> None:
        """Make the table and its indexes, if they are not there."""
        for statement in self._statements.create:
            try:
                self._send(statement, ())
            except Taken:  # by another process, just now
                continue

    def _prepare(self) -> None:
        """Look at the table; make it if it is not there."""
        query = self._statements.layout
        rows = self._send(query, ()).rows
        if not rows and self._may_create:
            try:
                self.create()
            except StoreUnavailable as error:
                raise missing(self._statements, str(error)) from error
            rows = self._send(query, ()).rows
        check_layout(self._statements, rows)
        self._ready = True

    def _send(self, statement: str, parameters: Parameters) -> Answer:
        """Try for a while, as long as others are in the way."""
        deadline = time.monotonic() + PATIENCE
        source, driver = self._source, self._driver
        while True:
            connection = None
            try:
                connection = source.take()
                answer = driver.execute(connection, statement, parameters)
            except driver.errors as error:
                fault, reason = driver.fault(error)
                if connection is not None and fault in SPOILS:
                    source.discard(connection)
                elif connection is not None:
                    source.put(connection)
                if fault is not Fault.BUSY or time.monotonic() > deadline:
                    raise raised(fault, reason, sent=connection is not None) from error
            except BaseException:
                if connection is not None:
                    source.discard(connection)
                raise
            else:
                source.put(connection)
                return answer
            sleep(PAUSE)


class AsyncLink:
    """Sends statements, each through a connection of its own."""

    def __init__(
        self,
        source: AsyncSource,
        driver: AsyncDriver,
        statements: Statements,
        *,
        create: bool,
    ) -> None:
        self._source = source
        self._driver = driver
        self._statements = statements
        self._may_create = create
        self._ready = False
        self.close = source.close

    async def run(self, statement: str, parameters: Parameters = ()) -> Answer:
        """Return the answer.

        Raises Lost if the connection broke, Taken, or StoreUnavailable, SessionTooLarge or
        StoreError; but for the first, nothing was written then.
        """
        if not self._ready:
            await self._prepare()
        return await self._send(statement, parameters)

    async def create(self) -> None:
        """Make the table and its indexes, if they are not there."""
        for statement in self._statements.create:
            try:
                await self._send(statement, ())
            except Taken:  # by another process, just now
                continue

    async def _prepare(self) -> None:
        """Look at the table; make it if it is not there."""
        query = self._statements.layout
        rows = (await self._send(query, ())).rows
        if not rows and self._may_create:
            try:
                await self.create()
            except StoreUnavailable as error:
                raise missing(self._statements, str(error)) from error
            rows = (await self._send(query, ())).rows
        check_layout(self._statements, rows)
        self._ready = True

    async def _send(self, statement: str, parameters: Parameters) -> Answer:
        """Try for a while, as long as others are in the way."""
        deadline = time.monotonic() + PATIENCE
        source, driver = self._source, self._driver
        while True:
            connection = None
            try:
                connection = await source.take()
                answer = await driver.execute(connection, statement, parameters)
            except driver.errors as error:
                fault, reason = driver.fault(error)
                if connection is not None and fault in SPOILS:
                    await source.discard(connection)
                elif connection is not None:
                    await source.put(connection)
                if fault is not Fault.BUSY or time.monotonic() > deadline:
                    raise raised(fault, reason, sent=connection is not None) from error
            except BaseException:
                if connection is not None:
                    await source.discard(connection)
                raise
            else:
                await source.put(connection)
                return answer
            await async_sleep(PAUSE)


def check_layout(statements: Statements, rows: list[Any]) -> None:
    """Make sure that the table is there, and one that this release knows."""
    if not rows:
        raise missing(statements, "it is not there, and create_table is False")
    said = str(rows[0][0]).partition("\n")[0]
    if LAYOUT not in said:
        raise StoreError(
            "the table of the sessions is none that this release knows: it says of itself "
            f"{said[:80]!r}, and should say {LAYOUT!r}. Name another one by `table`"
        )


def missing(statements: Statements, reason: str) -> StoreUnavailable:
    """The error for a table that is not there and cannot be made."""
    return StoreUnavailable(
        f"no table for the sessions: {reason}. Whoever may create tables runs `sojourn init`, "
        f"or these statements:\n{ddl(statements)}"
    )
