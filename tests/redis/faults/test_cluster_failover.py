"""A master of a cluster is replaced by its replica, and the application goes on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest

from sojourn.errors import StoreError
from sojourn.providers.redis import RedisProvider
from tests.faults.lines import RECORD
from tests.faults.load import COLOURS
from tests.redis.faults.lines import provider_of
from tests.redis.faults.load import Load
from tests.redis.faults.verdict import Verdict, waiting_keeps_ends
from tests.servers.process import wait_until
from tests.servers.redis import Redis, fresh_prefix
from tests.servers.redis_groups import MASTERS, RedisCluster

AHEAD = 0.8
"""Seconds: longer than an end may wait for a replica."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    """Each test takes another of its masters."""
    with RedisCluster(replicas=1) as cluster:
        yield cluster


def replaced(cluster: RedisCluster) -> None:
    """Wait until each slot has a master again."""
    wait_until(lambda: len(cluster.masters) == MASTERS and cluster.is_ok(), "another master")


def back(cluster: RedisCluster, master: Redis) -> None:
    """Start a dead master, which is a replica from now on."""
    master.start()
    replaced(cluster)


def test_only_what_waits_for_replicas_outlives_a_master(cluster: RedisCluster) -> None:
    master, replica = cluster.nodes[0], cluster.nodes[MASTERS]
    with (
        Load(cluster.url(), prefix=fresh_prefix()) as quick,
        Load(cluster.url(), prefix=fresh_prefix(), wait=1) as careful,
    ):
        since = time.monotonic()
        replica.pause()
        master.cli("CLIENT KILL", "TYPE", "replica")
        time.sleep(AHEAD)
        master.kill()
        replica.resume()
        replaced(cluster)
        back(cluster, master)
        quick.go_on(0.2)
        careful.until_served()
    assert waiting_keeps_ends(quick, careful, since, cluster.masters)


def test_a_handover_loses_nothing(cluster: RedisCluster) -> None:
    """The master waits for its replica to know everything, and says where the sessions are now."""
    with Load(cluster.url(), prefix=fresh_prefix()) as load:
        cluster.nodes[MASTERS + 1].cli("CLUSTER FAILOVER")
        wait_until(lambda: cluster.nodes[1] not in cluster.masters, "another master")
        load.go_on(0.5)
    verdict = Verdict(load)
    assert not verdict.faults, f"{verdict}; {load}"
    verdict.check_whole(cluster.masters)


def ids_at(cluster: RedisCluster, prefix: str, master: Redis) -> list[str]:
    """Ids of sessions that one master holds."""
    tags = [f"{number:02x}" for number in range(64)]
    mine = [tag for tag in tags if cluster.master_of(f"{prefix}:{{{tag}}}") is master]
    return [f"{tag}{0:062x}" for tag in mine]


def test_who_does_nothing_but_end_finds_the_new_master(cluster: RedisCluster) -> None:
    prefix, master = fresh_prefix(), cluster.nodes[2]
    witness = RedisProvider(cluster.url(), prefix=prefix)
    ids = ids_at(cluster, prefix, master)
    with contextlib.ExitStack() as stack:
        opened = (provider_of(one, cluster.url(), prefix=prefix, wait=1) for one in COLOURS)
        providers = [stack.enter_context(one) for one in opened]
        for provider in providers:
            provider.destroy(ids.pop())  # it knows the old one
        master.kill()
        replaced(cluster)
        for provider in providers:
            id = ids.pop()
            witness.create(RECORD._replace(id=id))
            for _ in range(2):
                with contextlib.suppress(StoreError):  # it has no replica now
                    provider.destroy(id)
            assert witness.read(id) is None
    back(cluster, master)
