"""Whatever an application says of its Redis leads there: text, a mapping, or a client it has."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.asyncio.sentinel import Sentinel as AsyncSentinel

from sojourn import AsyncManager, Manager
from sojourn.errors import ConfigError
from sojourn.providers.redis import AsyncRedisProvider, RedisProvider
from sojourn.record import Changes, Outcome
from sojourn.testing._bridge import Blocking, Bridge
from sojourn.testing._subject import bare
from tests.redis.stores import Make, maker, record_of
from tests.servers.process import free_port, wait_until
from tests.servers.redis import PASSWORD, Redis, fresh_prefix
from tests.servers.redis_groups import SERVICE, RedisCluster, Sentinels


@pytest.fixture(scope="module")
def locked() -> Iterator[Redis]:
    """A server that wants a password, and has few databases."""
    with Redis(requirepass=PASSWORD, databases=4) as server:
        yield server


def works(store: Any) -> bool:
    """Whether all that a provider does comes out right, bytes and all."""
    record = record_of(user="ad\u00e1\0", fields={b"\xff\0": b"\r\n\xfe", b"a": b"1"})
    put = Changes(record.seen, put={b"a": b"2"}, expires=record.expires + 1)
    assert store.create(record)
    assert store.update(record, put) is Outcome.APPLIED
    changed = record._replace(fields={**record.fields, b"a": b"2"}, expires=record.expires + 1)
    assert bare(store.read(record.id)) == changed
    assert store.update(record, put._replace(expect={b"a": None}))._replace(version=0) == changed
    assert store.count(record.seen) == 1
    assert [one.user for one in store.find(record.user, record.seen)] == [record.user]
    assert store.gc(record.seen, 10) == 0
    assert isinstance(store.check(), list)
    assert store.destroy(record.id).user == record.user
    return store.read(record.id) is None


# -- clients of one server -----------------------------------------------------------------------

Client = Callable[[Any, Redis], Any]
"""Makes a client of `redis` or `redis.asyncio`."""

CLIENTS: dict[str, Client] = {
    "plain": lambda module, at: module.Redis(port=at.port, password=PASSWORD),
    "from a URL": lambda module, at: module.Redis.from_url(at.url(database=1)),
    "decoding": lambda module, at: module.Redis.from_url(at.url(), decode_responses=True),
    "protocol 2": lambda module, at: module.Redis.from_url(at.url(), protocol=2),
    "protocol 3": lambda module, at: module.Redis.from_url(at.url(), protocol=3),
    "decoding, protocol 2": lambda module, at: module.Redis.from_url(
        at.url(), protocol=2, decode_responses=True
    ),
    "by socket": lambda module, at: module.Redis(
        unix_socket_path=str(at.socket), password=PASSWORD, db=2
    ),
    "with a bounded pool": lambda module, at: module.Redis(
        connection_pool=module.BlockingConnectionPool.from_url(at.url(), max_connections=1)
    ),
    "with a user": lambda module, at: module.Redis(
        port=at.port, username="default", password=PASSWORD, health_check_interval=1
    ),
    "with a timeout": lambda module, at: module.Redis.from_url(at.url(), socket_timeout=5),
    "single": lambda module, at: module.Redis.from_url(at.url(), single_connection_client=True),
}


@pytest.mark.parametrize("given", CLIENTS)
def test_a_client_of_one_server(locked: Redis, prefix: str, given: str) -> None:
    client = CLIENTS[given](redis, locked)
    with maker("sync") as make:
        assert works(make(client, prefix=prefix))
        assert client.ping()  # it stays the application's
    client.close()


@pytest.mark.parametrize("given", CLIENTS)
def test_an_asyncio_client_of_one_server(locked: Redis, prefix: str, given: str) -> None:
    with maker("async") as make:
        assert works(make(CLIENTS[given](redis.asyncio, locked), prefix=prefix))


def test_the_database_of_a_client_holds(locked: Redis, make: Make, prefix: str) -> None:
    url = locked.url(database=3)
    record = record_of()
    with maker("sync") as sync:
        sync(redis.Redis.from_url(url), prefix=prefix).create(record)
    assert bare(make(url).read(record.id)) == record
    assert make(locked.url()).read(record.id) is None


def test_no_connection_of_a_client_is_used(locked: Redis, prefix: str) -> None:
    """So whatever the application does with them, a transaction or a subscription, is its own."""
    client = redis.Redis.from_url(locked.url(), max_connections=1)
    with maker("sync") as make, client.pipeline() as pipeline:
        pipeline.watch("a key")  # type: ignore[no-untyped-call]
        pipeline.multi()
        pipeline.set("a key", 1)
        assert works(make(client, prefix=prefix))
        pipeline.execute()
    client.close()


# -- clients of several --------------------------------------------------------------------------

PROTOCOLS = [{}, {"protocol": 2}, {"decode_responses": True}]


@pytest.mark.parametrize("options", PROTOCOLS, ids=str)
def test_the_master_of_sentinels(
    redis_sentinels: Sentinels, prefix: str, options: dict[str, Any]
) -> None:
    """Which the application need not keep."""
    places = [("127.0.0.1", sentinel.port) for sentinel in redis_sentinels.sentinels]
    with maker("sync") as make:
        sentinel: Any = redis.Sentinel(places)  # type: ignore[no-untyped-call]
        store = make(sentinel.master_for(SERVICE, **options), prefix=prefix)
        del sentinel
        gc.collect()
        assert works(store)


@pytest.mark.parametrize("options", PROTOCOLS, ids=str)
def test_the_master_of_asyncio_sentinels(
    redis_sentinels: Sentinels, prefix: str, options: dict[str, Any]
) -> None:
    places = [("127.0.0.1", sentinel.port) for sentinel in redis_sentinels.sentinels]
    with asyncio.Runner() as runner:
        sentinel = AsyncSentinel(places)  # type: ignore[no-untyped-call]
        watching = sentinel.sentinels
        provider = AsyncRedisProvider(sentinel.master_for(SERVICE, **options), prefix=prefix)
        del sentinel
        gc.collect()
        assert works(Blocking(provider, Bridge(runner)))
        for closing in (provider.close, *[client.aclose for client in watching]):
            runner.run(closing())


@pytest.mark.parametrize("options", PROTOCOLS, ids=str)
def test_a_client_of_a_cluster(
    redis_cluster: RedisCluster, prefix: str, options: dict[str, Any]
) -> None:
    client = redis.RedisCluster(port=redis_cluster.nodes[0].port, host="127.0.0.1", **options)
    with maker("sync") as make:
        assert works(make(client, prefix=prefix))
        assert client.ping()
    client.close()


@pytest.mark.parametrize("options", PROTOCOLS, ids=str)
@pytest.mark.parametrize("used", [False, True])
def test_an_asyncio_client_of_a_cluster(
    redis_cluster: RedisCluster, prefix: str, options: dict[str, Any], used: bool
) -> None:
    """Whether it knows the cluster already, or only where to ask."""

    async def made() -> redis.asyncio.RedisCluster:
        port = redis_cluster.nodes[0].port
        client = redis.asyncio.RedisCluster(host="127.0.0.1", port=port, **options)
        if used:
            await client.ping()
            await client.aclose()
        return client

    with maker("async") as make:
        assert works(make(asyncio.run(made()), prefix=prefix))


# -- the wrong colour ----------------------------------------------------------------------------


@contextmanager
def refused(*words: str) -> Iterator[None]:
    """A refusal that says all of these words."""
    with pytest.raises(ConfigError) as caught:
        yield
    for word in words:
        assert word in str(caught.value), str(caught.value)


def test_a_client_of_the_other_colour_is_refused(redis_cluster: RedisCluster) -> None:
    cluster = redis.RedisCluster(host="127.0.0.1", port=redis_cluster.nodes[0].port)
    for client in (redis.Redis(), cluster):
        with refused(type(client).__name__, "provider of a Manager", "redis.asyncio"):
            AsyncRedisProvider(client)  # type: ignore[arg-type]
        client.close()
    for other in (redis.asyncio.Redis(), redis.asyncio.RedisCluster(host="127.0.0.1")):
        with refused(type(other).__name__, "provider of an AsyncManager", "a client of redis"):
            RedisProvider(other)  # type: ignore[arg-type]


@pytest.mark.parametrize("address", [None, 7, b"127.0.0.1", ["127.0.0.1"], object, redis.Redis])
@pytest.mark.parametrize("provider", [RedisProvider, AsyncRedisProvider])
def test_what_is_no_address_is_refused(provider: Any, address: object) -> None:
    with refused("address", "127.0.0.1:6379,100,password", "redis://", "a client of redis"):
        provider(address)


def test_an_async_provider_is_refused_by_a_manager() -> None:
    with refused("AsyncRedisProvider is async", "AsyncManager"):
        Manager(AsyncRedisProvider())  # type: ignore[arg-type]


# -- by name, through the managers ---------------------------------------------------------------

Said = Callable[[Redis, str], Any]

CONFIGS: dict[str, Said] = {
    "a URL": lambda at, prefix: f"{at.url()}?prefix={prefix}",
    "Beego's": lambda at, prefix: f"127.0.0.1:{at.port},100,{PASSWORD}",
    "Beego's with a database": lambda at, prefix: f"127.0.0.1:{at.port},100,{PASSWORD},2",
    "Beego's, all parts": lambda at, prefix: f"127.0.0.1:{at.port},100,{PASSWORD},3,30,60,3",
    "a mapping": lambda at, prefix: {"address": at.url(), "prefix": prefix, "pool": 3},
    "a mapping with times": lambda at, prefix: {"address": at.url(), "timeout": 1.5, "wait": 0},
    "a mapping with a client": lambda at, prefix: {"address": redis.Redis.from_url(at.url())},
}


@pytest.mark.parametrize("said", CONFIGS)
def test_a_manager_by_name(locked: Redis, prefix: str, said: str) -> None:
    locked.flush()
    manager = Manager("redis", provider_config=CONFIGS[said](locked, prefix))
    with manager.open({}) as session:
        session["a"] = 1
    assert manager.active_count() == 1
    manager.close()


@pytest.mark.parametrize("said", [name for name in CONFIGS if "client" not in name])
async def test_an_async_manager_by_name(locked: Redis, prefix: str, said: str) -> None:
    locked.flush()
    manager = AsyncManager("redis", provider_config=CONFIGS[said](locked, prefix))
    async with manager.open({}) as session:
        session["a"] = 1
    assert await manager.active_count() == 1
    await manager.close()


def test_beegos_whole_configuration(locked: Redis) -> None:
    locked.flush()
    text = f'{{"cookieName": "g", "gclifetime": 60, "providerConfig": "{locked.address},9,{PASSWORD},2"}}'
    manager = Manager("redis", text)
    with manager.open({}) as session:
        session["a"] = 1
    assert manager.active_count() == 1
    assert "db=2" not in repr(manager.config)
    assert PASSWORD not in repr(manager.config)
    assert locked.cli("INFO", "keyspace").keys() == {"db2"}
    manager.close()


def test_a_keyword_goes_before_the_text(locked: Redis) -> None:
    said, given = fresh_prefix(), fresh_prefix()
    with maker("sync") as make:
        make(f"{locked.url()}?prefix={said}", prefix=given).create(record_of())
        assert make(locked.url(), prefix=given).count(record_of().seen) == 1
        assert make(locked.url(), prefix=said).count(record_of().seen) == 0


# -- clusters behind a network that renames them ---------------------------------------------------


@pytest.fixture
def elsewhere() -> Iterator[Redis]:
    """The one node of a cluster, which announces an address that leads nowhere from here."""
    settings: dict[str, Any] = {"cluster_enabled": "yes", "cluster_announce_ip": "192.0.2.1"}
    with Redis(cluster_port=free_port(), **settings) as server:
        server.cli("CLUSTER ADDSLOTS", *range(16_384))
        wait_until(lambda: server.cli("CLUSTER INFO")["cluster_state"] == "ok", "a cluster")
        yield server


def from_here(place: tuple[str, int]) -> tuple[str, int]:
    """Return the address that leads there."""
    return "127.0.0.1", place[1]


def test_the_address_remap_of_a_client_is_used(elsewhere: Redis) -> None:
    with redis.RedisCluster("127.0.0.1", elsewhere.port, address_remap=from_here) as client:
        store = RedisProvider(client)
        assert works(store)
        store.close()


async def test_the_address_remap_of_an_async_client_is_used(elsewhere: Redis) -> None:
    kind = redis.asyncio.RedisCluster
    async with kind("127.0.0.1", elsewhere.port, address_remap=from_here) as client:
        store = AsyncRedisProvider(client)
        record = record_of()
        assert await store.create(record)
        assert bare(await store.read(record.id)) == record
        await store.close()
