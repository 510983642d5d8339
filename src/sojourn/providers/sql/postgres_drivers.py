"""The driver for PostgreSQL, in a sync and an async form: psycopg, with prepared statements.

A pooler such as PgBouncer may send each statement over a different connection to the server, which
has two consequences.  Statements must not be prepared, since the same name may stand for a
statement of another client there.  And a pooler refuses time limits among the startup parameters,
since it could not keep them for one client.

A pooler is detected by the process id.  At the start of a connection the server sends its process
id as part of the key for cancelling statements; a pooler sends a key of its own.  So each new
connection is asked for `pg_backend_pid()`, and if that differs, there is a pooler in between.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

from sojourn.errors import ConfigError
from sojourn.providers import releases
from sojourn.providers.sql import postgres_faults
from sojourn.providers.sql.driver import Answer, Connection, Fault, Parameters
from sojourn.providers.sql.dsn import Postgres

_PID = "SELECT pg_backend_pid()"


class _Psycopg:
    """The parts that the sync and the async driver share."""

    def __init__(self, target: Postgres, timeout: float) -> None:
        import psycopg
        import psycopg.conninfo

        releases.check("psycopg")
        # Here, since these modules import psycopg, which only this provider needs.
        from sojourn.providers.sql import libpq, postgres_connections

        self._psycopg, self._libpq, self._connections = psycopg, libpq, postgres_connections
        ours = postgres_faults.ServerError
        self.errors: tuple[type[Exception], ...] = (psycopg.Error, ours, OSError)
        milliseconds = math.ceil(timeout * 1000)
        try:
            given = psycopg.conninfo.conninfo_to_dict(target.text)
        except psycopg.Error:
            # `from None`, since psycopg's message may quote the address with its password.
            raise ConfigError(
                "provider_config: PostgreSQL's driver does not take this as a connection string. "
                "Write postgres://username:password@host:5432/dbname?param=value"
            ) from None
        limits = f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}"
        self.timeout = timeout
        self.patience = timeout + 1.0
        self.user = str(given.get("user") or "")
        # The address (`given`) overrides the keywords before it, but not those after it.  The
        # limits come last in `options`, where the last value of a setting holds.
        self._keywords: dict[str, Any] = {
            # libpq treats 1 second as 2.
            "connect_timeout": max(2, math.ceil(timeout)),
            "application_name": "sojourn",
            "keepalives_idle": 60,
            "keepalives_interval": 10,
            "keepalives_count": 6,
            **given,
            "options": f"{given.get('options') or ''} {limits}".strip(),
            "autocommit": True,
        }
        self._without_limits = {**self._keywords, "options": given.get("options") or ""}

    def _shall_retry(self, error: Exception) -> bool:
        """Whether a pooler refused the time limits; from then on they are left out."""
        # Only the limits: `options` of the address itself are kept, and may be refused again.
        refused = "unsupported startup parameter" in str(error)
        if not refused or self._keywords is self._without_limits:
            return False
        self._keywords = self._without_limits
        return True

    def forget(self, connection: Connection) -> None:
        connection.socket.lead_nowhere()

    def fault(self, error: Exception) -> tuple[Fault, str]:
        return postgres_faults.fault(error)


class Psycopg(_Psycopg):
    """Connects and executes statements."""

    def connect(self) -> Connection:
        try:
            connection = self._psycopg.Connection.connect(**self._keywords)
        except self._psycopg.OperationalError as error:
            if not self._shall_retry(error):
                raise
            return self.connect()
        opened = self._connections.PostgresConnection(self._libpq.Libpq(connection, self.patience))
        try:
            [(pid,)] = opened.execute(_PID, ()).rows
        except BaseException:  # an open connection must not be lost, even after an interrupt
            connection.close()
            raise
        opened.prepares = pid == connection.info.backend_pid
        return opened

    def execute(self, connection: Connection, statement: str, parameters: Parameters) -> Answer:
        return connection.execute(statement, parameters)  # type: ignore[no-any-return]

    def is_stale(self, connection: Connection) -> object:
        return connection.socket.has_news()

    def close(self, connection: Connection) -> None:
        with suppress(*self.errors):
            connection.close()


class AsyncPsycopg(_Psycopg):
    """Connects and executes statements."""

    async def connect(self) -> Connection:
        try:
            connection = await self._psycopg.AsyncConnection.connect(**self._keywords)
        except self._psycopg.OperationalError as error:
            if not self._shall_retry(error):
                raise
            return await self.connect()
        libpq = self._libpq.AsyncLibpq(connection, self.patience)
        opened = self._connections.AsyncPostgresConnection(libpq)
        try:
            [(pid,)] = (await opened.execute(_PID, ())).rows
        except BaseException:  # an open connection must not be lost, even after an interrupt
            opened.close()
            raise
        opened.prepares = pid == connection.info.backend_pid
        return opened

    async def execute(
        self, connection: Connection, statement: str, parameters: Parameters
    ) -> Answer:
        return await connection.execute(statement, parameters)  # type: ignore[no-any-return]

    def is_stale(self, connection: Connection) -> object:
        # The event loop reads from the socket as soon as it can, so the end of the connection may
        # have been read already (`has_ended`), or may still be in the socket (`has_news`).
        return connection.libpq.has_ended or connection.socket.has_news()

    def abort(self, connection: Connection) -> None:
        # RuntimeError, if the event loop of the connection is closed.
        with suppress(*self.errors, RuntimeError):
            connection.close()
