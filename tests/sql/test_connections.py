"""Connections that die, are few, belong to several loops or processes, or to a cancelled task."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sojourn.errors import StoreUnavailable
from sojourn.providers.base import Provider
from sojourn.record import Changes, Outcome, Record
from tests.forks import FORKS
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres
from tests.servers.process import BUSY
from tests.sql.forking import CHILDREN
from tests.sql.liar import Liar, silence
from tests.sql.stores import (
    ASYNC,
    KINDS,
    ON_MARIADB,
    SYNC,
    Make,
    Server,
    id_of,
    opened,
    record_of,
    through,
)

ROOT = Path(__file__).parents[2]
THREADS, TURNS = 16, 40
ALL = range(THREADS)

ENGINES = {"mysqlclient": "mysql+mysqldb", "psycopg": "postgresql+psycopg"}
each_fork = pytest.mark.parametrize("fork", FORKS)
only_sync = pytest.mark.parametrize("way", SYNC)
only_async = pytest.mark.parametrize("way", ASYNC)


def named(number: int) -> Record:
    """A record that says whose it is."""
    return record_of(number, fields={b"name": b"%d" % number})


def connections(server: Server, database: str) -> int:
    """How many there are to a database."""
    if isinstance(server, MariaDB):
        [(number,)] = server.sql(
            "SELECT count(*) FROM information_schema.processlist WHERE db = %s", database
        )
    else:
        [(number,)] = server.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s", database
        )
    return int(number)


def until_there_are(number: int, server: Server, database: str) -> None:
    """Wait for a server that closes what is closed at its own pace."""
    deadline = time.monotonic() + 5.0
    while connections(server, database) != number:
        assert time.monotonic() < deadline, connections(server, database)
        time.sleep(0.01)


@contextlib.contextmanager
def switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


# -- connections that die ------------------------------------------------------------------------


def request(store: Provider, turn: int) -> None:
    """What any request does: it reads, touches and writes."""
    record = store.read(id_of("one"))
    assert record is not None
    touch = Changes(record.seen, expires=record.expires + 1.0)
    assert store.update(record, touch) is Outcome.APPLIED
    assert store.update(record, Changes(record.seen, put={b"%d" % turn: b"1"})) is Outcome.APPLIED
    assert store.create(record_of(turn))
    assert store.destroy(id_of(turn))


def test_killed_connections_cost_no_failed_request(store: Provider, server: Server) -> None:
    store.create(record_of())
    for turn in range(10):
        server.kill_connections()
        request(store, turn)
    record = store.read(id_of("one"))
    assert record is not None
    assert record.fields.keys() >= {b"%d" % turn for turn in range(10)}


@pytest.fixture
def impatient(make: Make, server: Server) -> Iterator[Provider]:
    """A provider whose idle connections the server closes after a second."""
    if isinstance(server, Postgres):
        yield make(f"{server.url()}?options=-c%20idle_session_timeout%3D1000")
        return
    [(usual,)] = server.sql("SELECT @@global.wait_timeout")
    server.sql("SET GLOBAL wait_timeout = 1")
    store = make(server.url())
    store.count(0.0)
    server.sql(f"SET GLOBAL wait_timeout = {usual}")
    yield store


def test_an_idle_connection_that_the_server_closed_costs_no_failed_request(
    impatient: Provider,
) -> None:
    impatient.create(record_of())
    time.sleep(1.4)
    request(impatient, 0)


@pytest.mark.parametrize("way", ON_MARIADB)
def test_a_connection_that_cannot_be_set_up_is_closed(
    way: str, make: Make, server: Server, table: str
) -> None:
    """It is open already, but no statement is prepared, or its first answer does not come."""
    with server.database() as database, Liar(server.port) as liar:
        store = make(through(server, liar.port, database), timeout=0.1)
        [(usual,)] = server.sql("SELECT @@global.max_prepared_stmt_count")
        if way in ASYNC:
            server.sql("SET GLOBAL max_prepared_stmt_count = 0")
        else:
            liar.begin(silence, b"max_allowed_packet")
        try:
            with pytest.raises(StoreUnavailable) as caught:
                store.count(0.0)
            until_there_are(0, server, database)
        finally:
            server.sql(f"SET GLOBAL max_prepared_stmt_count = {usual}")
        assert caught.value.__cause__ is not None


# -- threads -------------------------------------------------------------------------------------


@only_sync
def test_threads_share_a_bounded_pool(way: str, make: Make, server: Server) -> None:
    """Each gets its own answers, and the server never sees more connections than are allowed."""
    with server.database() as database:
        store = make(server.url(database), pool=2)
        assert all(store.create(named(number)) for number in ALL)
        most, ended = [0], threading.Event()

        def watch() -> None:
            while not ended.is_set():
                most.append(connections(server, database))

        def work(number: int) -> None:
            for _ in range(TURNS):
                record = store.read(id_of(number))
                assert record is not None
                assert record.fields == {b"name": b"%d" % number}

        with ThreadPoolExecutor(1) as watcher, ThreadPoolExecutor(THREADS) as threads:
            watched = watcher.submit(watch)
            try:
                list(threads.map(work, ALL))
            finally:
                ended.set()
            watched.result()
        assert max(most) == 2
        store.close()
        until_there_are(0, server, database)


@only_sync
def test_who_waits_for_a_connection_too_long_is_told_so(way: str, store: Provider) -> None:
    pool: Any = store._link._source  # type: ignore[attr-defined]
    store.count(0.0)
    pool._size, pool._timeout = 1, 0.3
    held = pool.take()
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"all 1 connections .* `pool`"):
        store.count(0.0)
    assert 0.3 <= time.monotonic() - began < 0.3 + BUSY
    pool.put(held)
    assert store.count(0.0) == 0


# -- event loops ---------------------------------------------------------------------------------


async def read_all(store: Any) -> None:
    records = await asyncio.gather(*[store.read(id_of(number)) for number in ALL])
    assert [record.fields[b"name"] for record in records] == [b"%d" % number for number in ALL]


@only_async
def test_loops_in_threads_share_a_provider(way: str, server: Server) -> None:
    """Loops come and go while others work, each with connections of its own."""
    with server.database() as database:
        store = KINDS[way](server.url(database), pool=2)

        async def begin() -> None:
            assert all([await store.create(named(number)) for number in ALL])
            await store.close()

        async def read_and_close() -> None:
            await read_all(store)
            await store.close()

        def work(_: int) -> None:
            for _ in range(8):
                asyncio.run(read_and_close())

        asyncio.run(begin())
        with switching_often(), ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(8)))
        until_there_are(0, server, database)


async def passed_on_too_late(pool: Any) -> None:
    """One waits for the only connection, and gets it as its time is up."""
    connection = await pool.take()
    waiting = asyncio.ensure_future(pool.take())
    await asyncio.sleep(0)
    time.sleep(0.3)  # noqa: ASYNC251 - so that both come to pass in the same turn of the loop
    given = asyncio.ensure_future(pool.put(connection))
    with contextlib.suppress(StoreUnavailable):
        await pool.put(await waiting)
    await given


@only_async
async def test_a_connection_that_is_passed_on_too_late_is_not_lost(
    way: str, server: Server, table: str
) -> None:
    async with opened(way, server.url(), table=table, pool=1, timeout=0.2) as store:
        await store.count(0.0)
        await passed_on_too_late(store._link._source)
        assert await store.count(0.0) == 0


# -- cancellation --------------------------------------------------------------------------------

CANCELLED, AT_ONCE, POOL = 300, 30, 6


@only_async
async def test_cancelled_requests_disturb_nobody(way: str, server: Server, table: str) -> None:
    """Whoever goes on gets his own answers, and what he was told stands; no connection is lost."""
    dice = random.Random(5)
    # Hundreds wait for a connection at once, on a busy machine for longer than usual.
    async with opened(way, server.url(), table=table, pool=POOL, timeout=BUSY) as store:
        assert all([await store.create(named(number)) for number in ALL])
        going_on = [change(store, number, dice.random()) for number in range(CANCELLED)]
        # The first are cancelled before an answer can have come, the rest in the midst of anything.
        pauses = [0.0] * AT_ONCE + [10 ** dice.uniform(-5.0, 0.0) for _ in range(CANCELLED)]
        others = [
            given_up(store, CANCELLED + number, dice.random(), pause)
            for number, pause in enumerate(pauses)
        ]
        ends = await asyncio.gather(*going_on, *others)
        assert all(ends[:CANCELLED])
        assert not any(ends[CANCELLED : CANCELLED + AT_ONCE])
        for one in ALL:
            fields = (await store.read(id_of(one))).fields
            assert fields.keys() >= {b"%d" % number for number in range(one, CANCELLED, THREADS)}
        source = store._link._source
        for connection in [await source.take() for _ in range(POOL)]:
            await source.put(connection)


async def change(store: Any, number: int, delay: float) -> bool:
    """Change one of a few records, which others change too."""
    await asyncio.sleep(delay)
    record = await store.read(id_of(number % THREADS))
    assert record.fields[b"name"] == b"%d" % (number % THREADS)
    change = Changes(record.seen, put={b"%d" % number: b"1"})
    return await store.update(record, change) is Outcome.APPLIED


async def given_up(store: Any, number: int, delay: float, pause: float) -> bool:
    """Cancel a change after a pause of so many seconds; return whether it was done before."""
    begun = asyncio.Event()

    async def begin() -> bool:
        await asyncio.sleep(delay)
        begun.set()
        return await change(store, number, 0.0)

    task = asyncio.ensure_future(begin())
    await begun.wait()
    await asyncio.sleep(pause)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        return await task
    return False


# -- forks ---------------------------------------------------------------------------------------


def forked(way: str, address: str, table: str, fork: str) -> None:
    """As with `gunicorn --preload`, and uWSGI: the application is made, and has read, before the forks."""
    words = [sys.executable, "-m", "tests.sql.forking", way, address, table, fork]
    subprocess.run(words, check=True, timeout=60, cwd=ROOT)


@each_fork
def test_parent_and_children_share_no_connection(
    way: str, server: Server, table: str, witness: Provider, fork: str
) -> None:
    assert all(witness.create(named(number)) for number in range(CHILDREN + 1))
    forked(way, server.url(), table, fork)


@each_fork
@pytest.mark.parametrize("way", ENGINES)
def test_parent_and_children_share_no_connection_of_an_engine(
    way: str, server: Server, table: str, witness: Provider, fork: str
) -> None:
    """An application that forgets `engine.dispose(close=False)` shares its own, but not ours."""
    assert all(witness.create(named(number)) for number in range(CHILDREN + 1))
    forked(f"engine {ENGINES[way]}", server.url(), table, fork)


@each_fork
def test_parent_and_children_share_no_connection_to_a_file(tmp_path: Path, fork: str) -> None:
    store = KINDS["sqlite"](tmp_path / "sessions.db", table="t")
    assert all(store.create(named(number)) for number in range(CHILDREN + 1))
    store.close()
    forked("sqlite", str(tmp_path / "sessions.db"), "t", fork)
