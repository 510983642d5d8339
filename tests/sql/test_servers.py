"""What only a server does: connections that die, locks, limits, plans, and what an engine lends."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine

from sojourn import _processes
from sojourn.errors import (
    ConfigError,
    OutcomeUnknown,
    SessionTooLarge,
    StoreError,
    StoreUnavailable,
)
from sojourn.providers.sql.mysql import AsyncMySQLProvider, MySQLProvider
from sojourn.providers.sql.postgres import AsyncPostgresProvider, PostgresProvider
from sojourn.providers.sql.provider import AsyncSQLProvider, SQLProvider
from sojourn.record import Changes, Outcome, Record
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres
from tests.servers.process import BUSY
from tests.servers.sql import fresh_table

ID, OTHER = "ab" + "0" * 62, "ab" + "1" * 62
CHANGE = Changes(1100.0, put={b"k": b"w"})
RECORD = Record(ID, {b"k": b"v"}, 1000.0, 1000.0, 2000.0, "ada")
CHANGED = RECORD._replace(fields={b"k": b"w"})
Server = MariaDB | Postgres

WAYS: dict[str, Callable[..., SQLProvider]] = {
    "mysqlclient": lambda server, **more: MySQLProvider(server.dsn(), driver="mysqlclient", **more),
    "pymysql": lambda server, **more: MySQLProvider(server.dsn(), driver="pymysql", **more),
    "postgres": lambda server, **more: PostgresProvider(server.url(), **more),
}
ASYNC_WAYS: dict[str, Callable[..., AsyncSQLProvider]] = {
    "asyncmy": lambda server, **more: AsyncMySQLProvider(server.dsn(), **more),
    "postgres, async": lambda server, **more: AsyncPostgresProvider(server.url(), **more),
}


def as_written(record: Record | None) -> Record | None:
    """Without the version, which the store chooses."""
    return record and record._replace(version=0)


async def result_of(answer: Any) -> Any:
    return await answer if inspect.isawaitable(answer) else answer


def server_for(way: str, request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue("postgres" if "postgres" in way else "mariadb")


class Case:
    """A provider over a table of its own."""

    def __init__(self, way: str, server: Server) -> None:
        self.server = server
        self.way = way
        self.table = fresh_table()
        self.provider = self.again()

    def again(self, **more: Any) -> Any:
        return {**ASYNC_WAYS, **WAYS}[self.way](self.server, **{"table": self.table, **more})


@pytest.fixture(params=WAYS)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    case = Case(request.param, server_for(request.param, request))
    assert case.provider.create(RECORD)
    yield case
    case.provider.close()


def test_connections_that_died_cost_no_request(case: Case) -> None:
    """Law 4: what is idle dies unseen, and nothing is known to be lost."""
    provider = case.provider
    for verb in (
        lambda: provider.read(ID),
        lambda: provider.update(RECORD, CHANGE) is Outcome.APPLIED,
        lambda: provider.update(RECORD, Changes(1100.0, 2100.0)) is Outcome.APPLIED,
        lambda: provider.create(RECORD._replace(id=OTHER)),
        lambda: provider.destroy(OTHER),
        lambda: list(provider.find(None, 1100.0)),
        lambda: provider.count(1100.0) == 1,
        lambda: provider.gc(1100.0, 10) == 0,
    ):
        case.server.kill_connections()
        assert verb()


def test_a_session_of_five_megabytes_goes_in_and_out(case: Case) -> None:
    large = RECORD._replace(id=OTHER, fields={b"x": os.urandom(5_000_000)})
    assert case.provider.create(large)
    assert case.provider.read(OTHER) == large


@pytest.mark.parametrize("way", ["mysqlclient", "pymysql"])
def test_what_exceeds_the_packet_is_refused_whole(way: str, mariadb: MariaDB) -> None:
    """Law 14: before it is sent, and the connection is as good as before."""
    case = Case(way, mariadb)
    case.provider.create(RECORD)
    with pytest.raises(SessionTooLarge, match="max_allowed_packet"):
        case.provider.update(RECORD, CHANGE._replace(put={b"k": bytes(70_000_000)}))
    assert case.provider.read(ID) == RECORD
    case.provider.close()


def test_a_child_leaves_its_parents_connections_alone(case: Case) -> None:
    mine = [id(connection) for connection, _ in case.provider._link._source._shelf().idle]
    child = os.fork()
    if not child:
        _processes._inherited.clear()  # as at the end of the interpreter: they are closed
        os._exit(0 if case.provider.read(ID) == RECORD else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert case.provider.read(ID) == RECORD
    assert [id(connection) for connection, _ in case.provider._link._source._shelf().idle] == mine


def test_a_read_only_server_is_unavailable_to_writes(case: Case) -> None:
    with case.server.read_only():
        assert case.provider.read(ID) == RECORD
        with pytest.raises(StoreUnavailable, match=r"no writes|read-only"):
            case.provider.update(RECORD, CHANGE)
        assert (
            not case.provider._link._source._shelf().idle
        )  # the next one may lead to who takes them
    assert case.provider.update(RECORD, CHANGE) is Outcome.APPLIED


def test_a_lock_of_somebody_elses_is_waited_for_within_the_timeout(case: Case) -> None:
    provider = case.again(timeout=3)
    lock = case.server.enter()
    lock.begin() if isinstance(case.server, MariaDB) else setattr(lock, "autocommit", False)
    place = f"sojourn.{case.table}" if isinstance(case.server, MariaDB) else case.table
    lock.cursor().execute(f"SELECT * FROM {place} WHERE id = '{ID}' FOR UPDATE")
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        provider.update(RECORD, CHANGE)
    assert 2 < time.monotonic() - began < 3 + BUSY
    lock.close()
    assert provider.update(RECORD, CHANGE) is Outcome.APPLIED
    provider.close()


def test_a_table_of_another_layout_is_refused(case: Case) -> None:
    table = fresh_table()
    qualified = f"sojourn.{table}" if isinstance(case.server, MariaDB) else table
    case.server.sql(f"CREATE TABLE {qualified} (id INT)")
    provider = case.again(table=table)
    with pytest.raises(StoreError, match="layout"):
        provider.read(ID)
    provider.close()


def test_who_may_not_make_the_table_is_told_how(case: Case) -> None:
    provider = case.again(table=fresh_table(), create_table=False)
    with pytest.raises(StoreUnavailable, match="CREATE TABLE"):
        provider.read(ID)
    provider.init()
    assert provider.read(ID) is None
    provider.close()


def test_a_table_that_was_taken_away_is_made_again(case: Case) -> None:
    case.provider._link.run(f"DROP TABLE {case.table}")
    assert case.provider.read(ID) is None
    assert case.provider.create(RECORD)
    strict = case.again(create_table=False)
    assert strict.read(ID) == RECORD
    case.provider._link.run(f"DROP TABLE {case.table}")
    with pytest.raises(StoreUnavailable, match="CREATE TABLE"):
        strict.read(ID)
    strict.close()


def test_who_lacks_a_right_is_told_how_to_get_it(case: Case) -> None:
    server, user = case.server, f"u_{case.table}"
    if isinstance(server, MariaDB):
        server.sql(f"CREATE USER {user}@'%' IDENTIFIED BY 'secret'")
        server.sql(f"GRANT SELECT ON sojourn.{case.table} TO {user}@'%'")
    else:
        server.sql(f"CREATE ROLE {user} LOGIN PASSWORD 'secret'")
        server.sql(f"GRANT SELECT ON {case.table} TO {user}")
    limited = type(case.provider)(
        f"{server.scheme}://{user}:secret@127.0.0.1:{server.port}/sojourn", table=case.table
    )
    assert limited.read(ID) == RECORD
    with pytest.raises(StoreUnavailable, match=r"GRANT .* TO") as caught:
        limited.destroy(ID)
    grant = str(caught.value).partition("runs:\n")[2]
    server.sql("USE sojourn") if isinstance(server, MariaDB) else None
    server.sql(grant)
    assert limited.destroy(ID) is not None
    limited.close()


def test_a_database_that_is_not_there_is_named(case: Case) -> None:
    provider = type(case.provider)(case.server.url("nowhere"))
    with pytest.raises(StoreUnavailable, match=r"CREATE DATABASE|GRANT ALL ON nowhere"):
        provider.read(ID)
    provider.close()


@pytest.mark.parametrize("way", [*WAYS, *ASYNC_WAYS])
async def test_a_server_that_is_silent_is_asked_once(
    way: str, request: pytest.FixtureRequest
) -> None:
    """A second more than the timeout, and nothing is begun anew."""
    server = server_for(way, request)
    case = Case(way, server)
    provider = case.again(timeout=1)
    verbs: list[Any] = [
        (lambda: provider.read(ID), StoreUnavailable),
        (lambda: provider.update(RECORD, CHANGE), OutcomeUnknown),
        (lambda: provider.destroy(ID), OutcomeUnknown),
    ]
    try:
        for verb, error in verbs:
            await result_of(provider.create(RECORD))
            server.pause()
            began = time.monotonic()
            with pytest.raises(error):
                await result_of(verb())
            assert 1 < time.monotonic() - began < 2 + BUSY
            server.resume()
            assert await result_of(provider.read(ID)) is not None or verb is verbs[-1][0]
    finally:
        server.resume()
    await result_of(provider.close())
    await result_of(case.provider.close())


def test_the_password_is_never_shown(case: Case) -> None:
    server = case.server
    place = f"127.0.0.1:{server.port}"
    wrong: SQLProvider
    if isinstance(server, MariaDB):
        wrong = MySQLProvider(f"sojourn:tellnoone@tcp({place})/sojourn")
    else:
        wrong = PostgresProvider(f"postgres://sojourn:tellnoone@{place}/sojourn")
    with pytest.raises(StoreUnavailable, match="or the password is another one") as caught:
        wrong.read(ID)
    assert "tellnoone" not in f"{caught.value}{caught.value.__cause__}{vars(wrong)}"


@pytest.mark.parametrize("way", ASYNC_WAYS)
async def test_the_same_for_asyncio(way: str, request: pytest.FixtureRequest) -> None:
    case = Case(way, server_for(way, request))
    provider = case.provider
    assert await provider.create(RECORD)
    case.server.kill_connections()
    assert await provider.read(ID) == RECORD
    case.server.kill_connections()
    assert await provider.update(RECORD, CHANGE) is Outcome.APPLIED
    large = RECORD._replace(id=OTHER, fields={b"x": os.urandom(5_000_000)})
    assert await provider.create(large)
    assert await provider.read(OTHER) == large
    if way == "asyncmy":
        with pytest.raises(SessionTooLarge):
            await provider.update(RECORD, CHANGE._replace(put={b"k": bytes(70_000_000)}))
    await provider.close()


ENGINES = {
    "mysql+mysqldb": MySQLProvider,
    "mysql+pymysql": MySQLProvider,
    "postgresql+psycopg": PostgresProvider,
}
ASYNC_ENGINES = {
    "mysql+asyncmy": AsyncMySQLProvider,
    "postgresql+psycopg": AsyncPostgresProvider,
    "postgresql+asyncpg": AsyncPostgresProvider,
}


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_lends_its_connections(name: str, request: pytest.FixtureRequest) -> None:
    server = server_for(name, request)
    url = f"{name}:{server.url().partition(':')[2]}"
    engine = sqlalchemy.create_engine(url, pool_size=1, max_overflow=0)
    provider = ENGINES[name](engine, table=fresh_table())
    assert provider.create(RECORD)
    assert not provider.create(RECORD)
    assert provider.update(RECORD, CHANGE) is Outcome.APPLIED
    assert as_written(provider.read(ID)) == CHANGED
    server.kill_connections()
    assert provider.count(1100.0) == 1
    provider.close()
    engine.dispose()


@pytest.mark.parametrize("name", ASYNC_ENGINES)
async def test_an_async_engine_too(name: str, request: pytest.FixtureRequest) -> None:
    server = server_for(name, request)
    url = f"{name}:{server.url().partition(':')[2]}"
    engine = create_async_engine(url, pool_size=1, max_overflow=0)
    provider = ASYNC_ENGINES[name](engine, table=fresh_table())
    assert await provider.create(RECORD)
    assert not await provider.create(RECORD)
    assert await provider.update(RECORD, CHANGE) is Outcome.APPLIED
    assert as_written(await provider.read(ID)) == CHANGED
    await provider.close()
    await engine.dispose()


def test_what_is_no_engine_of_this_database_is_refused() -> None:
    for given in (3, object(), sqlalchemy.create_engine("sqlite://")):
        with pytest.raises(ConfigError, match="Give a DSN"):
            MySQLProvider(given)
        with pytest.raises(ConfigError, match="AsyncEngine"):
            AsyncPostgresProvider(given)
