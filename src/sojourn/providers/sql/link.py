"""The way of a statement to the database and of its answer back."""

from __future__ import annotations

from asyncio import sleep as async_sleep
from time import monotonic, sleep
from typing import Protocol

from sojourn.providers.sql.driver import (
    Answer,
    AsyncDriver,
    Connection,
    Driver,
    Fault,
    Parameters,
    raised,
    unreachable,
)

PATIENCE = 3.0
"""Seconds that a statement is tried again if others were in the way: less than a wait for a lock
takes, so that only what was refused at once is tried again."""
PAUSE = 0.005
SPOILS = (Fault.LOST, Fault.SILENT, Fault.TOO_LARGE, Fault.READ_ONLY)
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

    def __init__(self, source: Source, driver: Driver) -> None:
        self._source = source
        self._driver = driver
        self.close = source.close

    def run(self, statement: str, parameters: Parameters = ()) -> Answer:
        """Return the answer; try for a while, as long as others are in the way.

        Raises Lost if the connection broke, Taken, or StoreUnavailable, SessionTooLarge or
        StoreError; but for the first, nothing was written then.
        """
        deadline = monotonic() + PATIENCE
        source, driver = self._source, self._driver
        while True:
            connection, began = None, 0.0
            try:
                connection = source.take()
                began = monotonic()
                answer = driver.execute(connection, statement, parameters)
            except driver.errors as error:
                fault, reason = driver.fault(error)
                if connection is None:
                    raise unreachable(reason) from error
                if fault is Fault.LOST and monotonic() - began >= driver.patience:
                    fault = Fault.SILENT
                give_back = source.discard if fault in SPOILS else source.put
                give_back(connection)
                if fault is Fault.READ_ONLY:
                    source.close()  # the idle ones lead to the same place
                if fault is not Fault.BUSY or monotonic() > deadline:
                    raise raised(fault, reason) from error
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

    def __init__(self, source: AsyncSource, driver: AsyncDriver) -> None:
        self._source = source
        self._driver = driver
        self.close = source.close

    async def run(self, statement: str, parameters: Parameters = ()) -> Answer:
        """Return the answer; try for a while, as long as others are in the way.

        Raises Lost if the connection broke, Taken, or StoreUnavailable, SessionTooLarge or
        StoreError; but for the first, nothing was written then.
        """
        deadline = monotonic() + PATIENCE
        source, driver = self._source, self._driver
        while True:
            connection, began = None, 0.0
            try:
                connection = await source.take()
                began = monotonic()
                answer = await driver.execute(connection, statement, parameters)
            except driver.errors as error:
                fault, reason = driver.fault(error)
                if connection is None:
                    raise unreachable(reason) from error
                if fault is Fault.LOST and monotonic() - began >= driver.patience:
                    fault = Fault.SILENT
                give_back = source.discard if fault in SPOILS else source.put
                await give_back(connection)
                if fault is Fault.READ_ONLY:
                    await source.close()  # the idle ones lead to the same place
                if fault is not Fault.BUSY or monotonic() > deadline:
                    raise raised(fault, reason) from error
            except BaseException:
                if connection is not None:
                    await source.discard(connection)
                raise
            else:
                await source.put(connection)
                return answer
            await async_sleep(PAUSE)
