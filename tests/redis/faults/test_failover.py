"""Sentinels put the replica in the place of the master, and the application goes on.

What the master had acknowledged and its replica did not know yet is lost: that is Redis's own
promise.  With `wait=1` no end and no change of a token is acknowledged before a replica knows of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from sojourn.errors import OutcomeUnknown, StoreUnavailable
from tests.faults.load import COLOURS
from tests.faults.proxy import Proxy
from tests.redis.faults.load import Load
from tests.redis.faults.verdict import Verdict, nothing_is_lost, waiting_keeps_ends
from tests.servers.process import wait_until
from tests.servers.redis import Redis, fresh_prefix
from tests.servers.redis_groups import Sentinels

AHEAD = 0.8
"""Seconds: longer than an end may wait for a replica."""


@pytest.fixture
def sentinels() -> Iterator[Sentinels]:
    with Sentinels() as sentinels:
        yield sentinels


def dies_ahead_of_its_replica(sentinels: Sentinels) -> None:
    """The line between them breaks, and then the master dies; later it comes back, empty."""
    master, replica = sentinels.master, sentinels.replica
    replica.pause()
    master.cli("CLIENT KILL", "TYPE", "replica")
    time.sleep(AHEAD)
    master.kill()
    replica.resume()
    wait_until(lambda: sentinels.master is not master, "another master")
    master.start()
    sentinels.wait_until_ok()


def steps_down(sentinels: Sentinels) -> None:
    """For maintenance: for a moment there are two masters."""
    sentinels.failover()


def hangs(sentinels: Sentinels) -> None:
    """It is given up, and comes to itself when another has its place."""
    master = sentinels.master
    master.pause()
    wait_until(lambda: sentinels.master is not master, "another master")
    time.sleep(0.5)
    master.resume()
    sentinels.wait_until_ok()


@pytest.mark.parametrize("master", [dies_ahead_of_its_replica, steps_down, hangs])
def test_only_what_waits_for_replicas_outlives_a_master(
    sentinels: Sentinels, master: Callable[[Sentinels], None]
) -> None:
    with (
        Load(sentinels.url(), prefix=fresh_prefix()) as quick,
        Load(sentinels.url(), prefix=fresh_prefix(), wait=1) as careful,
    ):
        since = time.monotonic()
        master(sentinels)
        quick.go_on(0.2)
        careful.until_served()
    was_at_stake = waiting_keeps_ends(quick, careful, since, [sentinels.master])
    assert was_at_stake or master is hangs
    for colour in COLOURS:
        assert OutcomeUnknown in map(type, careful.errors(colour)), careful


def test_an_address_that_leads_to_another_master_is_followed() -> None:
    """As a name does: what is open still leads to the old master, which is a replica now."""
    with Redis() as old, Redis(replicaof=f"127.0.0.1 {old.port}") as new, Proxy(old.port) as proxy:
        wait_until(lambda: old.cli("SET", "a", 1) and old.cli("WAIT", 1, 100), "a replica")
        with Load(proxy.url, prefix=fresh_prefix()) as load:
            since = time.monotonic()
            new.cli("REPLICAOF", "NO", "ONE")
            proxy.port = new.port
            old.cli("REPLICAOF", "127.0.0.1", new.port)
            load.go_on(0.5)
        verdict = Verdict(load, since)
        assert not verdict.faults, f"{load}: {verdict}"
        verdict.check_whole([new])


def test_sentinels_that_hang_are_passed_by(sentinels: Sentinels) -> None:
    """As long as one of them answers; and if none does, requests give up in time.

    What was under way when the connection broke is in doubt; what comes next, three timeouts
    long, is refused.
    """
    master, [*hanging, last] = sentinels.master, sentinels.sentinels
    with Load(sentinels.url(), prefix=fresh_prefix(), timeout=0.5) as load:
        for sentinel in hanging:
            sentinel.pause()
        master.kill_connections()
        load.go_on(0.3)
        last.pause()
        master.kill_connections()
        time.sleep(1.5)
        for sentinel in sentinels.sentinels:
            sentinel.resume()
        load.go_on(0.1)
    nothing_is_lost(load, [master])
    for colour in COLOURS:
        assert StoreUnavailable in map(type, load.errors(colour)), load
