"""Engines of SQLAlchemy that the application has: they are used, counted, and left open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine

from sojourn.errors import ConfigError, OutcomeUnknown, StoreUnavailable
from sojourn.providers.base import Provider
from sojourn.providers.sql.mysql import AsyncMySQLProvider, MySQLProvider
from sojourn.providers.sql.postgres import AsyncPostgresProvider, PostgresProvider
from sojourn.record import Changes, Move, Outcome, Record
from sojourn.testing._bridge import Blocking, Bridge
from tests.faults import lines
from tests.faults.proxy import Cut, Proxy
from tests.servers.mariadb import MariaDB
from tests.sql.liar import Liar, silence
from tests.sql.stores import Server, id_of, record_of, through, witness_of
from tests.sql.test_answers import VERBS

SYNC = {
    "mysql+mysqldb": MySQLProvider,
    "mysql+pymysql": MySQLProvider,
    "mysql+mysqlconnector": MySQLProvider,
    "postgresql+psycopg": PostgresProvider,
    "postgresql+psycopg2": PostgresProvider,
    "postgresql+pg8000": PostgresProvider,
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


BOTH = [*SYNC, *(f"async {scheme}" for scheme in ASYNC)]
Lending = Callable[..., AbstractContextManager[Lent]]
"""Takes the URL of the server, and what SQLAlchemy takes."""


@pytest.fixture(params=BOTH)
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(request: pytest.FixtureRequest, scheme: str) -> Server:
    server: Server = request.getfixturevalue("mariadb" if "mysql" in scheme else "postgres")
    return server


@pytest.fixture
def lending(scheme: str, server: Server, table: str) -> Lending:
    """Lends an engine to a provider, for one block."""
    name = scheme.removeprefix("async ")
    usual: dict[str, Any] = {"pool_size": SIZE, "max_overflow": 0, "pool_timeout": 2}

    @contextmanager
    def lend(url: str, **settings: Any) -> Iterator[Lent]:
        url = url.replace(server.scheme, name, 1)
        with asyncio.Runner() as runner:
            if name == scheme:
                engine: Any = sqlalchemy.create_engine(url, **usual, **settings)
                yield Lent(engine, cast("Provider", SYNC[name](engine, table=table)), server)
                engine.dispose()
            else:
                engine = create_async_engine(url, **usual, **settings)
                provider = Blocking(ASYNC[name](engine, table=table), Bridge(runner))
                yield Lent(engine, cast("Provider", provider), server)
                runner.run(engine.dispose())

    return lend


@pytest.fixture
def lent(lending: Lending, server: Server) -> Iterator[Lent]:
    with lending(server.url()) as lent:
        yield lent


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


@pytest.fixture
def lax(server: Server) -> Iterator[None]:
    """New connections to a MariaDB, unless they say otherwise, store what fits instead of failing."""
    if not isinstance(server, MariaDB):
        yield
        return
    [(usual,)] = server.sql("SELECT @@global.sql_mode")
    server.sql("SET GLOBAL sql_mode = ''")
    yield
    server.sql("SET GLOBAL sql_mode = %s", usual)


@pytest.mark.usefixtures("lax")
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


# -- answers that do not come --------------------------------------------------------------------


TIMEOUTS = {
    "mysql+mysqldb": {"read_timeout": 1},
    "mysql+pymysql": {"read_timeout": 1},
    "mysql+mysqlconnector": {"read_timeout": 1},
    "postgresql+pg8000": {"timeout": 1},
    "async mysql+asyncmy": {"read_timeout": 1},
    "async postgresql+asyncpg": {"command_timeout": 1},
}
"""How each driver that can is told to wait no longer than a second for an answer."""


@pytest.mark.parametrize("scheme", TIMEOUTS)
@pytest.mark.parametrize("verb", ["create", "move"])
def test_a_write_whose_answer_comes_too_late_is_in_doubt(
    lending: Lending, server: Server, table: str, scheme: str, verb: str
) -> None:
    """The server has made it, so nobody may hear that nothing was written."""
    witness = witness_of(server, table)
    assert witness.create(lines.RECORD)
    settings = {"connect_args": TIMEOUTS[scheme]}
    with Liar(server.port) as liar, lending(through(server, liar.port), **settings) as lent:
        assert lent.provider.read(lines.ID) == lines.RECORD
        liar.begin(silence, lines.NEW_ID.encode())
        with pytest.raises(OutcomeUnknown):
            VERBS[verb](lent.provider)
        assert witness.read(lines.NEW_ID) is not None
        liar.begin(None)
        assert lent.provider.read(lines.NEW_ID) == witness.read(lines.NEW_ID)
        assert lent.in_use == 0
    witness.close()


# -- lines that are cut --------------------------------------------------------------------------


CUTS = {"unheard": Cut(0.0), "half heard": Cut(0.5), "untold": Cut(), "half told": Cut(told=1)}


class Cuttable(NamedTuple):
    """A lent engine whose line can be cut, and one who sees what is stored."""

    lent: Lent
    proxy: Proxy
    witness: Provider

    def move(self, cut: Cut) -> Outcome | Record | type[OutcomeUnknown]:
        """What the caller hears of a new id, if the line is cut."""
        self.proxy.cut(cut)
        try:
            return self.lent.provider.update(lines.RECORD, Changes(lines.NOW, move=lines.MOVE))
        except OutcomeUnknown as error:
            return type(error)

    @property
    def living(self) -> list[str]:
        return [found.id for found in self.witness.find("ada", lines.NOW)]


@pytest.fixture(params=[None, "AUTOCOMMIT", "SERIALIZABLE"])
def isolation(request: pytest.FixtureRequest) -> str | None:
    return cast("str | None", request.param)


@pytest.fixture
def cuttable(
    lending: Lending, server: Server, table: str, isolation: str | None
) -> Iterator[Cuttable]:
    witness = witness_of(server, table)
    assert witness.create(lines.RECORD)
    with Proxy(server.port) as proxy:
        port = urlsplit(proxy.url).port
        assert port is not None
        settings = {} if isolation is None else {"isolation_level": isolation}
        with lending(through(server, port), **settings) as lent:
            assert lent.provider.read(lines.ID) == lines.RECORD
            yield Cuttable(lent, proxy, witness)
        assert proxy.all_cuts_were_made()
    witness.close()


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_new_id_is_given_once_whenever_the_line_is_cut(cuttable: Cuttable, cut: Cut) -> None:
    is_mariadb = isinstance(cuttable.lent.server, MariaDB)
    mark = b"UNION ALL" if is_mariadb else b"buried"
    assert cuttable.move(cut._replace(mark=mark)) is Outcome.APPLIED
    assert cuttable.living == [lines.NEW_ID]
    assert cuttable.lent.in_use == 0


@pytest.mark.parametrize("scheme", [scheme for scheme in BOTH if "mysql" in scheme])
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_what_breaks_as_a_connection_is_given_back_is_no_error(
    cuttable: Cuttable, cut: Cut
) -> None:
    """SQLAlchemy sends a ROLLBACK then: the statement before it was done, and answered."""
    assert cuttable.move(cut._replace(mark=b"ROLLBACK")) is Outcome.APPLIED
    assert cuttable.living == [lines.NEW_ID]
    assert cuttable.lent.in_use == 0


@pytest.mark.parametrize("scheme", [scheme for scheme in BOTH if "postgresql" in scheme])
def test_a_table_is_made_whole_or_not_at_all(lending: Lending, server: Server, table: str) -> None:
    """The comment by which it is known comes last: without it the table would be no use."""
    with Proxy(server.port) as proxy:
        port = urlsplit(proxy.url).port
        assert port is not None
        with lending(through(server, port)) as lent:
            proxy.cut(Cut(0.0, mark=b"COMMENT ON", meanwhile=proxy.shut))
            with pytest.raises(StoreUnavailable):
                lent.provider.count(lines.NOW)
    witness = witness_of(server, table)
    assert witness.create(lines.RECORD)
    witness.close()


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
