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
import re
from contextlib import suppress
from typing import Any, NamedTuple

from sojourn.errors import ConfigError
from sojourn.providers.sql.driver import (
    Answer,
    Connection,
    Fault,
    Parameters,
    Socket,
)
from sojourn.providers.sql.dsn import Postgres

# SQLSTATE codes (PostgreSQL's documentation, appendix A).
_BUSY = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock not available
# A unique violation, a NULL that is refused; and a duplicate table or object, for CREATE.
_TAKEN = {"23505", "23502", "42P07", "42710"}
_TOO_LARGE = {"54000"}
_ABSENT = {"42P01"}
_OTHER_COLUMNS = {"42703", "42804", "42883"}
_DENIED = {"42501"}
_READ_ONLY = {"25006"}
_LOST = ("08", "57P", "XX", "40003")
"""Prefixes of the codes after which a statement may have been executed: connection exceptions,
shutdowns, internal errors, and "statement completion unknown".  57014, a statement that exceeded
its time limit, is not among them: it was rolled back."""

_HINTS = (
    ("read-only transaction", "the server takes no writes now"),
    ("password authentication failed|no password", "the user or the password is another one"),
    ('database (".*") does not exist', r"create it: CREATE DATABASE \1"),
    ('role (".*") does not exist', r"create it: CREATE ROLE \1 LOGIN"),
    (
        'prepared statement ".*" (does not exist|already exists)',
        "behind a pooler give the engine connect_args={'prepare_threshold': None}",
    ),
    ("unsupported startup parameter", "the pooler does not take the `options` of this address"),
)
"""Patterns of an error's text, and a hint for each.  By text, since psycopg's errors have no code
if the server refuses the connection."""


_PID = "SELECT pg_backend_pid()"


class _Open(NamedTuple):
    """A connection and its socket."""

    to: Any
    socket: Socket
    prepares: bool
    """Whether statements are prepared: not through a pooler."""


def fault(error: Exception) -> tuple[Fault, str]:
    """Return the meaning of an error of psycopg, psycopg2, pg8000 or asyncpg, and its reason.

    Only the primary message is used: the detail of a server's error may quote a row.
    """
    # An error without a code was not sent by the server: as a rule the connection is broken.
    code = _code(error)
    if code is None or code.startswith(_LOST):
        return Fault.LOST, _text(error) + _hint(error)
    for codes, kind in (
        (_BUSY, Fault.BUSY),
        (_TAKEN, Fault.TAKEN),
        (_TOO_LARGE, Fault.TOO_LARGE),
        (_ABSENT, Fault.ABSENT),
        (_OTHER_COLUMNS, Fault.OTHER_COLUMNS),
        (_DENIED, Fault.DENIED),
    ):
        if code in codes:
            return kind, _text(error)
    kind = Fault.READ_ONLY if code in _READ_ONLY else Fault.REFUSED
    return kind, f"{_text(error)} (error {code}){_hint(error)}"


class _Psycopg:
    """The parts that the sync and the async driver share."""

    def __init__(self, target: Postgres, timeout: float) -> None:
        import psycopg
        import psycopg.conninfo
        from psycopg.types.numeric import Int8BinaryDumper

        self._psycopg = psycopg
        adapters = psycopg.adapt.AdaptersMap(psycopg.adapters)
        # psycopg chooses the SQL type of an int by its size, and prepares a statement once for each
        # combination of types.  All ints here are versions or limits: bigint for all saves that.
        adapters.register_dumper(int, Int8BinaryDumper)
        self.errors: tuple[type[Exception], ...] = (psycopg.Error, OSError)
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
            "context": adapters,
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

    def is_stale(self, connection: Connection) -> object:
        return connection.socket.has_news()

    def forget(self, connection: Connection) -> None:
        connection.socket.lead_nowhere()

    def fault(self, error: Exception) -> tuple[Fault, str]:
        return fault(error)


