"""The drivers for MySQL and MariaDB in threads: mysqlclient and PyMySQL.

Both send each statement as text that contains the escaped values; nothing is prepared.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple

from sojourn.providers import releases
from sojourn.providers.sql import mysql_faults as common
from sojourn.providers.sql.driver import (
    Answer,
    Connection,
    Fault,
    Parameters,
    Socket,
)
from sojourn.providers.sql.dsn import MySQL


class _Open(NamedTuple):
    """A connection and its socket."""

    to: Any
    limit: int
    """The largest statement that the server accepts, in bytes."""
    socket: Socket


class MySQLClient:
    """mysqlclient, the fastest of the drivers; installing it needs a compiler."""

    def __init__(self, target: MySQL, timeout: float) -> None:
        import MySQLdb

        releases.check("mysqlclient")
        self.errors: tuple[type[Exception], ...] = (MySQLdb.Error, OSError)
        self._connect = MySQLdb.connect
        self._target = target
        self.timeout = common.lock_wait(target, timeout)
        self.patience: float = common.patience(target.read_timeout, timeout)
        self._keywords = {
            **common.keywords(target, timeout),
            "read_timeout": self.patience,
            "write_timeout": common.patience(target.write_timeout, timeout),
            **self._tls(),
        }

    def connect(self) -> Connection:
        connection = self._connect(**self._keywords)
        # The low-level calls are used, here and below, since mysqlclient's cursors are slower.
        if self._target.tls != "off":
            # MariaDB's library falls back to plain text if the server offers no TLS.
            connection.query("SHOW STATUS LIKE 'Ssl_cipher'")
            [(_, cipher)] = connection.store_result().fetch_row(0)
            if not cipher:
                connection.close()
                raise common.without_tls()
        connection.query(common.set_up(self.timeout))
        connection.query(common.LIMIT)
        [(limit,)] = connection.store_result().fetch_row(0)
        return _Open(connection, int(limit), Socket(connection.fileno()))

    def execute(self, connection: Connection, statement: str, parameters: Parameters) -> Answer:
        to, limit, _ = connection
        query = statement.encode() % tuple([_literal(to, value) for value in parameters])
        # Checked here, since the server closes the connection after a packet that is too large, and
        # the client could not tell that from a lost answer.
        common.check_size(len(query), limit)
        to.query(query)
        result = to.store_result()
        if result is None:
            return Answer([], to.affected_rows())
        rows = result.fetch_row(0)
        return Answer(rows, len(rows))

    def is_stale(self, connection: Connection) -> object:
        return connection.socket.has_news()

    def close(self, connection: Connection) -> None:
        with suppress(*self.errors):
            connection.to.close()

    def forget(self, connection: Connection) -> None:
        connection.socket.lead_nowhere()

    def fault(self, error: Exception) -> tuple[Fault, str]:
        return common.fault(self._target, error)

    def _tls(self) -> dict[str, Any]:
        target = self._target
        modes = {"off": "DISABLED", "unverified": "REQUIRED", "verified": "VERIFY_IDENTITY"}
        files = {"ca": target.ssl_ca, "cert": target.ssl_cert, "key": target.ssl_key}
        given = {name: path for name, path in files.items() if path is not None}
        return {"ssl_mode": modes[target.tls], **({"ssl": given} if given else {})}


def _literal(to: Any, value: object) -> bytes:
    """Return a value as a literal of SQL.  Does the same as `to.literal`, in half the time."""
    if type(value) is bytes:
        # Without the prefix the server would treat the bytes as text in the connection's charset.
        return b"_binary" + to.string_literal(value)  # type: ignore[no-any-return]
    if type(value) is str:
        return to.string_literal(value.encode())  # type: ignore[no-any-return]
    if type(value) is float:
        # Without an exponent the server would read a DECIMAL instead of a DOUBLE.
        text = repr(value)
        return (text if "e" in text else text + "e0").encode()
    return b"NULL" if value is None else str(value).encode()


class PyMySQL:
    """PyMySQL, in pure Python: the driver that the extra `mysql` installs."""

    def __init__(self, target: MySQL, timeout: float) -> None:
        import pymysql

        releases.check("PyMySQL")
        self.errors: tuple[type[Exception], ...] = (pymysql.err.Error, OSError)
        self._connect = pymysql.connect
        self._target = target
        self.timeout = common.lock_wait(target, timeout)
        self.patience: float = common.patience(target.read_timeout, timeout)
        self._keywords = {
            **common.keywords(target, timeout),
            "read_timeout": self.patience,
            "write_timeout": common.patience(target.write_timeout, timeout),
            "init_command": common.set_up(self.timeout),
            "binary_prefix": True,
            # Without either it would use TLS, unverified, if the server offers that.
            "ssl": common.tls(target),
            "ssl_disabled": target.tls == "off",
        }

    def connect(self) -> Connection:
        connection: Any = self._connect(**self._keywords)
        with connection.cursor() as cursor:
            cursor.execute(common.LIMIT)
            [(limit,)] = cursor.fetchall()
        return _Open(connection, int(limit), Socket(connection._sock.fileno()))

    def execute(self, connection: Connection, statement: str, parameters: Parameters) -> Answer:
        to, limit, _ = connection
        with to.cursor() as cursor:
            # In two steps, so that the size of the statement is checked before it is sent.
            query = cursor.mogrify(statement, parameters)
            common.check_size(len(query), limit)
            count = cursor.execute(query)
            return Answer(cursor.fetchall(), count)

    def is_stale(self, connection: Connection) -> object:
        return connection.socket.has_news()

    def close(self, connection: Connection) -> None:
        with suppress(*self.errors):
            connection.to.close()

    def forget(self, connection: Connection) -> None:
        connection.socket.lead_nowhere()

    def fault(self, error: Exception) -> tuple[Fault, str]:
        return common.fault(self._target, error)
