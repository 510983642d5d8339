"""Connections of the application: each statement borrows one from an engine of SQLAlchemy.

The engine manages its connections itself, and gets each one back after the statement.  A statement
costs about five times as much as over a connection of Sojourn, so this is for applications that
have to limit their connections.
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

# The DB-API's names of parameter styles (PEP 249), and the mark of each.
_MARKS = {"format": "%s", "pyformat": "%s", "qmark": "?", "numeric_dollar": "$"}

_OF_BYTES = (memoryview, bytearray)
TRIES = 5
"""How many connections are taken from the engine's pool until one is alive."""

FaultOf = Callable[[Exception], tuple[Fault, str]]


class _Lent:
    """The parts that the sync and the async engine share."""

    def __init__(self, engine: Any, fault_of: FaultOf) -> None:
        from sqlalchemy.exc import DBAPIError, SQLAlchemyError

        own: type[Exception] = engine.dialect.loaded_dbapi.Error
        self.errors: tuple[type[Exception], ...] = (SQLAlchemyError, own, OSError)
        self._own = own
        self._wrapped = DBAPIError
        self._engine = engine
        self._pid = os.getpid()
        self._fault_of = fault_of
        # The engine's own timeouts apply, and cannot be read from it.  It may have none, so the
        # usual one decides when an error counts as a timeout (`link`).
        self.timeout = self.patience = TIMEOUT

    def is_stale(self, connection: Connection) -> object:
        return connection.invalidated

    def _leave_to_parent(self) -> None:
        """In a child of `fork`, drop the connections of its parent without closing them."""
        # SQLAlchemy does not notice a fork; its documentation prescribes this call.
        if self._pid != os.getpid():
            getattr(self._engine, "sync_engine", self._engine).dispose(close=False)
            self._pid = os.getpid()

    def forget(self, connection: Connection) -> None:
        """Do nothing: `_leave_to_parent` does it."""

    def fault(self, error: Exception) -> tuple[Fault, str]:
        # SQLAlchemy wraps the errors of the driver, but not those that occur while it sets the
        # isolation level.
        if isinstance(error, self._own):
            return self._fault_of(error)
        # SQLAlchemy does not wrap the errors of sockets and timeouts that a driver lets through, as
        # asyncpg does after its `command_timeout`.  The statement may have been sent before them.
        if isinstance(error, OSError):
            is_late = isinstance(error, TimeoutError)
            return Fault.SILENT if is_late else Fault.LOST, type(error).__name__
        # An error of SQLAlchemy itself, such as a pool without a free connection: nothing was sent.
        if not isinstance(error, self._wrapped) or not isinstance(error.orig, Exception):
            return Fault.REFUSED, type(error).__name__
        # The parameters hold session data, and the error may be logged with its cause.
        error.hide_parameters = True
        fault, reason = self._fault_of(error.orig)
        return Fault.LOST if error.connection_invalidated else fault, reason


class Engine(_Lent):
    """The driver and the source of connections in one."""

    def connect(self) -> Connection:
        self._leave_to_parent()
        tries = 0
        while True:
            connection = self._engine.connect()
            try:
                # The application's own connections keep their isolation level: SQLAlchemy resets it
                # when this one is given back.
                return connection.execution_options(isolation_level="AUTOCOMMIT")
            except self.errors:
                # The option sends a statement, which fails if the connection died in the pool.
                self.discard(connection)
                tries += 1
                if tries == TRIES:
                    raise

    take = connect

    def execute(self, connection: Connection, statement: str, parameters: Parameters) -> Answer:
        result = connection.exec_driver_sql(statement, parameters or None)
        return Answer(_rows(result.fetchall()) if result.returns_rows else [], result.rowcount)

    def put(self, connection: Connection) -> None:
        """Give a connection back to the engine.

        SQLAlchemy then sends a ROLLBACK.  If the connection breaks during that, the statement
        before it has been executed and answered, so the error is not raised.
        """
        try:
            connection.close()
        except self.errors:
            self.discard(connection)

    def discard(self, connection: Connection) -> None:
        """Give a connection back so that the engine closes it; never raises."""
        # `close` alone would put it back into the engine's pool.
        with suppress(*self.errors):
            connection.invalidate()
        with suppress(*self.errors):
            connection.close()

    def drop_idle(self, since: float) -> None:
        """Do nothing: if one connection breaks, the engine replaces all of its pool."""

    def close(self, connection: Connection = None) -> None:
        """Do nothing: the engine belongs to the application."""


class AsyncEngine(_Lent):
    """The driver and the source of connections in one."""

    async def connect(self) -> Connection:
        self._leave_to_parent()
        tries = 0
        while True:
            connection = await self._engine.connect()
            try:
                # The application's own connections keep their isolation level: SQLAlchemy resets it
                # when this one is given back.
                return await connection.execution_options(isolation_level="AUTOCOMMIT")
            except self.errors:
                # The option sends a statement, which fails if the connection died in the pool.
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
        """Give a connection back to the engine.

        SQLAlchemy then sends a ROLLBACK.  If the connection breaks during that, the statement
        before it has been executed and answered, so the error is not raised.
        """
        try:
            await connection.close()
        except self.errors:
            await self.discard(connection)

    async def discard(self, connection: Connection) -> None:
        """Give a connection back so that the engine closes it; never raises."""
        # `close` alone would put it back into the engine's pool.
        with suppress(*self.errors):
            await connection.invalidate()
        with suppress(*self.errors):
            await connection.close()

    def abort(self, connection: Connection) -> None:
        """Do nothing: `discard` closes connections."""

    async def drop_idle(self, since: float) -> None:
        """Do nothing: if one connection breaks, the engine replaces all of its pool."""

    async def close(self, connection: Connection = None) -> None:
        """Do nothing: the engine belongs to the application."""


def _rows(rows: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return rows in which binary values are bytes; psycopg2, for one, returns memoryviews."""
    return [tuple([bytes(v) if type(v) in _OF_BYTES else v for v in row]) for row in rows]


def is_engine(given: object, names: Mapping[str, str], *, is_async: bool) -> bool:
    """Return True for an engine of SQLAlchemy, and False for a str, which is an address.

    names: the accepted dialects: SQLAlchemy's names, and the names for error messages.
    is_async: whether an AsyncEngine is needed.

    Raises ConfigError for an engine of the other kind or for another database, and for any other
    object.
    """
    # By the name of the class, since SQLAlchemy must not be imported if it is not used.
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
    """Return the statements for a table, with the parameter marks of the engine's driver."""
    create = tuple(map(_one_statement, dialect.create))
    mark = _MARKS[engine.dialect.paramstyle]
    return statements(dialect._replace(mark=mark, create=create), table, engine.url.username or "")


def _one_statement(text: str) -> str:
    """Return several statements of PostgreSQL as one DO block; asyncpg executes only one at a time.

    The block is a single transaction: a table without its comment would be refused from then on.
    """
    # `$$$$` is `$$` in a `string.Template`.
    return text if ";\n" not in text else f"DO $$$$ BEGIN\n{text};\nEND $$$$"
