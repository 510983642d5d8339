"""The driver for PostgreSQL: psycopg, which speaks both colours and prepares each statement.

A pooler such as PgBouncer may send each statement over another connection to the server.  There
nothing may be prepared: a name could stand for a statement of another client.  Poolers also refuse
limits of time at the start, which they could not keep for one client, and give the client a key of
their own instead of the number of a server's process.  So a connection is asked for that number.
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

_BUSY = {"40001", "40P01", "55P03"}
_TAKEN = {"23505", "23502", "42P07", "42710"}
_TOO_LARGE = {"54000"}
_ABSENT = {"42P01"}
_OTHER_COLUMNS = {"42703", "42804", "42883"}
_DENIED = {"42501"}
_READ_ONLY = {"25006"}
_LOST = ("08", "57P", "XX", "40003")
"""How the codes begin of a connection's end, and of a statement that may have been done."""

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
"""By the text: of whom a server does not let in psycopg says no code."""


_PID = "SELECT pg_backend_pid()"


class _Open(NamedTuple):
    """A connection and its socket."""

    to: Any
    socket: Socket
    prepares: bool


def fault(error: Exception) -> tuple[Fault, str]:
    """Say what an error means, by its code; the details of a server may quote a row."""
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
    """What both colours have in common."""

    def __init__(self, target: Postgres, timeout: float) -> None:
        import psycopg
        import psycopg.conninfo
        from psycopg.types.numeric import Int8BinaryDumper

        self._psycopg = psycopg
        adapters = psycopg.adapt.AdaptersMap(psycopg.adapters)
        adapters.register_dumper(int, Int8BinaryDumper)  # else each size is prepared by itself
        self.errors: tuple[type[Exception], ...] = (psycopg.Error, OSError)
        milliseconds = math.ceil(timeout * 1000)
        try:
            given = psycopg.conninfo.conninfo_to_dict(target.text)
        except psycopg.Error:
            raise ConfigError(
                "provider_config: PostgreSQL's driver does not take this as a connection string. "
                "Write postgres://username:password@host:5432/dbname?param=value"
            ) from None
        limits = f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}"
        self.timeout = timeout
        self.patience = timeout + 1.0
        self.user = str(given.get("user") or "")
        self._keywords: dict[str, Any] = {
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
        """Whether a pooler has refused the limits, which it is then not told any more."""
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
    """Connects and asks."""

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
        except BaseException:
            connection.close()
            raise
        direct = pid == connection.info.backend_pid
        return _Open(connection, Socket(connection.fileno(), keeps_alive=True), direct)

    def execute(self, connection: Connection, statement: str, parameters: Parameters) -> Answer:
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
    """Connects and asks."""

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
            connection.pgconn.finish()
            raise
        direct = pid == connection.info.backend_pid
        return _Open(connection, Socket(connection.fileno(), keeps_alive=True), direct)

    async def execute(
        self, connection: Connection, statement: str, parameters: Parameters
    ) -> Answer:
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

    async def close(self, connection: Connection) -> None:
        with suppress(*self.errors):
            await connection.to.close()


def _has_rows(cursor: Any) -> bool:
    """Whether the answer has any; `description` would describe each column of it."""
    return cursor.pgresult.nfields > 0  # type: ignore[no-any-return]


def _code(error: Exception) -> str | None:
    """Return the code of a server's error, as psycopg, psycopg2 or pg8000 has it."""
    code = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return code or _pg8000(error).get("C")


def _pg8000(error: Exception) -> dict[str, str]:
    """Return the parts of a server's error that pg8000 raises."""
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
    """A connection that waits for no answer longer than that: the server itself may stand still."""

    class Bounded(connection):  # type: ignore[misc]
        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = patience) -> Any:
            return super().wait(gen, interval, timeout)  # sync or async

    return Bounded
