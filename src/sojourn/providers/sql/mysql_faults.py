"""The parts that the drivers for MySQL and MariaDB share: connection settings and error codes."""

from __future__ import annotations

import math
import ssl
from typing import Any

from sojourn.errors import ConfigError, SessionTooLarge, StoreUnavailable
from sojourn.providers.sql.driver import Fault
from sojourn.providers.sql.dsn import MySQL

_FOUND_ROWS = 2
"""The client flag CLIENT_FOUND_ROWS: an UPDATE counts the rows that its WHERE clause matches.  By
default MySQL counts only rows whose values change, and a touch that stores the same times again
would look as if the session were gone."""

_CLIENTS = range(2000, 3000)
"""Errors that the client library reports itself; nearly all of them concern the connection."""
# 0 is the drivers' number for a connection that is closed already.  1053, 1080, 1152, 1158-1161 and
# 1184 are shutdowns and network errors of the server; with 1927, 3169 and 4031 it ended this
# session.  1180 is an error at the commit, and 1317 an interrupted statement: either may have been
# executed.
_LOST = {0, 1053, 1080, 1152, 1158, 1159, 1160, 1161, 1180, 1184, 1317, 1927, 3169, 4031, *_CLIENTS}
# MySQL Connector/Python's number for an answer that did not arrive in time.  For the server itself it
# is the time limit of statements that only read.
_SILENT = {3024}
# 1020 is MariaDB's error for a row that has changed since the snapshot of a transaction.  After
# 1205, a lock wait that timed out, InnoDB rolls back the statement; after 1213, a deadlock, the
# transaction.
_BUSY = {1020, 1205, 1213}
# 1048, a column that refuses NULL, is the answer to a move whose new id exists (see `dialects`).
_TAKEN = {1048, 1050, 1062}
_TOO_LARGE = {1153, 2020}
_ABSENT = {1146}
_OTHER_COLUMNS = {1054, 1136, 1364}
_DENIED = {1142, 1143}
_READ_ONLY = {1290, 1792, 1836}

_HINTS = {
    1044: "grant this user rights to the database: GRANT ALL ON {database}.* TO {user}",
    1045: "the user or the password is another one",
    1049: "create it: CREATE DATABASE {database}",
    **dict.fromkeys(_READ_ONLY, "the server takes no writes now"),
}


def set_up(timeout: float) -> str:
    """Return the first statement of a connection.

    In strict mode a value that does not fit its column is refused; otherwise MySQL would truncate
    it with a warning.  And a wait for a lock is bounded: by default InnoDB waits 50 seconds for a
    row, and MySQL a year, MariaDB a day, for a table whose definition another session is changing.
    """
    # Both variables take whole seconds, in MySQL at least 1.
    seconds = max(1, int(timeout))
    return (
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
        f"innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}"
    )


LIMIT = "SELECT @@max_allowed_packet"
_ENVELOPE = 1024
"""Bytes that are left for the header of the packet and the values that are not bytes."""


def check_size(size: int, limit: int) -> None:
    """Raise SessionTooLarge if a statement of `size` bytes exceeds the server's limit."""
    if size + _ENVELOPE > limit:
        raise SessionTooLarge(
            f"the session was not stored: with {size} bytes its statement exceeds the "
            f"max_allowed_packet of the database, {limit} bytes"
        )


def fault(target: MySQL, error: Exception) -> tuple[Fault, str]:
    """Return the meaning of an error by its number, and its reason; `target` is for the hints."""
    # A broken connection, or a timeout of the driver.
    if isinstance(error, OSError):
        return Fault.LOST, _text(error) or type(error).__name__
    number, reason = (*error.args, "")[:2] if error.args else (0, "")
    if isinstance(number, int):
        # In this order, since 2020 is also one of the client's errors in `_LOST`.
        for numbers, kind in (
            (_TOO_LARGE, Fault.TOO_LARGE),
            (_LOST, Fault.LOST),
            (_SILENT, Fault.SILENT),
            (_BUSY, Fault.BUSY),
            (_TAKEN, Fault.TAKEN),
            (_ABSENT, Fault.ABSENT),
            (_OTHER_COLUMNS, Fault.OTHER_COLUMNS),
            (_DENIED, Fault.DENIED),
        ):
            if number in numbers:
                return kind, _text(reason or error)
        hint = _HINTS.get(number, "").format(database=target.database, user=target.user)
        kind = Fault.READ_ONLY if number in _READ_ONLY else Fault.REFUSED
        return kind, f"{_text(reason)} (error {number})" + (f"; {hint}" if hint else "")
    return Fault.LOST, _text(error)


def _text(reason: object) -> str:
    return " ".join(str(reason).split())[:200]


def keywords(target: MySQL, timeout: float) -> dict[str, Any]:
    """Return the arguments of `connect` that all drivers share: not TLS, nor other timeouts."""
    place: dict[str, Any] = {"host": target.host, "port": target.port}
    if target.socket is not None:
        place = {"unix_socket": target.socket}
    return {
        **place,
        "user": target.user,
        "password": target.password,
        "database": target.database,
        "charset": "utf8mb4",
        "autocommit": True,
        "client_flag": _FOUND_ROWS,
        # The drivers take whole seconds; 0 would mean no limit.
        "connect_timeout": math.ceil(target.connect_timeout or timeout),
    }


def patience(given: float | None, timeout: float) -> int:
    """Return the seconds to wait for an answer.  given: the timeout in the address, or None."""
    # At least one second more than the server waits for a lock (`lock_wait`), so that the server's
    # error arrives first and shows that nothing was done.  In whole seconds, as mysqlclient
    # requires.
    return math.ceil(timeout if given is None else given) + 1


def lock_wait(target: MySQL, timeout: float) -> float:
    """Return the seconds to wait for a lock: `timeout`, or `readTimeout` if that is less."""
    return min(timeout, target.read_timeout or timeout)


def tls(target: MySQL) -> ssl.SSLContext | None:
    """Return the TLS settings of a driver; None for `tls=false`.

    Raises ConfigError if the certificate files cannot be used.
    """
    if target.tls == "off":
        return None
    verified = target.tls == "verified"
    try:
        if verified or target.ssl_ca is not None:
            context = ssl.create_default_context(cafile=target.ssl_ca)
        else:
            # The certificate is not verified, so the system's authorities, which take tens of
            # milliseconds to read, are not needed.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if target.ssl_cert is not None:
            context.load_cert_chain(target.ssl_cert, target.ssl_key)
    except OSError as error:
        raise ConfigError(
            f"provider_config: the files for TLS cannot be used: {error.strerror or error}"
        ) from None
    if not verified:
        # In this order: `ssl` refuses CERT_NONE while the host name is checked.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def without_tls() -> StoreUnavailable:
    """Return the error for a server that offers no TLS although the address demands it."""
    return StoreUnavailable(
        "the database of the sessions does not speak TLS: enable it there, or write tls=false"
    )
