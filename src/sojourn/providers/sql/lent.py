"""What the application already has, lent for each statement: an engine of SQLAlchemy.

It sees to the connections itself, and takes them back after each statement.  That costs some five
times what a connection of ours does, so it is for those who must count their connections.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sojourn.errors import ConfigError
from sojourn.providers.sql.dialects import Dialect
from sojourn.providers.sql.driver import Answer, Connection, Fault, Parameters
from sojourn.providers.sql.settings import TIMEOUT
from sojourn.providers.sql.statements import Statements, statements

_MARKS = {"format": "%s", "pyformat": "%s", "qmark": "?", "numeric_dollar": "$"}

_OF_BYTES = (memoryview, bytearray)
TRIES = 5
"""How many dead connections of a pool are passed by."""

FaultOf = Callable[[Exception], tuple[Fault, str]]


class _Lent:
    """What both colours have in common."""

    def __init__(self, engine: Any, fault_of: FaultOf) -> None:
        from sqlalchemy.exc import DBAPIError, SQLAlchemyError

        own: type[Exception] = engine.dialect.loaded_dbapi.Error
        self.errors: tuple[type[Exception], ...] = (SQLAlchemyError, own, OSError)
        self._own = own
        self._wrapped = DBAPIError
        self._engine = engine
        self._pid = os.getpid()
        self._fault_of = fault_of
        self.timeout = self.patience = TIMEOUT  # it may have been told to wait for ever

    def is_stale(self, connection: Connection) -> object:
        return connection.invalidated

    def _leave_to_parent(self) -> None:
        """Have the engine of a child of `fork` begin without the connections of its parent."""
        if self._pid != os.getpid():
            getattr(self._engine, "sync_engine", self._engine).dispose(close=False)
            self._pid = os.getpid()

    def forget(self, connection: Connection) -> None:
        """Leave it to `_leave_to_parent`."""

    def fault(self, error: Exception) -> tuple[Fault, str]:
        if isinstance(error, self._own):
            return self._fault_of(error)
        if not isinstance(error, self._wrapped) or not isinstance(error.orig, Exception):
            return Fault.REFUSED, type(error).__name__
        error.hide_parameters = True  # they are somebody's session, and errors are logged
        fault, reason = self._fault_of(error.orig)
        return Fault.LOST if error.connection_invalidated else fault, reason


class Engine(_Lent):
    """The driver, and the source of its connections."""

    def connect(self) -> Connection:
        self._leave_to_parent()
        tries = 0
        while True:
            connection = self._engine.connect()
            try:
                return connection.execution_options(isolation_level="AUTOCOMMIT")
            except self.errors:  # it died in the engine's pool
                self.discard(connection)
                tries += 1
                if tries == TRIES:
                    raise

    take = connect

    def execute(self, connection: Connection, statement: str, parameters: Parameters) -> Answer:
        result = connection.exec_driver_sql(statement, parameters or None)
        return Answer(_rows(result.fetchall()) if result.returns_rows else [], result.rowcount)

    def put(self, connection: Connection) -> None:
        """Give it back.

        SQLAlchemy sends a ROLLBACK then.  If the connection breaks there, the statement before it
        was answered all the same, so the error is not raised.
        """
        try:
            connection.close()
        except self.errors:
            self.discard(connection)

    def discard(self, connection: Connection) -> None:
        """Give it back as one that is no use any more; never raises."""
        with suppress(*self.errors):
            connection.invalidate()
        with suppress(*self.errors):
            connection.close()

    def drop_idle(self, since: float) -> None:
        """Leave it to the engine, which throws away all that it has when one has broken."""

    def close(self, connection: Connection = None) -> None:
        """Leave the engine to the application, whose it is."""


class AsyncEngine(_Lent):
    """The driver, and the source of its connections."""

    async def connect(self) -> Connection:
        self._leave_to_parent()
        tries = 0
        while True:
            connection = await self._engine.connect()
            try:
                return await connection.execution_options(isolation_level="AUTOCOMMIT")
            except self.errors:  # it died in the engine's pool
                await self.discard(connection)
                tries += 1
                if tries == TRIES:
                    raise

    take = connect

    async def execute(
        self, connection: Connection, statement: str, parameters: Parameters
    ) -> Answer:
        result = await connection.exec_driver_sql(statement, parameters or None)
        return Answer(_rows(result.fetchall()) if result.returns_rows else [], result.rowcount)

    async def put(self, connection: Connection) -> None:
        """Give it back.

        SQLAlchemy sends a ROLLBACK then.  If the connection breaks there, the statement before it
        was answered all the same, so the error is not raised.
        """
        try:
            await connection.close()
        except self.errors:
            await self.discard(connection)

    async def discard(self, connection: Connection) -> None:
        """Give it back as one that is no use any more; never raises."""
        with suppress(*self.errors):
            await connection.invalidate()
        with suppress(*self.errors):
            await connection.close()

    def abort(self, connection: Connection) -> None:
        """Leave it to `discard`."""

    async def drop_idle(self, since: float) -> None:
        """Leave it to the engine, which throws away all that it has when one has broken."""

    async def close(self, connection: Connection = None) -> None:
        """Leave the engine to the application, whose it is."""


def _rows(rows: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return rows with bytes where a driver has its own idea of them, as psycopg2 has."""
    return [tuple([bytes(v) if type(v) in _OF_BYTES else v for v in row]) for row in rows]


def is_engine(given: object, names: Mapping[str, str], *, is_async: bool) -> bool:
    """Whether it is an engine, of the right colour and for the right database; else ConfigError.

    names: how SQLAlchemy calls the database, and we.
    """
    if isinstance(given, str):
        return False
    name = getattr(getattr(given, "dialect", None), "name", None)
    wanted = "AsyncEngine" if is_async else "Engine"
    if type(given).__name__ != wanted or name not in names:
        raise ConfigError(
            f"provider_config: {type(given).__name__} is nothing to connect with. Give a DSN, a "
            f"URL, or SQLAlchemy's {wanted} for {' or '.join(names.values())}"
        )
    return True


def spoken(dialect: Dialect, table: str, engine: Any) -> Statements:
    """Return the statements in the way in which the engine's driver marks parameters."""
    create = tuple(map(_one_statement, dialect.create))
    mark = _MARKS[engine.dialect.paramstyle]
    return statements(dialect._replace(mark=mark, create=create), table, engine.url.username or "")


def _one_statement(text: str) -> str:
    """Return several statements of PostgreSQL as one, since asyncpg takes no more at a time.

    All of them are done, or none: a table without its comment would be refused ever after.
    """
    return text if ";\n" not in text else f"DO $$$$ BEGIN\n{text};\nEND $$$$"
