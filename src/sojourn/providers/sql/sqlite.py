"""The provider for SQLite: durable sessions on one machine, without a server or a driver.

SQLite's write-ahead log is used, so that readers and the one writer do not wait for each other;
writers wait for each other.  Any number of processes may share the file, and the threads of a
process share its connections.
"""

from __future__ import annotations

import os
import re
import sqlite3
import stat
from contextlib import suppress
from threading import Lock, RLock
from time import monotonic, sleep
from typing import NamedTuple

from sojourn._processes import PerProcess
from sojourn.errors import ConfigError, StoreUnavailable
from sojourn.providers.owners import may_write, whose
from sojourn.providers.pool import Pool
from sojourn.providers.sql import dsn
from sojourn.providers.sql.dialects import SQLITE
from sojourn.providers.sql.driver import Answer, Connection, Driver, Fault, Parameters
from sojourn.providers.sql.link import Link
from sojourn.providers.sql.provider import SQLProvider
from sojourn.providers.sql.rows import record_of
from sojourn.providers.sql.settings import TABLE, TIMEOUT, checked, pool_of
from sojourn.providers.sql.statements import statements
from sojourn.record import Record

_FAULTS = {
    sqlite3.SQLITE_BUSY: Fault.BUSY,
    sqlite3.SQLITE_LOCKED: Fault.BUSY,
    sqlite3.SQLITE_CONSTRAINT: Fault.TAKEN,
    sqlite3.SQLITE_TOOBIG: Fault.TOO_LARGE,
    # SQLite opens a file that it may not write for reading only, and a connection stays that way.
    sqlite3.SQLITE_READONLY: Fault.READ_ONLY,
}
_REFUSED_THE_FILE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
_PAUSE = 60.0
"""Seconds for which reads take threads, after one in the thread of the event loop had to wait."""
_making = PerProcess(Lock)
"""Held while a database file is created; shared by all providers of a process."""
# SQLite has only its general error code for these, so the text has to be matched.
_OTHER_COLUMNS = re.compile("no such column|has no column named|has [0-9]+ columns but")


class SQLiteProvider(SQLProvider):
    """Keeps records in an SQLite file, which any number of processes of one machine may share."""

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
        """Prepare the provider, opening nothing; raise ConfigError for an invalid argument.

        path: the path of the file, or `sqlite:///` and the path.
        table: the name of the table.
        pool: the largest number of open connections of this process.
        timeout: seconds to wait for a free connection, and for other writers.
        create_table: whether to create the table if it does not exist.
        fsync: whether to wait for the disk at each write.  With it an acknowledged write survives a
            power failure; without it, only the death of the process.
        """
        checked(pool, timeout)
        sql = statements(SQLITE, table)
        if "." in table:
            raise ConfigError(f"table: {table!r} names a schema, of which SQLite has none")
        file = _usable(os.path.abspath(dsn.sqlite(os.fspath(path))))
        driver = _Driver(file, timeout, fsync=fsync)
        self._pool = pool_of(driver, pool, timeout)
        self._threads_until = 0.0
        super().__init__(_Link(self._pool, driver), sql, create=create_table)

    def read_nowait(self, id: str) -> Record | None:
        """See `ReadsNowait.read_nowait`.

        Because of the log, it waits for no writer, unless that was stopped in the middle of a
        commit.  A page that is not in the system's cache is read from the disk.
        """
        if not self._executor.has_checked or monotonic() < self._threads_until:
            raise BlockingIOError
        connection = self._pool.take_nowait()
        try:
            rows = connection.sqlite.execute(self._sql.read, (id,)).fetchall()
        except sqlite3.Error as error:
            # Such as a log that another process is recovering, or a table that was dropped.
            # SQLITE_PROTOCOL comes after up to 10 seconds, if another process was stopped in the
            # middle of a commit, as by a debugger.  Only the first read may hold up the loop.
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_PROTOCOL:
                self._threads_until = monotonic() + _PAUSE
            self._pool.put(connection)
            raise BlockingIOError from error
        except BaseException:
            self._pool.discard(connection)
            raise
        self._pool.put(connection)
        return record_of(id, rows[0]) if rows else None


class _Link(Link):
    """Lets one write at a time of this process have a connection, as SQLite admits one writer.

    Waiting here costs less than asking again and again for the lock of the file, and leaves the
    other connections to readers.
    """

    def __init__(self, source: Pool[Connection], driver: Driver) -> None:
        super().__init__(source, driver)
        self._timeout = driver.timeout
        self._writing = PerProcess(RLock)

    def run(self, statement: str, parameters: Parameters = ()) -> Answer:
        """As `Link.run`; raises StoreUnavailable too if other writes take too long."""
        if statement.startswith("SELECT"):
            return super().run(statement, parameters)
        writing = self._writing()
        try:
            if not writing.acquire(timeout=self._timeout):
                raise StoreUnavailable(
                    f"other writes to the database took more than {self._timeout:g} seconds"
                )
            return super().run(statement, parameters)
        finally:
            # An interrupt (Ctrl-C) may come right after `acquire`, before its result is stored.  An
            # RLock raises RuntimeError if another thread has it.
            with suppress(RuntimeError):
                writing.release()