class Psycopg(_Psycopg):
    """Connects and executes statements."""

    def __init__(self, target: Postgres, timeout: float) -> None:
        super().__init__(target, timeout)
        self._connect = _bounded(self._psycopg.Connection, self.patience).connect

    def connect(self) -> Connection:
        try:
            connection = self._connect(**self._keywords)
        except self._psycopg.OperationalError as error:
            if not self._shall_retry(error):
                raise
            return self.connect()
        try:
            [(pid,)] = connection.execute(_PID).fetchall()
        except BaseException:  # an open connection must not be lost, even after an interrupt
            connection.close()
            raise
        direct = pid == connection.info.backend_pid
        return _Open(connection, Socket(connection.fileno(), keeps_alive=True), direct)

    def execute(self, connection: Connection, statement: str, parameters: Parameters) -> Answer:
        # Without parameters the simple protocol is used: it executes several statements in one
        # text, as the creation of the table needs, but neither prepares nor returns binary values.
        cursor = connection.to.execute(
            statement,
            parameters or None,
            prepare=connection.prepares and bool(parameters),
            binary=bool(parameters),
        )
        return Answer(cursor.fetchall() if _has_rows(cursor) else [], cursor.rowcount)

    def close(self, connection: Connection) -> None:
        with suppress(*self.errors):
            connection.to.close()


class AsyncPsycopg(_Psycopg):
    """Connects and executes statements."""

    def __init__(self, target: Postgres, timeout: float) -> None:
        super().__init__(target, timeout)
        self._connect = _bounded(self._psycopg.AsyncConnection, self.patience).connect

    async def connect(self) -> Connection:
        try:
            connection = await self._connect(**self._keywords)
        except self._psycopg.OperationalError as error:
            if not self._shall_retry(error):
                raise
            return await self.connect()
        try:
            [(pid,)] = await (await connection.execute(_PID)).fetchall()
        except BaseException:
            # Without an `await`, which a cancelled task might not complete.
            connection.pgconn.finish()
            raise
        direct = pid == connection.info.backend_pid
        return _Open(connection, Socket(connection.fileno(), keeps_alive=True), direct)

    async def execute(
        self, connection: Connection, statement: str, parameters: Parameters
    ) -> Answer:
        # As in `Psycopg.execute`.  If the task is cancelled, psycopg asks the server to cancel the
        # statement, and waits some seconds for that; then the caller closes the connection.
        cursor = await connection.to.execute(
            statement,
            parameters or None,
            prepare=connection.prepares and bool(parameters),
            binary=bool(parameters),
        )
        return Answer(await cursor.fetchall() if _has_rows(cursor) else [], cursor.rowcount)

    def abort(self, connection: Connection) -> None:
        with suppress(*self.errors):
            connection.to.pgconn.finish()


def _has_rows(cursor: Any) -> bool:
    """Whether the statement returns rows, even if there are none this time."""
    # Not by `cursor.description`, which creates an object for each column.
    return cursor.pgresult.nfields > 0  # type: ignore[no-any-return]


def _code(error: Exception) -> str | None:
    """Return the SQLSTATE of a server's error of psycopg, psycopg2 or pg8000, or None."""
    code = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return code or _pg8000(error).get("C")


def _pg8000(error: Exception) -> dict[str, str]:
    """Return the parts of a server's error of pg8000, by their letters in the protocol."""
    return error.args[0] if error.args and isinstance(error.args[0], dict) else {}


def _text(error: Exception) -> str:
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    primary = primary or _pg8000(error).get("M")
    return " ".join(str(primary or error or type(error).__name__).split())[:200]


def _hint(error: Exception) -> str:
    for pattern, way_out in _HINTS:
        if found := re.search(pattern, _text(error)):
            return f"; {found.expand(way_out)}"
    return ""


def _bounded(connection: type[Any], patience: float) -> type[Any]:
    """Return a subclass of a connection class that waits at most `patience` seconds for an answer.

    The server's own `statement_timeout` has no effect if the server or the network hangs.
    """

    class Bounded(connection):  # type: ignore[misc]
        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = patience) -> Any:
            # For the async class this returns the coroutine, which the caller awaits.
            return super().wait(gen, interval, timeout)

    return Bounded
