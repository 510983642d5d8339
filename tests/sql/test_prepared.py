"""Statements that PostgreSQL has prepared, what may become of them, and how they travel."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sojourn.errors import OutcomeUnknown, StoreUnavailable
from sojourn.providers.base import Provider
from sojourn.providers.sql import AsyncPostgresProvider, PostgresProvider
from sojourn.providers.sql.postgres_faults import ServerError
from sojourn.record import Changes, Outcome, Record
from tests.servers.certificates import Certificate
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Postgres
from tests.servers.process import BUSY
from tests.sql.liar import Liar, silence
from tests.sql.stores import HOUR, ON_POSTGRES, Make, id_of, maker, opened, record_of, through

RECORD = record_of(user="ada")
LARGE = record_of("large", user="ada", fields={b"data": bytes(30_000_000)})
"""More than the buffers of two sockets hold."""


@pytest.fixture(params=ON_POSTGRES)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(make: Make, postgres: Postgres) -> Provider:
    """A provider with one connection, which has prepared what it needs."""
    store = make(postgres.url(), pool=1)
    assert store.create(RECORD)
    everything(store)
    return store


def everything(store: Provider) -> None:
    """Read, list and change the record, by statements with parameters of each type."""
    record = store.read(RECORD.id)
    assert record is not None
    assert [found.user for found in store.find("ada", 0.0)] == ["ada"]
    assert len([*store.find(None, 0.0)]) == 1
    more = Changes(record.seen, put={b"n": b"%d" % record.version})
    assert store.update(record, more) is Outcome.APPLIED
    touch = Changes(record.seen, expires=record.expires + 1.0)
    assert store.update(record, touch) is Outcome.APPLIED


# -- what may become of them ---------------------------------------------------------------------


def run(store: Any, statement: str) -> list[Any]:
    """The rows of a statement over the provider's connection."""
    target = store.__dict__.get("_target")
    if target is None:
        return list(store._link.run(statement).rows)
    return list(store._bridge.wait(target._link.run(statement)).rows)


def test_a_connection_that_has_forgotten_all_costs_no_failed_request(store: Provider) -> None:
    for _ in range(2):
        run(store, "DISCARD ALL")
        everything(store)


def test_a_column_of_another_type_costs_no_failed_request(
    store: Provider, postgres: Postgres, table: str
) -> None:
    """A statement that returns it may not be executed as it was prepared."""
    postgres.sql(f'ALTER TABLE {table} ALTER COLUMN id TYPE varchar(128) COLLATE "C"')
    everything(store)


def test_each_statement_is_prepared_once(make: Make, postgres: Postgres, table: str) -> None:
    """Afterwards its text is not sent again."""
    with Liar(postgres.port) as between:
        store = make(through(postgres, between.port), pool=1, timeout=0.5)
        assert store.create(RECORD)
        everything(store)
        between.begin(silence, table.encode())
        everything(store)


