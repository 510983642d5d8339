"""The driver for MySQL and MariaDB that asyncio has: asyncmy.

The server prepares each statement once for a connection: a quarter less than as a text.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from sojourn.errors import StoreUnavailable
from sojourn.providers.sql import mysql_faults as common
from sojourn.providers.sql.driver import (
    Answer,
    Connection,
    Fault,
    Parameters,
    Socket,
)
from sojourn.providers.sql.dsn import MySQL


class _Prepared:
    """A connection of asyncmy, what was prepared on it, and until when its answer is awaited."""

    def __init__(self, to: Any, limit: int, patience: float) -> None:
        self.to = to
        self.limit = limit
        self.statements: dict[str, Any] = {}
        self.socket = Socket(to._transport.get_extra_info("socket").fileno())
        self._patience = patience
        self._now = asyncio.get_running_loop().time
        self._until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Let the connection be cut if `end` does not come in time.

        One timer serves many statements: a timer for each would cost a tenth of a statement.
        """
        self._until = self._now() + self._patience
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(self._until, self._look)

    def end(self) -> None:
        """The answer came."""
        self._until = 0.0

    def close(self) -> None:
        """Cut the connection, and forget the timer."""
        if self._timer is not None:
            self._timer.cancel()
        self.to.close()

    def _look(self) -> None:
        self._timer = None
        if self._until and self._until <= self._now():
            self.to._transport.abort()
        elif self._until:
            self._timer = asyncio.get_running_loop().call_at(self._until, self._look)


class Asyncmy:
    """Speaks the binary protocol, on connections that are watched."""

    def __init__(self, target: MySQL, timeout: float) -> None:
        import asyncmy
        import asyncmy.errors

        self.errors: tuple[type[Exception], ...] = (asyncmy.errors.Error, OSError)
        self._connect = asyncmy.connect
        self._target = target
        self.timeout = timeout
        self.patience: float = common.patience(target.read_timeout, timeout)
        self._keywords = {
            **common.keywords(target, timeout),
            "init_command": common.set_up(timeout),
            "ssl": common.tls(target),
        }

    async def connect(self) -> Connection:
        async with asyncio.timeout(self.patience):
            connection: Any = await self._connect(**self._keywords)
            if self._target.tls in ("unverified", "verified") and not _is_encrypted(connection):
                connection.close()
                raise StoreUnavailable("the database of the sessions does not speak TLS")
            [(limit,)] = (await (await connection.prepare(common.LIMIT)).execute()).rows
        return _Prepared(connection, limit, self.patience)

    async def execute(
        self, connection: Connection, statement: str, parameters: Parameters
    ) -> Answer:
        to, statements = connection.to, connection.statements
        common.check_size(sum(len(p) for p in parameters if type(p) is bytes), connection.limit)
        connection.begin()
        try:
            prepared = statements.get(statement)
            if prepared is None:
                prepared = statements[statement] = await to.prepare(statement)
            result = await prepared.execute(parameters)
        finally:
            connection.end()
        if result.rows is None:
            return Answer([], result.affected_rows)
        return Answer(result.rows, len(result.rows))

    def is_stale(self, connection: Connection) -> object:
        return connection.to._stream_broken or connection.socket.has_news()

    def abort(self, connection: Connection) -> None:
        with suppress(*self.errors, RuntimeError):
            connection.close()

    async def close(self, connection: Connection) -> None:
        with suppress(*self.errors, RuntimeError):
            await connection.to.ensure_closed()
        self.abort(connection)

    def forget(self, connection: Connection) -> None:
        connection.socket.lead_nowhere()

    def fault(self, error: Exception) -> tuple[Fault, str]:
        return common.fault(self._target, error)


def _is_encrypted(connection: Any) -> bool:
    return connection._transport.get_extra_info("ssl_object") is not None
