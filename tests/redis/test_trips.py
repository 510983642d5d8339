"""Law 1 as the servers themselves count it: what the manager calls one trip is one round trip.

The tests of the contract run here once more, over providers whose log is compared with what the
servers have read, each time a test asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sojourn import Manager
from sojourn.providers.base import Provider
from sojourn.providers.redis import AsyncRedisProvider, RedisProvider, scripts
from sojourn.providers.redis.scripts import Script
from sojourn.record import Changes, Move, Outcome
from sojourn.testing import AsyncProviderContract
from sojourn.testing._tools import AsyncTrips, Trips
from sojourn.testing.laws.costs import Costs
from tests.redis.stores import Make, id_of, record_of
from tests.servers.redis import Redis, fresh_prefix
from tests.servers.redis_groups import RedisCluster

SCRIPTS = [script for script in vars(scripts).values() if isinstance(script, Script)]


def teach(*servers: Redis) -> None:
    """Have servers know the scripts: else the first use of each costs one trip more."""
    for server in servers:
        for script in SCRIPTS:
            server.cli("SCRIPT LOAD", script.source)


class Counted(Costs):
    """The costs of requests, counted twice."""

    def make(self) -> Any:
        return RedisProvider(self.server.url(), prefix=fresh_prefix())

    @pytest.fixture(autouse=True)
    def _at(self, redis_server: Redis) -> None:
        self.server: Redis | RedisCluster = redis_server
        teach(redis_server)

    @pytest.fixture(autouse=True)
    def _counted(self, _at: None, _subject: None) -> None:
        self.store.count(self.clock())  # connections are opened once
        self.before = self.server.trips()
        log = self.trips.taken

        def taken() -> list[str]:
            verbs, trips = log(), self.server.trips()
            assert trips - self.before == len(verbs), verbs
            self.before = trips
            return verbs

        self.trips.taken = taken  # type: ignore[method-assign]


class CountedAsync(Counted):
    bridged = AsyncProviderContract.bridged
    call = AsyncProviderContract.call
    opened: Callable[..., tuple[Provider, Trips | AsyncTrips]] = AsyncProviderContract.opened
    managed = AsyncProviderContract.managed

    def make(self) -> Any:
        return AsyncRedisProvider(self.server.url(), prefix=fresh_prefix())


class OnCluster(Counted):
    @pytest.fixture(autouse=True)
    def _at(self, redis_cluster: RedisCluster) -> None:
        self.server = redis_cluster
        teach(*redis_cluster.nodes)


class TestTrips(Counted):
    pass


class TestAsyncTrips(CountedAsync):
    pass


class TestTripsOfACluster(OnCluster):
    pass


class TestAsyncTripsOfACluster(OnCluster, CountedAsync):
    pass


# -- which commands ------------------------------------------------------------------------------

VERBS: dict[str, tuple[str, Callable[[Provider], object]]] = {
    "read": ("hgetall", lambda store: store.read(id_of("one"))),
    "create": ("evalsha", lambda store: store.create(record_of("two"))),
    "update": ("evalsha", lambda store: store.update(record_of(), Changes(0, put={b"c": b"3"}))),
    "touch": ("evalsha", lambda store: store.update(record_of(), Changes(0, expires=9e9))),
    "move": ("evalsha", lambda store: store.update(record_of(), Changes(0, move=moved()))),
    "destroy": ("evalsha", lambda store: store.destroy(id_of("one"))),
}


def moved() -> Move:
    one = id_of("one")
    return Move(id_of("three", one[:2]), "ada", 1.0, None, record_of().expires)


@pytest.fixture
def warm(store: Provider, redis_server: Redis) -> Provider:
    """A provider that has its connection, over a server that knows the scripts."""
    teach(redis_server)
    store.create(record_of())
    return store


@pytest.mark.parametrize("sessions", [0, 300])
def test_a_sweep_with_nothing_expired_is_one_trip(
    warm: Provider, redis_server: Redis, sessions: int
) -> None:
    for number in range(sessions):
        warm.create(record_of(f"of many {number}", user="ada"))
    trips, commands = redis_server.trips(), redis_server.commands()
    assert warm.gc(record_of().created, 1000) == 0
    # The commands are sent together.  They are longer than the 16 KB that Redis reads at a time.
    assert redis_server.trips() - trips <= 3
    assert (redis_server.commands() - commands)["zcount"] == 512


def test_an_idle_sweep_of_a_cluster_is_one_trip_for_each_master(
    make: Make, redis_cluster: RedisCluster
) -> None:
    store = make(redis_cluster.url())
    store.create(record_of())
    store.count(0.0)
    trips = redis_cluster.trips()
    assert store.gc(record_of().created, 1000) == 0
    assert redis_cluster.trips() - trips == len(redis_cluster.masters)


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_is_one_command(warm: Provider, redis_server: Redis, verb: str) -> None:
    command, act = VERBS[verb]
    commands, trips = redis_server.commands(), redis_server.trips()
    act(warm)
    assert redis_server.trips() - trips == 1
    taken = redis_server.commands() - commands
    assert taken[command] == 1
    assert not taken.keys() & {"keys", "scan", "eval", "ping", "select", "hello", "multi"}


@pytest.mark.parametrize("verb", ["create", "update", "touch", "move", "destroy"])
def test_a_script_that_redis_has_forgotten_costs_one_trip_more_once(
    warm: Provider, redis_server: Redis, verb: str
) -> None:
    redis_server.cli("SCRIPT FLUSH")
    act = VERBS[verb][1]
    trips = redis_server.trips()
    act(warm)
    assert redis_server.trips() - trips == 2
    commands, trips = redis_server.commands(), redis_server.trips()
    act(warm)
    assert redis_server.trips() - trips == 1
    assert (redis_server.commands() - commands)["eval"] == 0


def test_forgotten_scripts_change_no_answer(store: Provider, redis_server: Redis) -> None:
    record = record_of(user="ada")
    late = record_of("late", now=record.created - 3600)
    changes = Changes(record.created, put={b"a": b"9"})
    verbs: list[tuple[Callable[[], object], object]] = [
        (lambda: store.create(record), True),
        (lambda: store.create(record), False),
        (lambda: store.update(record, changes), Outcome.APPLIED),
        (lambda: store.update(late, changes), Outcome.GONE),
        (lambda: store.create(late), True),
        (lambda: store.gc(record.created, 10), 1),
        (lambda: store.destroy(late.id), None),
        (lambda: store.destroy(record.id), record._replace(fields={})),
    ]
    for verb, answer in verbs:
        redis_server.cli("SCRIPT FLUSH")
        assert verb() == answer


# -- lists ---------------------------------------------------------------------------------------


def test_counting_is_sent_at_once(warm: Provider, redis_server: Redis) -> None:
    trips = redis_server.trips()
    assert warm.count(record_of().created) == 1
    assert redis_server.trips() - trips <= 2  # the server reads 16 KB at a time


def test_finding_a_users_sessions_is_two_round_trips(warm: Provider, redis_server: Redis) -> None:
    for number in range(20):
        warm.create(record_of(number, user="ada"))
    trips = redis_server.trips()
    assert len(list(warm.find("ada", record_of().created))) == 20
    assert redis_server.trips() - trips == 2


def test_nothing_asks_for_all_keys(make: Make, redis_server: Redis) -> None:
    """KEYS holds a server up for as long as it takes."""
    commands = redis_server.commands()
    store = make(redis_server.url())
    now = record_of().created
    store.create(record_of(user="ada"))
    assert store.gc(now, 10) == 0
    assert list(store.find(None, now)) + list(store.find("ada", now))
    assert store.count(now) == 1
    assert Manager(store).check() is not None
    assert store.repair() == 0
    taken = redis_server.commands() - commands
    assert taken["scan"] >= 1
    assert taken["keys"] == taken["flushall"] == 0
