"""Somebody else who writes into the table of the sessions, whatever the columns take."""

from __future__ import annotations

import contextlib
import math
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Protocol

import psycopg
import pymysql

from sojourn.providers.base import Provider
from sojourn.providers.serialization import pack
from sojourn.record import Record
from tests.servers.mariadb import MariaDB
from tests.servers.sql import DATABASE
from tests.sql.stores import ON_MARIADB, Make, Server, id_of, record_of

NOW = 1_000_000_000.0
UNDECODABLE = "CAST(x'61ff' AS TEXT)"
"""SQLite's text of bytes that are no UTF-8."""


class Stranger(Protocol):
    """Writes into the table, past the provider."""

    def spoil(self, id: str, column: str, value: object) -> bool:
        """Put a value into a column of a row; return False if the database does not take it."""


class OnServer:
    """An administrator, in a mode in which MariaDB takes nearly everything."""

    def __init__(self, server: Server, table: str) -> None:
        self._is_mariadb = isinstance(server, MariaDB)
        self._table = f"{DATABASE}.{table}" if self._is_mariadb else table
        self._connection = server.enter()
        if self._is_mariadb:
            self._run("SET SESSION sql_mode = ''")

    def spoil(self, id: str, column: str, value: object) -> bool:
        """As `Stranger.spoil`."""
        cast = {"owner": "::bytea", "head": "::bytea", "fields": "::bytea"}.get(column, "")
        mark = f"%s{'' if self._is_mariadb else cast}"
        if isinstance(value, bytes) and self._is_mariadb:
            mark = "_binary %s"
        with contextlib.suppress(pymysql.Error, psycopg.Error, UnicodeError):
            return self._run(f"UPDATE {self._table} SET {column} = {mark} WHERE id = %s", value, id)
        return False

    def _run(self, statement: str, *values: object) -> bool:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return bool(cursor.rowcount)

    def close(self) -> None:
        """Leave."""
        self._connection.close()


class InFile:
    """Another program that opens the file of SQLite, in which any column takes any type."""

    def __init__(self, path: str, table: str) -> None:
        self._table = table
        self._connection = sqlite3.connect(path, isolation_level=None)

    def spoil(self, id: str, column: str, value: object) -> bool:
        """As `Stranger.spoil`."""
        mark, values = ("?", (value, id)) if value != UNDECODABLE else (UNDECODABLE, (id,))
        statement = f"UPDATE {self._table} SET {column} = {mark} WHERE id = ?"
        with contextlib.suppress(sqlite3.Error, OverflowError):
            return bool(self._connection.execute(statement, values).rowcount)
        return False

    def close(self) -> None:
        """Leave."""
        self._connection.close()


@contextmanager
def stranger_in(place: Server | str, table: str) -> Iterator[Stranger]:
    """A stranger in the table on a server, or in a file."""
    stranger = InFile(place, table) if isinstance(place, str) else OnServer(place, table)
    with closing(stranger):
        yield stranger


def session(name: object, **more: Any) -> Record:
    """A session of ada's that lives as of `NOW`."""
    return record_of(name, now=NOW, user="ada", **more)


def head(**more: Any) -> bytes:
    """The head of such a session, or what somebody made of it."""
    return pack(session("one")._replace(fields={}, **more))


NUMBERS: list[object] = [None, -1, 0, 1, 2**63 - 1, -(2**63), 1e300, math.inf, -math.inf, math.nan]
TEXTS: list[object] = ["", "a", "text", "é", id_of("one").upper(), "x" * 100_000, UNDECODABLE]
BLOBS: list[object] = [b"", b"x", b"\xff\xfe", b"\xc1", b"\x80", b"\x91\x01", b"\x81\x01\x01"]
HEADS: list[object] = [
    head(user="eve"),
    head(user=None),
    head(user=7),
    head(successor="nowhere"),
    head(successor=id_of("two")),
    head(successor=""),
    head(lifetime=0.0),
    head(lifetime=-1.0),
    head(lifetime=math.nan),
    head(created=math.inf),
    head(about=[1]),
    head(persistent=1),
]
ODD: Mapping[str, list[object]] = {
    column: [*NUMBERS, *TEXTS, *BLOBS, *(HEADS if column == "head" else [])]
    for column in (
        "id",
        "version",
        "owner",
        "seen",
        "expires",
        "lifetime",
        "successor",
        "head",
        "fields",
    )
}
"""By column, what somebody may have put there, as far as the database takes it."""

TYPES: Mapping[str, tuple[type, ...]] = {
    "version": (int,),
    "seen": (float,),
    "expires": (float,),
    "user": (str, type(None)),
    "successor": (str, type(None)),
    "fields": (dict,),
}


def is_sound(record: Record) -> bool:
    """Whether nobody can stumble over it."""
    return (
        all(isinstance(getattr(record, name), kinds) for name, kinds in TYPES.items())
        and 0 <= record.version < 2**63 - 1
        and math.isfinite(record.seen)
        and math.isfinite(record.expires)
    )


def made(make: Make, way: str, place: Server | str, table: str) -> Provider:
    """A provider in a place, whose table is there."""
    store = make(place if isinstance(place, str) else place.url(), table=table)
    store.count(0.0)
    return store


def place_of(way: str) -> str:
    """The fixture of the server that a way leads to."""
    return "mariadb" if way in ON_MARIADB else "postgres"
