"""Engines of SQLAlchemy that the application has: they are used, counted, and left open."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine

from sojourn.errors import ConfigError
from sojourn.providers.base import Provider
from sojourn.providers.sql.mysql import AsyncMySQLProvider, MySQLProvider
from sojourn.providers.sql.postgres import AsyncPostgresProvider, PostgresProvider
from sojourn.record import Changes, Move, Outcome
from sojourn.testing._bridge import Blocking, Bridge
from tests.sql.stores import Server, id_of, record_of, witness_of
from tests.sql_servers import MariaDB, Postgres

SYNC = {
    "mysql+mysqldb": MySQLProvider,
    "mysql+pymysql": MySQLProvider,
    "postgresql+psycopg": PostgresProvider,
}
ASYNC = {
    "mysql+asyncmy": AsyncMySQLProvider,
    "postgresql+asyncpg": AsyncPostgresProvider,
    "postgresql+psycopg": AsyncPostgresProvider,
}
SIZE = 2


class Lent(NamedTuple):
    """An engine, and a provider that uses it."""

    engine: Any
    provider: Provider
    server: Server

    @property
    def in_use(self) -> int:
        return int(self.engine.pool.checkedout())


def url(server: Server, scheme: str) -> str:
    return server.url().replace(server.scheme, scheme, 1)


@pytest.fixture(
    params=[*(("sync", name) for name in SYNC), *(("async", name) for name in ASYNC)],
    ids=" ".join,
)
def lent(
    request: pytest.FixtureRequest, mariadb: MariaDB, postgres: Postgres, table: str
) -> Iterator[Lent]:
    colour, scheme = request.param
    server: Server = mariadb if scheme.startswith("mysql") else postgres
    settings = {"pool_size": SIZE, "max_overflow": 0, "pool_timeout": 2}
    with asyncio.Runner() as runner:
        if colour == "sync":
            engine: Any = sqlalchemy.create_engine(url(server, scheme), **settings)
            yield Lent(engine, cast("Provider", SYNC[scheme](engine, table=table)), server)
            engine.dispose()
        else:
            engine = create_async_engine(url(server, scheme), **settings)
            provider = Blocking(ASYNC[scheme](engine, table=table), Bridge(runner))
            yield Lent(engine, cast("Provider", provider), server)
            runner.run(engine.dispose())


def test_every_verb_goes_through_it(lent: Lent, table: str) -> None:
    store, record = lent.provider, record_of(user="ada", fields={b"a": bytes(range(256))})
    assert store.create(record)
    assert not store.create(record)
    assert store.read(record.id) == record
    witness = witness_of(lent.server, table)
    assert witness.read(record.id) == record  # nothing waits for a commit
    witness.close()
    touch = Changes(record.seen, expires=record.expires + 1.0)
    assert store.update(record, touch) is Outcome.APPLIED
    assert store.update(record, Changes(record.seen, put={b"c": b"3"})) is Outcome.APPLIED
    new = id_of("new", record.id[:2])
    move = Move(new, "ada", None, None, record.expires)
    assert store.update(record, Changes(record.seen, move=move)) is Outcome.APPLIED
    assert [found.id for found in store.find("ada", record.seen)] == [new]
    assert [found.id for found in store.find(None, record.seen)] == [new]
    assert store.count(record.seen) == 1
    assert store.gc(record.expires + 2.0, 10) == 2
    assert store.destroy(new) is None
    assert lent.in_use == 0


def test_nothing_stands_under_an_id_that_is_taken(lent: Lent) -> None:
    """Even where the connections of the application are in no strict mode."""
    store, record = lent.provider, record_of()
    taken = record_of("taken", tag=record.id[:2], user="eve")
    assert store.create(record)
    assert store.create(taken)
    grave = record._replace(fields={}, version=1, successor=taken.id)
    move: Any = getattr(store, "move", None) or lent.provider._provider.move  # type: ignore[attr-defined]
    moved = move(record, record._replace(id=taken.id, version=1), grave)
    assert (asyncio.run(moved) if asyncio.iscoroutine(moved) else moved) is False
    assert store.read(record.id) == record
    assert store.read(taken.id) == taken


def test_killed_connections_cost_no_failed_request(lent: Lent) -> None:
    store = lent.provider
    assert store.create(record_of())
    for turn in range(5):
        record = store.read(id_of("one"))
        assert record is not None
        lent.server.kill_connections()
        change = Changes(record.seen, put={b"%d" % turn: b"1"})
        assert store.update(record, change) is Outcome.APPLIED
    assert lent.in_use == 0


def test_it_is_left_open(lent: Lent) -> None:
    lent.provider.count(0.0)
    lent.provider.close()
    assert lent.engine.pool.checkedin() == 1
    assert lent.provider.count(0.0) == 0


@pytest.mark.parametrize(
    ("provider", "scheme"),
    [
        (MySQLProvider, "postgresql+psycopg"),
        (MySQLProvider, "mysql+asyncmy"),
        (AsyncMySQLProvider, "mysql+pymysql"),
        (PostgresProvider, "mysql+pymysql"),
        (PostgresProvider, "postgresql+asyncpg"),
        (AsyncPostgresProvider, "postgresql+psycopg"),
        (PostgresProvider, None),
        (MySQLProvider, None),
    ],
)
def test_an_engine_of_another_kind_is_refused(provider: Any, scheme: str | None) -> None:
    given: object = object()
    if scheme is not None:
        is_async = scheme.endswith(("asyncmy", "asyncpg"))
        make = create_async_engine if is_async else sqlalchemy.create_engine
        given = make(f"{scheme}://ada:S3cr3t@127.0.0.1/db")
    with pytest.raises(ConfigError, match="SQLAlchemy") as caught:
        provider(given)
    assert "S3cr3t" not in str(caught.value)
