"""The ways into a database, by which every test of them goes, and records to put there."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, cast

from sojourn.providers.base import Provider
from sojourn.providers.sql.mysql import AsyncMySQLProvider, MySQLProvider
from sojourn.providers.sql.postgres import AsyncPostgresProvider, PostgresProvider
from sojourn.providers.sql.sqlite import SQLiteProvider
from sojourn.record import Record
from sojourn.testing._bridge import Blocking, Bridge
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres
from tests.servers.sql import DATABASE

Server = MariaDB | Postgres
Make = Callable[..., Provider]
"""Takes what the providers take."""

ON_MARIADB: dict[str, Callable[..., Any]] = {
    "mysqlclient": partial(MySQLProvider, driver="mysqlclient"),
    "pymysql": partial(MySQLProvider, driver="pymysql"),
    "asyncmy": AsyncMySQLProvider,
}
ON_POSTGRES: dict[str, Callable[..., Any]] = {
    "psycopg": PostgresProvider,
    "async psycopg": AsyncPostgresProvider,
}
WAYS = ON_MARIADB | ON_POSTGRES
KINDS = WAYS | {"sqlite": SQLiteProvider}
ASYNC = ("asyncmy", "async psycopg")
SYNC = tuple(way for way in WAYS if way not in ASYNC)

HOUR = 3600.0


@contextmanager
def maker(way: str) -> Iterator[Make]:
    """What makes providers of one way, all to be called as sync ones; they are closed at the end."""
    with asyncio.Runner() as runner:
        bridge, made = Bridge(runner), list[Provider]()

        def make(*args: Any, **settings: Any) -> Provider:
            provider = KINDS[way](*args, **settings)
            if way in ASYNC:
                provider = Blocking(provider, bridge)
            made.append(cast("Provider", provider))
            return made[-1]

        yield make
        for provider in made:
            provider.close()


@asynccontextmanager
async def opened(way: str, *args: Any, **settings: Any) -> AsyncIterator[Any]:
    """An async provider, for the event loop of a test."""
    provider = KINDS[way](*args, **settings)
    try:
        yield provider
    finally:
        await provider.close()


def witness_of(server: Server, table: str) -> Provider:
    """A sync provider that sees what really stands, from any thread."""
    way = "mysqlclient" if isinstance(server, MariaDB) else "psycopg"
    return cast("Provider", KINDS[way](server.url(), table=table))


def through(server: Server, port: int, database: str = DATABASE) -> str:
    """The URL of a server by another port, which leads there."""
    return server.url(database).replace(f":{server.port}/", f":{port}/")


def id_of(name: object, tag: str | None = None) -> str:
    """The id of a name, with the first two digits of choice."""
    digest = hashlib.sha256(str(name).encode()).hexdigest()
    return digest if tag is None else tag + digest[2:]


def record_of(name: object = "one", *, tag: str | None = None, **more: Any) -> Record:
    """A record that lives for an hour, of which no store knows yet."""
    now = more.pop("now", time.time())
    record = Record(id_of(name, tag), {b"a": b"1", b"b": b"2"}, now, now, now + HOUR)
    return record._replace(**more)
