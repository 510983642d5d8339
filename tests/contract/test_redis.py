"""The contract over Redis, in both colours: one server, a cluster, sentinels, TLS, a unix socket.

Each test is a user of its own, who may touch the keys of one prefix and nothing else.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest

from sojourn.providers.redis import AsyncRedisProvider, RedisProvider
from sojourn.testing import AsyncProviderContract, ProviderContract
from tests.servers.redis import PASSWORD, Redis, admit, fresh_prefix
from tests.servers.redis_groups import RedisCluster, Sentinels

PATIENCE = 30.0
"""Seconds that a server may take to answer: none has to be quick here."""


class OnRedis(ProviderContract):
    """One server, by TCP."""

    @pytest.fixture(autouse=True)
    def _at(self, redis_server: Redis) -> None:
        self.enter(redis_server.url, redis_server)

    def enter(self, url: Callable[[str], str], *servers: Redis) -> None:
        self.servers = servers
        self.prefix = fresh_prefix()
        self.user = admit(self.prefix, *servers)
        self.url = url(self.user)

    def make(self) -> RedisProvider | AsyncRedisProvider:
        return RedisProvider(self.url, prefix=self.prefix, timeout=PATIENCE)

    def again(self) -> RedisProvider | AsyncRedisProvider:
        return self.make()

    def break_store(self) -> None:
        for server in self.servers:
            server.cli("ACL SETUSER", self.user, "off")
            server.cli("CLIENT KILL", "USER", self.user)

    def corrupt(self, id: str, field: bytes | None = None) -> None:
        key = f"{self.prefix}:{{{id[:2]}}}:{id}"
        holder = self.holder(key)
        frame = holder.cli("HGET", key, "")
        holder.cli("HSET", key, field or "", frame[:20] if field is None else b"\xc1")

    def holder(self, key: str) -> Redis:
        return self.servers[0]


class OnAsyncRedis(OnRedis, AsyncProviderContract):
    def make(self) -> RedisProvider | AsyncRedisProvider:
        return AsyncRedisProvider(self.url, prefix=self.prefix, timeout=PATIENCE)


class BySocket(OnRedis):
    @pytest.fixture(autouse=True)
    def _at(self, redis_server: Redis) -> None:
        def url(user: str) -> str:
            socket = quote(str(redis_server.socket))
            return f"unix://{user}:{quote(PASSWORD, '')}@{socket}"

        self.enter(url, redis_server)


class ByTls(OnRedis):
    @pytest.fixture(autouse=True)
    def _at(self, redis_tls: Redis) -> None:
        assert redis_tls.tls
        ca = quote(str(redis_tls.tls.ca))
        self.enter(lambda user: f"{redis_tls.url(user)}?ssl_ca_certs={ca}", redis_tls)


class BySentinels(OnRedis):
    @pytest.fixture(autouse=True)
    def _at(self, redis_sentinels: Sentinels) -> None:
        self.enter(redis_sentinels.url, *redis_sentinels.servers)

    def holder(self, key: str) -> Redis:
        return next(server for server in self.servers if server.cli("ROLE")[0] == b"master")


class OnCluster(OnRedis):
    @pytest.fixture(autouse=True)
    def _at(self, redis_cluster: RedisCluster) -> None:
        self.cluster = redis_cluster
        self.enter(redis_cluster.url, *redis_cluster.nodes)

    def holder(self, key: str) -> Redis:
        return self.cluster.master_of(key)


class TestRedis(OnRedis):
    pass


class TestAsyncRedis(OnAsyncRedis):
    pass


class TestSocket(BySocket):
    pass


class TestAsyncSocket(BySocket, OnAsyncRedis):
    pass


class TestTls(ByTls):
    pass


# Where a server hangs up in the middle of TLS, asyncio leaves the transport below to the collector.
@pytest.mark.filterwarnings("ignore:unclosed (transport|<socket):ResourceWarning")
class TestAsyncTls(ByTls, OnAsyncRedis):
    @pytest.fixture(autouse=True)
    def _collected(self) -> Iterator[None]:
        yield
        gc.collect()


class TestSentinels(BySentinels):
    pass


class TestAsyncSentinels(BySentinels, OnAsyncRedis):
    pass


class TestCluster(OnCluster):
    pass


class TestAsyncCluster(OnCluster, OnAsyncRedis):
    pass
