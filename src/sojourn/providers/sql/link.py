"""The way of a statement to the database and of its answer back."""

from __future__ import annotations

from asyncio import sleep as async_sleep
from time import monotonic, sleep
from typing import Protocol

from sojourn.errors import SessionError
from sojourn.providers.sql.driver import (
    Answer,
    AsyncDriver,
    Connection,
    Driver,
    Fault,
    Parameters,
    fault_of,
    raised,
    unreachable,
)

PATIENCE = 3.0
"""Seconds that a statement is tried again if others were in the way, unless the driver's `timeout`
is less.  A wait for a lock takes `timeout`: what has waited that long is not tried again."""
PAUSE = 0.005
SPOILS = (Fault.LOST, Fault.SILENT, Fault.TOO_LARGE, Fault.READ_ONLY)
"""After these a connection is no use any more."""


class Source(Protocol):
    """Where connections come from: a pool of ours, or the application's."""

    def take(self) -> Connection: ...
    def put(self, connection: Connection) -> None: ...
    def discard(self, connection: Connection) -> None: ...
    def drop_idle(self, since: float) -> None: ...
    def close(self) -> None: ...


class AsyncSource(Protocol):
    """The same for asyncio."""

    async def take(self) -> Connection: ...
    async def put(self, connection: Connection) -> None: ...
    async def discard(self, connection: Connection) -> None: ...
    async def drop_idle(self, since: float) -> None: ...
    async def close(self) -> None: ...


class Link:
    """Sends statements, each through a connection of its own."""

    def __init__(self, source: Source, driver: Driver) -> None:
        self._source = source
        self._driver = driver
        self._patience = min(PATIENCE, driver.timeout)
        self.close = source.close

    def run(self, statement: str, parameters: Parameters = ()) -> Answer:
        """Return the answer; try for a while, as long as others are in the way.

        Raises Lost if the connection broke, Taken, or StoreUnavailable, SessionTooLarge or
        StoreError; but for the first, nothing was written then.
        """
        deadline = monotonic() + self._patience
        source, driver = self._source, self._driver
        while True:
            try:
                connection = source.take()
            except SessionError:
                raise
            except Exception as error:
                raise unreachable(fault_of(driver, error)[1]) from error
            began = monotonic()
            try:
                answer = driver.execute(connection, statement, parameters)
            except Exception as error:  # noqa: BLE001 - a driver may raise anything; see fault_of
                self._give_up_or_retry(connection, error, began, deadline)
            except BaseException:
                source.discard(connection)
                raise
            else:
                source.put(connection)
                return answer
            sleep(PAUSE)

    def _give_up_or_retry(
        self, connection: Connection, error: Exception, began: float, deadline: float
    ) -> None:
        """Give the connection back; raise what the error means, unless the statement may be retried.

        began: when the statement was sent.
        deadline: until when a statement is tried again that was refused because of others.
        """
        source, driver = self._source, self._driver
        if isinstance(error, SessionError):  # refused before it was sent
            source.discard(connection)
            raise error
        fault, reason = fault_of(driver, error)
        if fault is Fault.LOST and monotonic() - began >= driver.patience:
            fault = Fault.SILENT
        give_back = source.discard if fault in SPOILS else source.put
        give_back(connection)
        if fault in (Fault.LOST, Fault.SILENT):
            source.drop_idle(began)
        if fault is Fault.READ_ONLY:
            source.close()  # the idle ones lead to the same place
        if fault is not Fault.BUSY or monotonic() >= deadline:
            raise raised(fault, reason) from error


class AsyncLink:
    """Sends statements, each through a connection of its own."""

    def __init__(self, source: AsyncSource, driver: AsyncDriver) -> None:
        self._source = source
        self._driver = driver
        self._patience = min(PATIENCE, driver.timeout)
        self.close = source.close

    async def run(self, statement: str, parameters: Parameters = ()) -> Answer:
        """Return the answer; try for a while, as long as others are in the way.

        Raises Lost if the connection broke, Taken, or StoreUnavailable, SessionTooLarge or
        StoreError; but for the first, nothing was written then.
        """
        deadline = monotonic() + self._patience
        source, driver = self._source, self._driver
        while True:
            try:
                connection = await source.take()
            except SessionError:
                raise
            except Exception as error:
                raise unreachable(fault_of(driver, error)[1]) from error
            began = monotonic()
            try:
                answer = await driver.execute(connection, statement, parameters)
            except Exception as error:  # noqa: BLE001 - a driver may raise anything; see fault_of
                await self._give_up_or_retry(connection, error, began, deadline)
            except BaseException:
                await source.discard(connection)
                raise
            else:
                await source.put(connection)
                return answer
            await async_sleep(PAUSE)

    async def _give_up_or_retry(
        self, connection: Connection, error: Exception, began: float, deadline: float
    ) -> None:
        """Give the connection back; raise what the error means, unless the statement may be retried.

        began: when the statement was sent.
        deadline: until when a statement is tried again that was refused because of others.
        """
        source, driver = self._source, self._driver
        if isinstance(error, SessionError):  # refused before it was sent
            await source.discard(connection)
            raise error
        fault, reason = fault_of(driver, error)
        if fault is Fault.LOST and monotonic() - began >= driver.patience:
            fault = Fault.SILENT
        give_back = source.discard if fault in SPOILS else source.put
        await give_back(connection)
        if fault in (Fault.LOST, Fault.SILENT):
            await source.drop_idle(began)
        if fault is Fault.READ_ONLY:
            await source.close()  # the idle ones lead to the same place
        if fault is not Fault.BUSY or monotonic() >= deadline:
            raise raised(fault, reason) from error
