"""What the application already has, lent for each statement: an engine of SQLAlchemy.

It sees to the connections itself, and takes them back after each statement.  That costs some five
times what a connection of ours does, so it is for those who must count their connections.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sojourn.errors import ConfigError
from sojourn.providers.sql.dialects import Dialect
from sojourn.providers.sql.driver import Answer, Connection, Fault, Parameters
from sojourn.providers.sql.settings import TIMEOUT
from sojourn.providers.sql.statements import Statements, statements

_MARKS = {"format": "%s", "pyformat": "%s", "qmark": "?", "numeric_dollar": "$"}

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
        self._fault_of = fault_of
        self.patience = TIMEOUT  # it may have been told to wait for ever

    def is_stale(self, connection: Connection) -> object:
        return connection.invalidated

    def forget(self, connection: Connection) -> None:
        """Leave it to the application, whose engine it is."""

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
        return Answer(result.fetchall() if result.returns_rows else [], result.rowcount)

    def put(self, connection: Connection) -> None:
        """Give it back."""
        connection.close()

    def discard(self, connection: Connection) -> None:
        """Give it back as one that is no use any more."""
        connection.invalidate()
        connection.close()

    def close(self, connection: Connection = None) -> None:
        """Leave the engine to the application, whose it is."""


class AsyncEngine(_Lent):
    """The driver, and the source of its connections."""

    async def connect(self) -> Connection:
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
        return Answer(result.fetchall() if result.returns_rows else [], result.rowcount)

    async def put(self, connection: Connection) -> None:
        """Give it back."""
        await connection.close()

    async def discard(self, connection: Connection) -> None:
        """Give it back as one that is no use any more."""
        await connection.invalidate()
        await connection.close()

    def abort(self, connection: Connection) -> None:
        """Leave it to `discard`."""

    async def close(self, connection: Connection = None) -> None:
        """Leave the engine to the application, whose it is."""


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
    create = tuple(one for text in dialect.create for one in text.split(";\n"))
    mark = _MARKS[engine.dialect.paramstyle]
    return statements(dialect._replace(mark=mark, create=create), table, engine.url.username or "")
