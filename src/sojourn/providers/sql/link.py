"""One statement, one connection: a connection is taken, used for one statement, and given back.

A statement that failed because of other transactions (a lock, a deadlock) did nothing, so it is
sent again here, for a bounded time.  All other failures are classified and raised.
"""

from __future__ import annotations

from time import monotonic, sleep
from typing import Protocol

from sojourn._loops import async_sleep
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
"""Seconds for which a statement is repeated while other transactions interfere, or the driver's
`timeout` if that is less.  A wait for a lock takes `timeout`, so a statement that has waited that
long is not repeated; a deadlock, which is reported at once, is."""
PAUSE = 0.005
"""Seconds between two attempts."""
SPOILS = (Fault.LOST, Fault.SILENT, Fault.TOO_LARGE, Fault.READ_ONLY)
"""The faults after which the connection is closed: it is broken, an answer may still be on its way,
MySQL closes it after a packet that is too large, or it leads to a server that takes no writes."""


class ConnectionSource(Protocol):
    """The source of connections: a pool of Sojourn, or an engine of the application."""

    def take(self) -> Connection: ...
    def put(self, connection: Connection) -> None: ...
    def discard(self, connection: Connection) -> None: ...
    def drop_idle(self, since: float) -> None: ...
    def close(self) -> None: ...


class AsyncConnectionSource(Protocol):
    """The same for asyncio."""

    async def take(self) -> Connection: ...
    async def put(self, connection: Connection) -> None: ...
    async def discard(self, connection: Connection) -> None: ...
    async def drop_idle(self, since: float) -> None: ...
    async def close(self) -> None: ...


class Link:
    """Sends statements, each over a connection that nothing else uses at that time."""

    def __init__(self, source: ConnectionSource, driver: Driver) -> None:
        self._source = source
        self._driver = driver
        self._patience = min(PATIENCE, driver.timeout)
        self.close = source.close

    def run(self, statement: str, parameters: Parameters = ()) -> Answer:
        """Send a statement and return its answer; repeat it while other transactions interfere.

        Raises Lost, or its subclass Silent, if the connection broke or no answer arrived: only then
        may the statement have been executed.  After all other errors nothing was written: Taken if
        the row or table exists; StoreUnavailable if no connection was available, or if the database
        refused; SessionTooLarge.  If the call is interrupted, such as by the cancellation of its
        task, the statement may have been executed too.
        """
        deadline = monotonic() + self._patience
        source, driver = self._source, self._driver
        while True:
            try:
                connection = source.take()
            except SessionError:  # all connections are in use, or the server has no TLS
                raise
            except Exception as error:
                raise unreachable(fault_of(driver, error)[1]) from error
            began = monotonic()
            try:
                answer = driver.execute(connection, statement, parameters)
            except Exception as error:  # noqa: BLE001 - a driver may raise anything; see fault_of
                self._give_up_or_retry(connection, error, began, deadline)
            except BaseException:
                # A cancelled task, KeyboardInterrupt, or a Timeout of gevent or eventlet: the
                # answer may be half-read, and the next statement here would get the rest of it.
                source.discard(connection)
                raise
            else:
                source.put(connection)
                return answer
            sleep(PAUSE)

    def _give_up_or_retry(
        self, connection: Connection, error: Exception, began: float, deadline: float
    ) -> None:
        """Give the connection back; return if the statement may be sent again, otherwise raise.

        began: the monotonic time at which the statement was sent.
        deadline: the monotonic time after which it is not sent again.
        """
        source, driver = self._source, self._driver
        # The driver refused the statement before sending it, such as one that is too large.
        if isinstance(error, SessionError):
            source.put(connection)
            raise error
        fault, reason = fault_of(driver, error)
        # A driver's timeout looks like a broken connection; the elapsed time tells them apart.
        if fault is Fault.LOST and monotonic() - began >= driver.patience:
            fault = Fault.SILENT
        give_back = source.discard if fault in SPOILS else source.put
        give_back(connection)
        # Other connections that were idle as long are probably dead too (a server restarted, a load
        # balancer dropped them by age): closing them now keeps each from failing a request.
        if fault in (Fault.LOST, Fault.SILENT):
            source.drop_idle(began)
        if fault is Fault.READ_ONLY:
            source.close()  # the idle connections lead to the same server
        if fault is not Fault.BUSY or monotonic() >= deadline:
            raise raised(fault, reason) from error


class AsyncLink:
    """Sends statements, each over a connection that nothing else uses at that time."""

    def __init__(self, source: AsyncConnectionSource, driver: AsyncDriver) -> None:
        self._source = source
        self._driver = driver
        self._patience = min(PATIENCE, driver.timeout)
        self.close = source.close

    async def run(self, statement: str, parameters: Parameters = ()) -> Answer:
        """Send a statement and return its answer; repeat it while other transactions interfere.

        Raises Lost, or its subclass Silent, if the connection broke or no answer arrived: only then
        may the statement have been executed.  After all other errors nothing was written: Taken if
        the row or table exists; StoreUnavailable if no connection was available, or if the database
        refused; SessionTooLarge.  If the call is interrupted, such as by the cancellation of its
        task, the statement may have been executed too.
        """
        deadline = monotonic() + self._patience
        source, driver = self._source, self._driver
        while True:
            try:
                connection = await source.take()
            except SessionError:  # all connections are in use, or the server has no TLS
                raise
            except Exception as error:
                raise unreachable(fault_of(driver, error)[1]) from error
            began = monotonic()
            try:
                answer = await driver.execute(connection, statement, parameters)
            except Exception as error:  # noqa: BLE001 - a driver may raise anything; see fault_of
                await self._give_up_or_retry(connection, error, began, deadline)
            except BaseException:
                # A cancelled task, KeyboardInterrupt, or a Timeout of gevent or eventlet: the
                # answer may be half-read, and the next statement here would get the rest of it.
                await source.discard(connection)
                raise
            else:
                await source.put(connection)
                return answer
            await async_sleep(PAUSE)

    async def _give_up_or_retry(
        self, connection: Connection, error: Exception, began: float, deadline: float
    ) -> None:
        """Give the connection back; return if the statement may be sent again, otherwise raise.

        began: the monotonic time at which the statement was sent.
        deadline: the monotonic time after which it is not sent again.
        """
        source, driver = self._source, self._driver
        # The driver refused the statement before sending it, such as one that is too large.
        if isinstance(error, SessionError):
            await source.put(connection)
            raise error
        fault, reason = fault_of(driver, error)
        # A driver's timeout looks like a broken connection; the elapsed time tells them apart.
        if fault is Fault.LOST and monotonic() - began >= driver.patience:
            fault = Fault.SILENT
        give_back = source.discard if fault in SPOILS else source.put
        await give_back(connection)
        # Other connections that were idle as long are probably dead too (a server restarted, a load
        # balancer dropped them by age): closing them now keeps each from failing a request.
        if fault in (Fault.LOST, Fault.SILENT):
            await source.drop_idle(began)
        if fault is Fault.READ_ONLY:
            await source.close()  # the idle connections lead to the same server
        if fault is not Fault.BUSY or monotonic() >= deadline:
            raise raised(fault, reason) from error
