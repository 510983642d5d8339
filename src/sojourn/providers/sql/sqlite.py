"""SQLite: durable sessions on one machine, without a server and without a driver to install.

The log is written ahead, so that readers and the one writer do not wait for each other, and any
number of processes may share the file.  The connections of a process are shared by its threads.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import suppress
from typing import NamedTuple

from sojourn.errors import ConfigError
from sojourn.providers.sql import dsn
from sojourn.providers.sql.dialects import SQLITE
from sojourn.providers.sql.driver import Answer, Connection, Fault, Parameters
from sojourn.providers.sql.link import Link
from sojourn.providers.sql.provider import SQLProvider
from sojourn.providers.sql.settings import TABLE, TIMEOUT, checked, pool_of
from sojourn.providers.sql.statements import statements

_FAULTS = {
    sqlite3.SQLITE_BUSY: Fault.BUSY,
    sqlite3.SQLITE_LOCKED: Fault.BUSY,
    sqlite3.SQLITE_CONSTRAINT: Fault.TAKEN,
    sqlite3.SQLITE_TOOBIG: Fault.TOO_LARGE,
    sqlite3.SQLITE_READONLY: Fault.READ_ONLY,  # for as long as the connection is open
}


class SQLiteProvider(SQLProvider):
    """Keeps records in a file of SQLite, which any number of processes of one machine may share."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        table: str = TABLE,
        pool: int = 8,
        timeout: float = TIMEOUT,
        create_table: bool = True,
        fsync: bool = False,
    ) -> None:
        """Open nothing yet; raise ConfigError for what is wrong with any of these.

        path: a file, or `sqlite:///` and a file.
        table: in which the sessions are.
        pool: how many connections to open at most.
        timeout: seconds to wait for one of them, and for others who write.
        create_table: make the table if it is not there.
        fsync: wait for the disk at each write, so that what was acknowledged survives a power
            failure.  Without it, it survives the death of the process.
        """
        checked(pool, timeout)
        sql = statements(SQLITE, table)
        if "." in table:
            raise ConfigError(f"table: {table!r} names a schema, of which SQLite has none")
        file = os.path.abspath(dsn.sqlite(os.fspath(path)))
        if not os.path.isdir(os.path.dirname(file)):
            raise ConfigError(f"provider_config: there is no folder for the file {file!r}")
        driver = _Driver(file, timeout, fsync=fsync)
        source = pool_of(driver, pool, timeout)
        super().__init__(Link(source, driver), sql, create=create_table)


class _Open(NamedTuple):
    """A connection, and which file it was opened to, with which rights."""

    sqlite: sqlite3.Connection
    file: tuple[int, int, int]


class _Driver:
    """Python's own."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error,)

    def __init__(self, path: str, timeout: float, *, fsync: bool) -> None:
        self._path = path
        self.patience = self._timeout = timeout
        self._sync = "FULL" if fsync else "NORMAL"

    def connect(self) -> Connection:
        with suppress(OSError):  # of which SQLite gives a better account
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._let_the_log_follow()
        connection = sqlite3.connect(
            self._path, timeout=self._timeout, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            connection.execute(f"PRAGMA synchronous = {self._sync}")
        except BaseException:
            connection.close()
            raise
        return _Open(connection, self._file())

    def execute(self, connection: Connection, statement: str, parameters: Parameters) -> Answer:
        cursor = connection.sqlite.execute(statement, parameters)
        return Answer(cursor.fetchall(), cursor.rowcount)

    def is_stale(self, connection: Connection) -> object:
        """Whether the path leads to another file by now, or nowhere, or its mode has changed."""
        return self._file() != connection.file

    def close(self, connection: Connection) -> None:
        connection.sqlite.close()

    def forget(self, connection: Connection) -> None:
        """Leave it as it is: its locks are the parent's."""

    def fault(self, error: Exception) -> tuple[Fault, str]:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if str(error).startswith("no such table"):  # the file was deleted, and begun anew
            return Fault.ABSENT, str(error)
        return _FAULTS.get(code, Fault.REFUSED), str(error)

    def _let_the_log_follow(self) -> None:
        """Give the files beside it its mode, as SQLite does, but only when it makes them."""
        mode = stat.S_IMODE(self._file()[2])
        for beside in (f"{self._path}-wal", f"{self._path}-shm"):
            with suppress(OSError):
                if stat.S_IMODE(os.stat(beside).st_mode) != mode:
                    os.chmod(beside, mode)

    def _file(self) -> tuple[int, int, int]:
        try:
            status = os.stat(self._path)
        except OSError:
            return 0, 0, 0
        return status.st_dev, status.st_ino, status.st_mode
