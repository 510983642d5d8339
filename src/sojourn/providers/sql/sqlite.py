"""SQLite: durable sessions on one machine, without a server and without a driver to install.

The log is written ahead, so that readers and the one writer do not wait for each other, and any
number of processes may share the file.  The connections of a process are shared by its threads.
"""

from __future__ import annotations

import os
import re
import sqlite3
import stat
from contextlib import suppress
from threading import Lock
from typing import NamedTuple

from sojourn._processes import PerProcess
from sojourn.errors import ConfigError
from sojourn.providers.owners import may_write, whose
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
_REFUSED_THE_FILE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
_making = PerProcess(Lock)
"""Held while a file is made."""
_OTHER_COLUMNS = re.compile("no such column|has no column named|has [0-9]+ columns but")


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
        file = _usable(os.path.abspath(dsn.sqlite(os.fspath(path))))
        driver = _Driver(file, timeout, fsync=fsync)
        source = pool_of(driver, pool, timeout)
        super().__init__(Link(source, driver), sql, create=create_table)


class _Open(NamedTuple):
    """A connection, and which file it was opened to, with which rights."""

    sqlite: sqlite3.Connection
    file: tuple[int, int, int]


def _usable(file: str) -> str:
    """Return the path of a file for sessions; ConfigError if it cannot hold any.

    It need not be there.  The log stands beside it, so both it and its folder have to be writable.
    """
    folder = os.path.dirname(file)
    if not os.path.isdir(folder):
        raise ConfigError(f"provider_config: there is no folder for the file {file!r}")
    if os.path.isdir(file):
        raise ConfigError(f"provider_config: {file!r} is a folder: name a file in it")
    for path in (file, folder):
        if os.path.exists(path) and not may_write(path):
            raise ConfigError(
                f"provider_config: this process may not write {path!r}{whose(path)}. Name a file "
                "that it may write, in a folder in which it may write"
            )
    return file


def _decoded(text: bytes) -> str:
    return text.decode(errors="replace")


class _Driver:
    """Python's own."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error,)

    def __init__(self, path: str, timeout: float, *, fsync: bool) -> None:
        self._path = path
        self.patience = self.timeout = timeout
        self._sync = "FULL" if fsync else "NORMAL"

    def connect(self) -> Connection:
        self._make_file()
        self._let_the_log_follow()
        connection = sqlite3.connect(
            self._path, timeout=self.timeout, isolation_level=None, check_same_thread=False
        )
        # Text that is no UTF-8 would fail the whole statement, and the error would quote it.
        connection.text_factory = _decoded
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
        if _OTHER_COLUMNS.search(str(error)):
            return Fault.OTHER_COLUMNS, str(error)
        owner = self._owner() if code in _REFUSED_THE_FILE else ""
        return _FAULTS.get(code, Fault.REFUSED), f"{error}{owner}"

    def _make_file(self) -> None:
        """Make the file, if it is absent, readable and writable by its owner alone.

        A file that exists is not opened here: on POSIX, closing any descriptor of a file drops all
        locks that this process has on it, those of SQLite's other connections included
        (https://sqlite.org/howtocorrupt.html, section 2.2).  The lock keeps other threads from
        connecting to a new file before its descriptor is closed.
        """
        with _making(), suppress(OSError):  # SQLite reports an error more precisely
            path = os.path.realpath(self._path)  # O_EXCL follows no link
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    def _owner(self) -> str:
        """Say whose the file, its folder or what stands beside it is, if another user's."""
        files = self._path, *self._beside()
        return next(filter(None, map(whose, files)), "")

    def _beside(self) -> tuple[str, str]:
        return f"{self._path}-wal", f"{self._path}-shm"

    def _let_the_log_follow(self) -> None:
        """Give the files beside it its mode, as SQLite does, but only when it makes them."""
        mode = stat.S_IMODE(self._file()[2])
        for beside in self._beside() if mode else ():  # 0: there is no file
            with suppress(OSError):
                if stat.S_IMODE(os.stat(beside).st_mode) != mode:
                    os.chmod(beside, mode)

    def _file(self) -> tuple[int, int, int]:
        try:
            status = os.stat(self._path)
        except OSError:
            return 0, 0, 0
        return status.st_dev, status.st_ino, status.st_mode
