"""The Redis servers of other tests really serve, crash, take over, and leave nothing behind."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.cluster import RedisCluster as ClusterClient

from tests.servers.certificates import Certificate
from tests.servers.process import wait_until
from tests.servers.redis import Redis, fresh_prefix
from tests.servers.redis_groups import RedisCluster, Sentinels


@contextlib.contextmanager
def client(url: str, **options: Any) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(url, retry=None, socket_timeout=1.0, **options) as client:
        yield client


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    with Redis() as server:
        yield server


def test_a_server_serves_in_its_block_and_leaves_nothing() -> None:
    with Redis() as server, client(server.url()) as user:
        assert user.ping()
        pid, folder = server.pid, server.folder
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_was_appended_is_there_after_a_crash() -> None:
    with Redis(appendonly="yes", appendfsync="always") as server:
        with client(server.url()) as user:
            user.set("kept", "7")
            server.kill()
            with pytest.raises(redis.ConnectionError):
                user.ping()
        server.start()
        assert server.cli("GET", "kept") == b"7"


def test_what_was_not_appended_is_gone_after_a_crash() -> None:
    with Redis() as server:
        server.cli("SET", "lost", "7")
        server.kill()
        server.start()
        assert server.cli("GET", "lost") is None


def test_a_server_that_hangs_answers_again(server: Redis) -> None:
    with client(server.url()) as user:
        server.pause()
        with pytest.raises(redis.TimeoutError):
            user.ping()
        server.resume()
        assert user.ping()


def test_what_others_ask_is_counted(server: Redis) -> None:
    with client(server.url()) as user:
        user.ping()
        before, trips = server.commands(), server.trips()
        user.eval("return redis.call('GET', KEYS[1])", 1, "nothing")
        user.echo("twice")
        user.echo("twice")
        assert server.trips() - trips == 3
        assert server.commands() - before == {"eval": 1, "get": 1, "echo": 2}


def test_the_socket_is_for_its_owner(server: Redis) -> None:
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
    with client(server.socket_url()) as user:
        assert user.ping()


def test_a_password_is_asked_of_others_and_not_of_the_administrator() -> None:
    with Redis(requirepass="p@ss:w/rd") as server:
        assert server.cli("PING")
        with client(server.url()) as user:
            assert user.ping()
        with (
            client(f"redis://{server.address}") as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()


def test_a_limited_user_has_one_prefix(server: Redis) -> None:
    prefix = fresh_prefix()
    with client(server.limited(prefix)) as user:
        assert user.eval("return redis.call('SET', KEYS[1], 1)", 1, f"{prefix}:x")
        with pytest.raises(redis.exceptions.NoPermissionError):
            user.get(f"{fresh_prefix()}:x")
        with pytest.raises(redis.exceptions.NoPermissionError):
            user.flushall()


def test_tls_is_trusted_by_its_authority_alone() -> None:
    made, stranger = Certificate.new(), Certificate.new()
    with Redis(tls=made) as server:
        with client(server.url(), ssl_ca_certs=str(made.ca)) as user:
            assert user.ping()
        with (
            client(server.url(), ssl_ca_certs=str(stranger.ca)) as user,
            pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"),
        ):
            user.ping()


def test_a_cluster_serves_all_slots() -> None:
    with RedisCluster() as cluster:
        place = cluster.nodes[0].address
        with contextlib.closing(ClusterClient.from_url(f"redis://{place}")) as user:
            for number in range(100):
                user.set(f"key-{number}", number)
        assert cluster.master_of("key-7").cli("GET", "key-7") == b"7"
        held = [node.cli("DBSIZE") for node in cluster.masters]
        assert len(held) == 3
        assert min(held) > 0
        cluster.flush()
        assert [node.cli("DBSIZE") for node in cluster.masters] == [0, 0, 0]
    assert not any(node.folder.exists() for node in cluster.nodes)


def test_a_replica_replaces_a_master_of_the_cluster() -> None:
    with RedisCluster(replicas=1) as cluster:
        first = cluster.nodes[0]
        first.kill()
        wait_until(lambda: len(cluster.masters) == 3, "a replica took over")
        cluster.wait_until_ok()
        first.start()
        wait_until(lambda: first not in cluster.masters, "it follows")
        cluster.wait_until_ok()


def test_sentinels_replace_a_master_that_died() -> None:
    with Sentinels() as sentinels:
        first = sentinels.master
        first.kill()
        wait_until(lambda: sentinels.master is not first, "another master")
        first.start()
        sentinels.wait_until_ok()
        before = sentinels.master
        before.cli("SET", "key", "value")
        assert before.cli("WAIT", 1, 10_000) == 1
        sentinels.failover()
        assert sentinels.master is not before
        assert sentinels.master.cli("GET", "key") == b"value"
    assert not any(server.folder.exists() for server in sentinels.nodes)
