"""What the drivers for MySQL and MariaDB have in common: how they connect, and what errors mean."""

from __future__ import annotations

import math
import ssl
from typing import Any

from sojourn.errors import ConfigError, SessionTooLarge
from sojourn.providers.sql.driver import Fault
from sojourn.providers.sql.dsn import MySQL

_FOUND_ROWS = 2
"""The client flag with which an UPDATE counts what it finds, not what it changes."""

_CLIENTS = range(2000, 3000)
"""Errors that the client finds itself, nearly all of them in the connection."""
_LOST = {0, 1053, 1080, 1152, 1158, 1159, 1160, 1161, 1180, 1184, 1317, 1927, 3169, 4031, *_CLIENTS}
_BUSY = {1020, 1205, 1213}
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
    """Return the statement that begins a connection.

    What does not fit is refused instead of cut, and nobody waits for a lock without a bound.
    """
    seconds = max(1, int(timeout))
    return (
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
        f"innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}"
    )


LIMIT = "SELECT @@max_allowed_packet"
_ENVELOPE = 1024
"""Bytes of a packet that are none of the session."""


def check_size(size: int, limit: int) -> None:
    """Raise SessionTooLarge for a statement that the server would not take."""
    if size + _ENVELOPE > limit:
        raise SessionTooLarge(
            f"the session was not stored: with {size} bytes its statement exceeds the "
            f"max_allowed_packet of the database, {limit} bytes"
        )


def fault(target: MySQL, error: Exception) -> tuple[Fault, str]:
    """Say what an error means, by its number."""
    if isinstance(error, OSError):  # a timeout among them
        return Fault.LOST, _text(error) or type(error).__name__
    number, reason = (*error.args, "")[:2] if error.args else (0, "")
    if isinstance(number, int):
        for numbers, kind in (
            (_TOO_LARGE, Fault.TOO_LARGE),
            (_LOST, Fault.LOST),
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
    """Return what all drivers take to connect, but for TLS and what they call differently."""
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
        "connect_timeout": math.ceil(target.connect_timeout or timeout),
    }


def patience(given: float | None, timeout: float) -> int:
    """Return the seconds to wait for an answer: a little more than the server waits for locks."""
    return math.ceil(timeout if given is None else given) + 1


def tls(target: MySQL) -> ssl.SSLContext | None:
    """Return how to encrypt; None for not at all."""
    if target.tls == "off":
        return None
    verified = target.tls == "verified"
    try:
        if verified or target.ssl_ca is not None:
            context = ssl.create_default_context(cafile=target.ssl_ca)
        else:  # reading the authorities that the system trusts takes tens of milliseconds
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if target.ssl_cert is not None:
            context.load_cert_chain(target.ssl_cert, target.ssl_key)
    except OSError as error:
        raise ConfigError(
            f"provider_config: the files for TLS cannot be used: {error.strerror or error}"
        ) from None
    if not verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