class _Unnoticed:
    """Two providers by way of a pooler that nobody has noticed, with one connection for both."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.both = [make(), make()]
        for provider in self.both:
            source = provider._link._source
            connection = source.take()
            connection.prepares = True
            source.put(connection)


@pytest.fixture
def unnoticed(postgres: Postgres, table: str) -> Iterator[_Unnoticed]:
    with PgBouncer(postgres, pool_mode="transaction", default_pool_size=1) as pooler:
        unnoticed = _Unnoticed(lambda: PostgresProvider(pooler.url(), table=table, pool=1))
        yield unnoticed
        for provider in unnoticed.both:
            provider.close()


def test_by_way_of_an_unnoticed_pooler_a_name_means_one_statement(unnoticed: _Unnoticed) -> None:
    """Both clients prepare the same statements, and find those of the other."""
    one, other = unnoticed.both
    assert one.create(RECORD)
    for turn in range(4):
        if turn == 2:
            run(one, "DISCARD ALL")
        assert one.count(0.0) == 1
        assert other.read(RECORD.id) == RECORD
        assert one.read(RECORD.id) == RECORD
        assert other.count(0.0) == 1
        assert [found.id for found in other.find("ada", 0.0)] == [RECORD.id]


# -- how parameters travel -----------------------------------------------------------------------


class _Seconds(float):
    """A number of another library."""


@pytest.mark.parametrize("kind", [int, _Seconds, float])
def test_times_of_any_kind_are_stored(store: Provider, kind: type[float]) -> None:
    """A statement that was prepared for floats is not given the bytes of an int."""
    now = float(int(RECORD.seen) + 10)
    touch = Changes(kind(now), expires=kind(now + 2 * HOUR))
    assert store.update(RECORD, touch) is Outcome.APPLIED
    found = store.read(RECORD.id)
    assert found is not None
    assert (found.seen, found.expires) == (now, now + 2 * HOUR)
    everything(store)


def test_a_nul_in_an_id_finds_nothing(store: Provider) -> None:
    """The server takes none in a text; it is not cut off there either."""
    with pytest.raises(StoreUnavailable, match="22021"):
        store.read(f"{RECORD.id}\0")


# -- answers -------------------------------------------------------------------------------------

REFUSAL = """
CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
RAISE EXCEPTION 'refused at the commit'; END $$;
CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION {table}_refuse()
"""


def test_an_error_at_the_commit_is_no_success(
    store: Provider, postgres: Postgres, table: str
) -> None:
    """The server has said by then that it inserted a row."""
    postgres.sql(REFUSAL.format(table=table))
    with pytest.raises(StoreUnavailable, match="refused at the commit"):
        store.create(record_of("two"))
    assert store.read(id_of("two")) is None


def test_a_large_record_comes_back(store: Provider) -> None:
    assert store.create(LARGE)
    assert store.read(LARGE.id) == LARGE


def test_a_server_that_reads_no_more_is_given_up() -> None:
    """The time limit holds also while a statement is being sent."""
    for way in ON_POSTGRES:
        with Postgres() as server, maker(way) as make:
            store = make(server.url(), timeout=0.5)
            assert store.create(RECORD)
            server.pause()
            began = time.monotonic()
            with pytest.raises(OutcomeUnknown):
                store.create(LARGE)
            assert time.monotonic() - began < 1.5 + BUSY
            server.resume()


# -- the event loop ------------------------------------------------------------------------------


async def test_a_connection_that_ends_in_idleness_is_not_watched_any_more(
    postgres: Postgres, table: str
) -> None:
    """Its number may be that of another connection by then, which the loop has to watch."""
    async with opened("async psycopg", postgres.url(), table=table) as store:
        assert await store.create(RECORD)
        source = store._link._source
        connections = [await source.take() for _ in range(3)]
        for connection in connections:
            await source.put(connection)
        postgres.kill_connections()
        while not all(each.libpq.has_ended for each in connections):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.001)
        for _ in range(3):
            found: list[Record] = await asyncio.gather(*[store.read(RECORD.id) for _ in range(9)])
            assert found == [RECORD] * 9


async def test_a_connection_that_breaks_in_a_statement_is_not_watched_any_more(
    postgres: Postgres, table: str
) -> None:
    """libpq has closed its socket by the time that the task hears of it."""
    async with opened("async psycopg", postgres.url(), table=table) as store:
        assert await store.create(RECORD)
        connection = await store._link._source.take()
        descriptor = connection.socket._fd
        task = asyncio.ensure_future(connection.execute("SELECT pg_sleep(60)", ()))
        await asyncio.sleep(0)
        await asyncio.to_thread(postgres.kill_connections)
        with pytest.raises(ServerError, match="terminating connection"):
            await task
        here, there = reusing(descriptor)
        heard = asyncio.Event()
        asyncio.get_running_loop().add_reader(here, heard.set)
        await store._link._source.discard(connection)
        there.send(b"x")
        await heard.wait()
        asyncio.get_running_loop().remove_reader(here)
        here.close()
        there.close()


def reusing(descriptor: int) -> tuple[socket.socket, socket.socket]:
    """A pair of sockets, the first of which has a number that has become free."""
    with contextlib.ExitStack() as others:
        while True:
            here, there = socket.socketpair()
            if there.fileno() == descriptor:
                here, there = there, here
            if here.fileno() == descriptor:
                return here, there
            assert here.fileno() < descriptor, "nobody has closed it"
            others.enter_context(here)
            others.enter_context(there)


async def test_connections_that_break_disturb_no_other(postgres: Postgres, table: str) -> None:
    async with opened("async psycopg", postgres.url(), table=table, pool=4) as store:
        assert await store.create(RECORD)

        async def read_on() -> None:
            for _ in range(100):
                assert await store.read(RECORD.id) == RECORD

        async def kill() -> None:
            for _ in range(4):  # fewer than the attempts of a read
                await asyncio.to_thread(postgres.kill_connections)
                await asyncio.sleep(0.002)

        await asyncio.gather(kill(), *[read_on() for _ in range(8)])


# -- TLS -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def encrypted() -> Iterator[Postgres]:
    with Postgres(tls=Certificate.new()) as server:
        yield server


def test_records_of_any_size_come_back_encrypted(
    make: Make, encrypted: Postgres, table: str
) -> None:
    """The socket has nothing to read any more while TLS still holds a part of the answer."""
    store = make(f"{encrypted.url()}?sslmode=require", timeout=2.0)
    for size in (*range(1_000, 40_000, 1_300), 100_000, 1_000_000, 5_000_000):
        record = record_of(size, fields={b"data": bytes(size)})
        assert store.create(record)
        assert store.read(record.id) == record
    assert run(store, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == [(True,)]


# psycopg warns of connections that nobody has closed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_provider_that_is_dropped_unclosed_leaves_no_connection(postgres: Postgres) -> None:
    """Although the loop watches its sockets, and goes on."""
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dropped'"
    for _ in range(3):
        provider = AsyncPostgresProvider(f"{postgres.url()}?application_name=dropped")
        assert await provider.read(RECORD.id) is None
        del provider
    deadline = time.monotonic() + BUSY
    while postgres.sql(count) != [(0,)]:
        assert time.monotonic() < deadline
        gc.collect()
        await asyncio.sleep(0.02)
