"""Floors of SQL: one row by its key, through each driver, prepared if the driver does so by itself.

A session is a row with a key of 64 characters and one blob; an update stores another blob.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from itertools import cycle
from pathlib import Path
from secrets import token_hex
from typing import Any

import asyncmy
import asyncpg
import MySQLdb
import ormsgpack
import psycopg
import pymysql

from bench import servers
from bench.payloads import PAYLOADS

MYSQL_SELECT, MYSQL_UPDATE = "mysqlclient SELECT", "mysqlclient SELECT + UPDATE"
MYSQL_INSERT = "mysqlclient INSERT"
POSTGRES_SELECT, POSTGRES_UPDATE = "libpq SELECT", "libpq SELECT + UPDATE"
POSTGRES_INSERT = "libpq INSERT"
SQLITE_SELECT, SQLITE_UPDATE = "sqlite3 SELECT", "sqlite3 SELECT + UPDATE"
SQLITE_INSERT = "sqlite3 INSERT"
ASYNCMY_SELECT = "asyncmy SELECT"

KEY = token_hex(32)
TABLE = "CREATE TABLE floor (id CHAR(64) PRIMARY KEY, data {blob} NOT NULL)"
SELECT = "SELECT data FROM floor WHERE id = {0}"
UPDATE = "UPDATE floor SET data = {0} WHERE id = {1}"
INSERT = "INSERT INTO floor (id, data) VALUES ({0}, {1})"

Floors = dict[str, Callable[[], Any]]


@contextmanager
def mysql(size: str, _folder: Path, loop: asyncio.Runner) -> Iterator[Floors]:
    """Yield operations on MariaDB by mysqlclient, PyMySQL and asyncmy."""
    servers.empty_database("mysql")
    address = servers.address("mysql") | {"database": servers.DATABASE, "autocommit": True}
    with (
        closing(MySQLdb.connect(**address)) as fast,
        closing(pymysql.connect(**address)) as pure,
    ):
        _begin(fast.cursor(), "LONGBLOB", size)
        after = loop.run(_asyncmy(address))
        yield {
            **_by_cursor("mysqlclient", fast.cursor(), size),
            **_by_cursor("PyMySQL", pure.cursor(), size),
            **_by_async_cursor("asyncmy", after.cursor(), size),
        }
        loop.run(after.ensure_closed())


async def _asyncmy(address: dict[str, Any]) -> Any:
    return await asyncmy.connect(**address)


@contextmanager
def postgres(size: str, _folder: Path, loop: asyncio.Runner) -> Iterator[Floors]:
    """Yield operations on PostgreSQL by libpq, psycopg, its asyncio connection, and asyncpg."""
    url = servers.empty_database("postgres")
    with (
        closing(psycopg.connect(url, autocommit=True)) as plain,
        closing(psycopg.connect(url, autocommit=True)) as bare,
    ):
        _begin(plain.cursor(), "BYTEA", size)
        after = loop.run(psycopg.AsyncConnection.connect(url, autocommit=True))
        other = loop.run(asyncpg.connect(url))
        yield {
            **_by_libpq(bare.pgconn, size),
            **_by_cursor("psycopg", plain.cursor(binary=True), size),
            **_by_async_cursor("psycopg asyncio", after.cursor(binary=True), size),
            **_awaited("asyncpg", ("$1", "$2"), other.fetchrow, other.execute, size),
        }
        loop.run(other.close())
        loop.run(after.close())


@contextmanager
def sqlite(size: str, folder: Path, _loop: object) -> Iterator[Floors]:
    """Yield operations on SQLite with a write-ahead log that is not synced at each commit."""
    with closing(sqlite3.connect(folder / "floor.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("DROP TABLE IF EXISTS floor")
        _begin(connection.cursor(), "BLOB", size, mark="?")
        yield _by_cursor("sqlite3", connection.cursor(), size, mark="?")


def _begin(cursor: Any, blob: str, size: str, mark: str = "%s") -> None:
    """Create the table, and the row that is read."""
    cursor.execute(TABLE.format(blob=blob))
    cursor.execute(INSERT.format(mark, mark), (KEY, next(_blobs(size))))


def _by_cursor(driver: str, cursor: Any, size: str, mark: str = "%s") -> Floors:
    """Return the statements as functions that use one permanent cursor."""
    select, update, insert = (text.format(mark, mark) for text in (SELECT, UPDATE, INSERT))
    blobs = _blobs(size)

    def read() -> Any:
        cursor.execute(select, (KEY,))
        return cursor.fetchone()

    def write() -> None:
        read()
        cursor.execute(update, (next(blobs), KEY))

    def new() -> None:
        cursor.execute(insert, (token_hex(32), next(blobs)))

    return _named(driver, read, write, new)


def _by_libpq(libpq: Any, size: str) -> Floors:
    """Return the statements as functions that execute what libpq has prepared."""
    for name, text in ((b"select", SELECT), (b"update", UPDATE), (b"insert", INSERT)):
        libpq.prepare(name, text.format("$1", "$2").encode())
    blobs = _blobs(size)

    def read() -> Any:
        return libpq.exec_prepared(b"select", [KEY.encode()], [1], 1).get_value(0, 0)

    def write() -> None:
        read()
        libpq.exec_prepared(b"update", [next(blobs), KEY.encode()], [1, 1], 1)

    def new() -> None:
        libpq.exec_prepared(b"insert", [token_hex(32).encode(), next(blobs)], [1, 1], 1)

    return _named("libpq", read, write, new)


def _by_async_cursor(driver: str, cursor: Any, size: str) -> Floors:
    async def fetch(text: str, *values: object) -> Any:
        await cursor.execute(text, values)
        return await cursor.fetchone()

    async def execute(text: str, *values: object) -> None:
        await cursor.execute(text, values)

    return _awaited(driver, ("%s", "%s"), fetch, execute, size)


def _awaited(
    driver: str,
    marks: tuple[str, str],
    fetch: Callable[..., Awaitable[Any]],
    execute: Callable[..., Awaitable[Any]],
    size: str,
) -> Floors:
    """Return the statements as two coroutine functions."""
    select, update, insert = (text.format(*marks) for text in (SELECT, UPDATE, INSERT))
    blobs = _blobs(size)

    async def read() -> Any:
        return await fetch(select, KEY)

    async def write() -> None:
        await fetch(select, KEY)
        await execute(update, next(blobs), KEY)

    async def new() -> None:
        await execute(insert, token_hex(32), next(blobs))

    return _named(driver, read, write, new)


def _named(driver: str, *functions: Callable[[], Any]) -> Floors:
    names = ("SELECT", "SELECT + UPDATE", "INSERT")
    return {f"{driver} {name}": function for name, function in zip(names, functions, strict=True)}


def _blobs(size: str) -> Iterator[bytes]:
    """Return two blobs of equal length to alternate: storing an unchanged value costs less."""
    data = ormsgpack.packb(PAYLOADS[size])
    return cycle((data, data[:-1] + b"\0"))
