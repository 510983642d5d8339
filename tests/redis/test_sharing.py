"""One provider for all: threads that share a bounded pool, several event loops, and forks."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from sojourn.errors import StoreUnavailable
from sojourn.providers.redis import AsyncRedisProvider, RedisProvider
from sojourn.record import Record
from tests.forks import FORKS
from tests.redis.stores import Colour, id_of, maker, record_of
from tests.servers.process import BUSY
from tests.servers.redis import Redis, fresh_prefix
from tests.servers.redis_groups import RedisCluster

ROOT = Path(__file__).parents[2]
THREADS, TURNS = 16, 60
ALL = range(THREADS)


def named(number: int) -> Record:
    """A record that says whose it is."""
    return record_of(number, fields={b"name": str(number).encode()})


@pytest.fixture
def known(redis_server: Redis, prefix: str) -> str:
    """The URL of a server that holds a record for each thread."""
    with maker("sync") as make:
        store = make(redis_server.url(), prefix=prefix)
        assert all(store.create(named(number)) for number in ALL)
    return f"{redis_server.url()}?prefix={prefix}&client_name={prefix}"


def name_in(record: Record | None) -> bytes | None:
    return None if record is None else record.fields[b"name"]


def connections(server: Redis, name: str) -> set[int]:
    """The ids of the connections that call themselves so."""
    lines = server.cli("CLIENT LIST")
    return {int(line["id"]) for line in lines if line["name"] == name}


@contextmanager
def switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


# -- threads -------------------------------------------------------------------------------------


def test_threads_share_a_bounded_pool(redis_server: Redis, prefix: str, known: str) -> None:
    """Each gets its own answers, and the server never sees more connections than are allowed."""
    store = RedisProvider(known, pool=2)
    most, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.is_set():
            most.append(len(connections(redis_server, prefix)))

    def work(number: int) -> None:
        for _ in range(TURNS):
            assert name_in(store.read(id_of(number))) == str(number).encode()

    with ThreadPoolExecutor(1) as watcher, ThreadPoolExecutor(THREADS) as threads:
        watched = watcher.submit(watch)
        try:
            list(threads.map(work, ALL))
        finally:
            ended.set()
        watched.result()
    assert max(most) == 2
    store.close()
    assert connections(redis_server, prefix) == set()


def test_who_waits_for_a_connection_too_long_is_told_so(known: str) -> None:
    store = RedisProvider(known, pool=2, timeout=0.3)
    pool = store._executor.transport._pool  # type: ignore[attr-defined]
    held = [pool.take(), pool.take()]
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"all 2 connections .* in use .* `pool`"):
        store.read(id_of(0))
    assert 0.3 <= time.monotonic() - began < 0.3 + BUSY
    for connection in held:
        pool.put(connection)
    assert store.read(id_of(0))
    store.close()


# -- event loops ---------------------------------------------------------------------------------


async def read_all(store: AsyncRedisProvider) -> None:
    records = await asyncio.gather(*[store.read(id_of(number)) for number in ALL])
    assert [name_in(record) for record in records] == [b"%d" % number for number in ALL]


async def read_and_close(store: AsyncRedisProvider) -> None:
    for _ in range(5):
        await read_all(store)
    await store.close()


def test_loops_in_threads_share_a_provider(redis_server: Redis, prefix: str, known: str) -> None:
    """Each loop has a connection of its own; loops come and go while others work."""
    store = AsyncRedisProvider(known)

    def work(_: int) -> None:
        for _ in range(20):
            asyncio.run(read_and_close(store))

    with switching_often(), ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert connections(redis_server, prefix) == set()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_loops_in_threads_may_end_without_a_close(known: str) -> None:
    store = AsyncRedisProvider(known)

    def work(_: int) -> None:
        for _ in range(20):
            asyncio.run(read_all(store))

    with switching_often(), ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    asyncio.run(read_and_close(store))  # and forget the others
    gc.collect()  # or what Python says of their sockets is heard in another test


def test_loops_of_a_cluster(redis_cluster: RedisCluster) -> None:
    prefix = fresh_prefix()
    store = AsyncRedisProvider(redis_cluster.url(), prefix=prefix)

    async def begin() -> None:
        assert all([await store.create(named(number)) for number in ALL])
        await store.close()

    asyncio.run(begin())
    with switching_often(), ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: asyncio.run(read_and_close(store)), range(16)))


def test_a_provider_may_be_closed_and_used_again(known: str) -> None:
    store = AsyncRedisProvider(known)
    for _ in range(3):
        asyncio.run(read_and_close(store))


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_loop_may_end_without_a_close(known: str) -> None:
    """What it held is gone with it, and the next one begins anew."""
    store = AsyncRedisProvider(known)
    for _ in range(3):
        asyncio.run(read_all(store))
    assert len(store._executor.transport._mine().by_loop) == 1  # type: ignore[attr-defined]
    asyncio.run(read_and_close(store))
    gc.collect()  # as above


# -- forks ---------------------------------------------------------------------------------------

CHILDREN = 4


@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize("where", ["server", "cluster"])
@pytest.mark.parametrize("fork", FORKS)
def test_parent_and_children_share_no_connection(
    redis_server: Redis, redis_cluster: RedisCluster, colour: Colour, where: str, fork: str
) -> None:
    """As with `gunicorn --preload`, and uWSGI: the application is made, and has read, before the forks."""
    server = redis_server if where == "server" else redis_cluster
    prefix = fresh_prefix()
    with maker("sync") as make:
        store = make(server.url(), prefix=prefix)
        assert all(store.create(named(number)) for number in range(CHILDREN + 1))
    words = [sys.executable, "-m", "tests.redis.forking"]
    subprocess.run([*words, server.url(), prefix, colour, fork], check=True, timeout=60, cwd=ROOT)
