"""The driver for MySQL and MariaDB in asyncio: asyncmy.

The server prepares each statement once per connection, which saves a quarter of the time of a
statement that is sent as text.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from sojourn.providers import releases
from sojourn.providers.sql import mysql_faults as common
from sojourn.providers.sql.driver import (
    Answer,
    Connection,
    Fault,
    Parameters,
    Socket,
)
from sojourn.providers.sql.dsn import MySQL

_QUIT = b"\x01\x00\x00\x00\x01"
"""The packet COM_QUIT, which ends a session."""


class _Prepared:
    """A connection of asyncmy with its prepared statements, and a timeout for its answers."""

    def __init__(self, to: Any, limit: int, patience: float) -> None:
        self.to = to
        self.limit = limit
        """The largest packet that the server accepts, in bytes."""
        # The statements end with the connection, at the server too, so none is ever closed.
        self.statements: dict[str, Any] = {}
        # Kept, since asyncmy lets go of it when a task is cancelled in the middle of an answer.
        self._transport = to._transport
        self.socket = Socket(self._transport.get_extra_info("socket").fileno())
        self._patience = patience
        self._now = asyncio.get_running_loop().time
        self._until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Start the timeout: the connection is cut if `end` is not called in time."""
        # One timer serves many statements, since a timer for each would cost a tenth of a
        # statement.  It may be due earlier than `_until`; `_look` then sets a new one.
        self._until = self._now() + self._patience
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(self._until, self._look)

    def end(self) -> None:
        """Stop the timeout, since the answer has arrived or the statement has failed."""
        self._until = 0.0

    def close(self) -> None:
        """Close the connection and cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
        _close(self.to, self._transport)

    def _look(self) -> None:
        self._timer = None
        if self._until and self._until <= self._now():
            # The waiting task then gets an error of the driver.  To cancel it instead would look
            # like a cancellation by the application.
            self._transport.abort()
        elif self._until:
            # A later statement is waiting.  Without one no timer is set, until the next `begin`.
            self._timer = asyncio.get_running_loop().call_at(self._until, self._look)


class Asyncmy:
    """asyncmy, with prepared statements and a bounded wait for each answer."""

    def __init__(self, target: MySQL, timeout: float) -> None:
        import asyncmy
        import asyncmy.errors

        releases.check("asyncmy")
        self.errors: tuple[type[Exception], ...] = (asyncmy.errors.Error, OSError)
        self._connect = asyncmy.connect
        self._target = target
        self.timeout = common.lock_wait(target, timeout)
        self.patience: float = common.patience(target.read_timeout, timeout)
        self._keywords = {
            **common.keywords(target, timeout),
            "init_command": common.set_up(self.timeout),
            "ssl": common.tls(target),
        }

    async def connect(self) -> Connection:
        # asyncmy's own `connect_timeout` does not cover the greeting and the authentication.
        async with asyncio.timeout(self.patience):
            connection: Any = await self._connect(**self._keywords)
            transport = connection._transport
            try:
                return await self._set_up(connection)
            except BaseException:  # an open connection must not be lost, even after an interrupt
                _close(connection, transport)
                raise

    async def _set_up(self, connection: Any) -> _Prepared:
        # Checked here, since a driver may fall back to plain text if the server offers no TLS.
        if self._target.tls != "off" and not _is_encrypted(connection):
            raise common.without_tls()
        [(limit,)] = (await (await connection.prepare(common.LIMIT)).execute()).rows
        return _Prepared(connection, limit, self.patience)

    async def execute(
        self, connection: Connection, statement: str, parameters: Parameters
    ) -> Answer:
        to, statements = connection.to, connection.statements
        # The fields and the head make up nearly all of a packet; the rest fits into the margin that
        # `check_size` leaves.
        common.check_size(sum(len(p) for p in parameters if type(p) is bytes), connection.limit)
        connection.begin()
        try:
            prepared = statements.get(statement)
            if prepared is None:
                prepared = statements[statement] = await to.prepare(statement)
            result = await prepared.execute(parameters)
        finally:
            connection.end()
        # None for a statement that returns no rows; a query that finds none has an empty tuple.
        if result.rows is None:
            return Answer([], result.affected_rows)
        return Answer(result.rows, len(result.rows))

    def is_stale(self, connection: Connection) -> object:
        # The event loop reads from the socket as soon as it can, so the end of the connection may
        # have been read already (`_stream_broken`), or may still be in the socket (`has_news`).
        return connection.to._stream_broken or connection.socket.has_news()

    def abort(self, connection: Connection) -> None:
        # RuntimeError, if the event loop of the connection is closed.
        with suppress(*self.errors, RuntimeError):
            connection.close()

    def forget(self, connection: Connection) -> None:
        connection.socket.lead_nowhere()

    def fault(self, error: Exception) -> tuple[Fault, str]:
        return common.fault(self._target, error)


def _close(connection: Any, transport: Any) -> None:
    """Close a connection of asyncmy at once, with a goodbye that is not waited for."""
    # Without the goodbye the server would count an aborted connection, and may log it.  Then
    # `abort`, since `close` waits half a minute for the other end of an encrypted connection.
    if not transport.is_closing():
        transport.write(_QUIT)
    transport.abort()
    connection.close()


def _is_encrypted(connection: Any) -> bool:
    return connection._transport.get_extra_info("ssl_object") is not None