class _Open(NamedTuple):
    """A connection, and the file that it has open."""

    sqlite: sqlite3.Connection
    file: tuple[int, int, int]
    """The device, the inode and the mode of the file when it was opened."""


def _usable(file: str) -> str:
    """Return the path of a database file; raise ConfigError if it cannot be used.

    The file need not exist.  The log is a file in the same folder, so the folder has to be writable
    as well as the file.
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
    """The driver: Python's module `sqlite3`."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error,)

    def __init__(self, path: str, timeout: float, *, fsync: bool) -> None:
        self._path = path
        # SQLite runs in this process: there is no answer that could fail to arrive.
        self.patience = self.timeout = timeout
        self._sync = "FULL" if fsync else "NORMAL"

    def connect(self) -> Connection:
        self._make_file()
        self._let_the_log_follow()
        # `timeout=0`, since `execute` waits for locks.  `isolation_level=None` is autocommit: without
        # it Python opens a transaction before each write.  A connection is used by one thread at a
        # time, but not always by the same one, so Python's check of the thread is switched off.
        connection = sqlite3.connect(
            self._path, timeout=0, isolation_level=None, check_same_thread=False
        )
        # Text that is not UTF-8, written by another program, would make the whole statement fail,
        # and the error would quote it.
        connection.text_factory = _decoded
        opened = _Open(connection, self._file())
        try:
            self.execute(opened, "PRAGMA journal_mode = WAL")
            # NORMAL syncs the log only at checkpoints: a power failure may lose the last commits,
            # but leaves the file consistent.  FULL syncs it at each commit.
            self.execute(opened, f"PRAGMA synchronous = {self._sync}")
        except BaseException:
            connection.close()
            raise
        return opened

    def execute(
        self, connection: Connection, statement: str, parameters: Parameters = ()
    ) -> Answer:
        # SQLite itself would wait for locks in every statement of a connection, but `read_nowait`
        # must not wait.  The file is usually free, so the clock is read only after a failure.
        pause, deadline = 0.001, 0.0
        while True:
            try:
                cursor = connection.sqlite.execute(statement, parameters)
                # All rows are fetched: an unfinished statement would keep its transaction open.
                return Answer(cursor.fetchall(), cursor.rowcount)
            except sqlite3.Error as error:
                deadline = deadline or monotonic() + self.timeout
                remaining = deadline - monotonic()
                if remaining <= 0 or self.fault(error)[0] is not Fault.BUSY:
                    raise
            sleep(min(pause, remaining))
            pause = min(pause * 2, 0.02)

    def is_stale(self, connection: Connection) -> object:
        """Whether the file at the path was replaced or deleted, or got another mode."""
        # A file that was deleted or replaced stays open under its inode: writes to it would be
        # lost.  After a change of the mode, a connection opened for reading only may be able to
        # write.
        return self._file() != connection.file

    def close(self, connection: Connection) -> None:
        connection.sqlite.close()

    def forget(self, connection: Connection) -> None:
        """Leave the connection untouched: its locks belong to the parent.

        A child must not even close it (https://sqlite.org/howtocorrupt.html, section 2.6).
        """

    def fault(self, error: Exception) -> tuple[Fault, str]:
        # The low byte is the primary code; the rest of an extended code gives details.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        # The table was dropped, or the file was deleted and a new one created in its place.
        if str(error).startswith("no such table"):
            return Fault.ABSENT, str(error)
        if _OTHER_COLUMNS.search(str(error)):
            return Fault.OTHER_COLUMNS, str(error)
        owner = self._owner() if code in _REFUSED_THE_FILE else ""
        return _FAULTS.get(code, Fault.REFUSED), f"{error}{owner}"

    def _make_file(self) -> None:
        """Create the file, if it is absent, with permissions for its owner alone.

        A file that exists is not opened here: on POSIX, closing any descriptor of a file drops all
        locks that this process has on it, those of SQLite's other connections included
        (https://sqlite.org/howtocorrupt.html, section 2.2).  The lock keeps other threads from
        connecting to a new file before its descriptor is closed.
        """
        # Errors are left to SQLite, which opens the file next and reports them more precisely.
        with _making(), suppress(OSError):
            # O_EXCL fails at a symbolic link, so the link is resolved first.
            path = os.path.realpath(self._path)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    def _owner(self) -> str:
        """Return an addition to an error message: the part of the path owned by another user."""
        files = self._path, *self._beside()
        return next(filter(None, map(whose, files)), "")

    def _beside(self) -> tuple[str, str]:
        return f"{self._path}-wal", f"{self._path}-shm"

    def _let_the_log_follow(self) -> None:
        """Give the log files the mode of the database file."""
        # SQLite does so only when it creates them.  If the mode of the database file was changed
        # later, for a second user, that user could open the file but not its log.
        mode = stat.S_IMODE(self._file()[2])
        # A mode of 0 means that there is no file.
        for beside in self._beside() if mode else ():
            with suppress(OSError):
                if stat.S_IMODE(os.stat(beside).st_mode) != mode:
                    os.chmod(beside, mode)

    def _file(self) -> tuple[int, int, int]:
        try:
            status = os.stat(self._path)
        except OSError:
            return 0, 0, 0
        return status.st_dev, status.st_ino, status.st_mode
