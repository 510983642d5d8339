"""The sorted sets are hints: whatever was lost, count and lists are right again.

By `gc()` at once, and without it after at most one lifetime.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import cycle
from random import Random

import pytest

from sojourn import Manager
from sojourn.providers.base import Provider
from sojourn.providers.redis import RedisProvider
from sojourn.record import Changes, Move, Record
from sojourn.testing import FakeClock
from tests.redis.stores import HOUR, Make, Names, id_of, record_of
from tests.servers.redis import Redis, fresh_prefix
from tests.servers.redis_groups import RedisCluster

USERS = [None, "ada", "eve", "e\0ve"]
TAGS = ["00", "7f", "ab", "fe"]
NOW = FakeClock()() + 86_400  # so that Redis itself ends nothing while the tests run


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    """A server that may lose everything."""
    with Redis() as server:
        yield server


@pytest.fixture
def store(make: Make, server: Redis) -> Provider:
    return make(server.url())


def tags_in_turn(tags: list[str] | None) -> Iterator[str | None]:
    """Each for one session of every user."""
    for tag in cycle(tags or [None]):
        yield from [tag] * len(USERS)


def filled(store: Provider, count: int, *, tags: list[str] | None = None) -> list[Record]:
    """Records of all users, in these tags or anywhere."""
    records = [
        record_of(number, now=NOW, user=USERS[number % 4], tag=tag)
        for number, tag in zip(range(count), tags_in_turn(tags), strict=False)
    ]
    assert all(store.create(record) for record in records)
    return records


def of(records: Iterable[Record], user: str | None) -> list[str]:
    return sorted(record.id for record in records if user in (None, record.user))


def is_right(store: Provider, alive: list[Record], now: float = NOW) -> bool:
    """Whether count and lists say what lives."""
    return store.count(now) == len(alive) and all(
        of(store.find(user, now), None) == of(alive, user) for user in USERS
    )


def lose(server: Redis | RedisCluster, keys: Iterable[str]) -> None:
    for key in keys:
        holder = server if isinstance(server, Redis) else server.master_of(key)
        assert holder.cli("DEL", key) == 1


# -- by a sweep ----------------------------------------------------------------------------------


def test_what_is_whole_stays_as_it_is(store: Provider) -> None:
    records = filled(store, 40)
    for _ in range(3):
        assert store.gc(NOW, 100) == 0
        assert is_right(store, records)


def test_after_everything_was_lost_it_begins_anew(store: Provider, server: Redis) -> None:
    filled(store, 40)
    assert store.gc(NOW, 100) == 0
    server.flush()
    assert is_right(store, [])
    records = filled(store, 10)
    for _ in range(2):
        assert is_right(store, records)
        assert store.gc(NOW, 100) == 0


@pytest.mark.parametrize("swept", [False, True], ids=["never swept", "swept before"])
@pytest.mark.parametrize("lost", ["live", "users", "retired", "all"])
def test_lost_sets_are_made_again(
    store: Provider, server: Redis, names: Names, lost: str, swept: bool
) -> None:
    """Those in which something was entered since, too.

    Those of tombstones are not, once a sweep has seen the others whole: Redis drops the hashes.
    """
    records = filled(store, 40, tags=TAGS)
    move = Move(id_of("next", records[3].id[:2]), "eve", None, None, NOW + 60)
    store.update(records[3], Changes(NOW, move=move))
    records[3] = records[3]._replace(id=move.id, user="eve")
    if swept:
        assert store.gc(NOW, 100) == 0
    kinds = ["live", "users"] if lost == "all" else [lost]
    tags = [records[3].id] if lost == "retired" else TAGS
    lose(server, [getattr(names, kind)(tag) for kind in kinds for tag in tags])
    records.append(record_of("late", now=NOW, user="ada", tag=TAGS[0]))
    store.create(records[-1])
    assert store.gc(NOW, 100) == 0
    assert is_right(store, records)
    assert store.gc(NOW + 60, 100) == (0 if lost == "retired" and swept else 1)
    assert is_right(store, records, NOW + 60)


def test_entries_of_lost_records_are_forgotten(
    store: Provider, server: Redis, names: Names
) -> None:
    records = filled(store, 40)
    lose(server, [names.hash(record.id) for record in records[::3]])
    alive = [record for number, record in enumerate(records) if number % 3]
    assert store.count(NOW) == 40  # a hint
    assert of(store.find("ada", NOW), None) == of(alive, "ada")  # but no list shows what is gone
    assert store.gc(NOW, 100) == 0
    assert is_right(store, alive)


def test_a_cluster_heals_as_well(make: Make, redis_cluster: RedisCluster, names: Names) -> None:
    store = make(redis_cluster.url())
    records = filled(store, 60, tags=TAGS)
    lose(redis_cluster, [names.live(tag) for tag in TAGS] + [names.users(tag) for tag in TAGS[:2]])
    lose(redis_cluster, [names.hash(record.id) for record in records[50:]])
    assert store.gc(NOW, 100) == 0
    assert is_right(store, records[:50])


def test_what_redis_has_evicted_is_not_counted(make: Make) -> None:
    """Whatever it took: sessions, sorted sets, marks."""
    with Redis(maxmemory="12mb", maxmemory_policy="allkeys-lru") as server:
        store = make(server.url())
        records = filled(store, 3000)
        assert store.gc(NOW, 100) == 0
        noise = 0
        while server.cli("INFO", "stats")["evicted_keys"] < 4000:
            server.cli("SET", f"noise:{noise}", b"x" * 5000)
            noise += 1
        server.cli("CONFIG SET", "maxmemory", 0)
        alive = [record for record in records if store.read(record.id)]
        assert len(alive) < 2500
        assert store.gc(NOW, 100) == 0
        assert is_right(store, alive)


# -- of many -------------------------------------------------------------------------------------

MANY, LARGEST = 2600, 1000


@pytest.fixture
def many(store: Provider, server: Redis, names: Names) -> list[Record]:
    """Many records: a thousand of one tag in the order of their expiry, the rest anywhere."""
    server.flush()
    records = filled(store, MANY - LARGEST, tags=[f"{tag:02x}" for tag in range(5)])
    largest = [
        record_of(f"large {number}", now=NOW, tag="ab", user="ada", expires=NOW + HOUR + number)
        for number in range(LARGEST)
    ]
    assert all(store.create(record) for record in largest)
    assert server.cli("ZCARD", names.live("ab")) == LARGEST
    assert store.gc(NOW, 100) == 0
    return largest + records


@pytest.mark.parametrize("rank", [0, 399, 400, 401, 799, LARGEST - 1])
def test_a_lost_one_is_found_wherever_it_stands(
    store: Provider, server: Redis, names: Names, many: list[Record], rank: int
) -> None:
    """A sweep looks at 400 of a set, the next one at others."""
    lose(server, [names.hash(many.pop(rank).id)])
    sweeps = 0
    while not is_right(store, many):
        assert store.gc(NOW, 100) == 0
        sweeps += 1
        assert sweeps <= 4


def test_where_one_is_lost_all_are_looked_at(
    store: Provider, server: Redis, names: Names, many: list[Record]
) -> None:
    lost = {record.id for record in Random(1).sample(many[:LARGEST], 600)}
    lose(server, [names.hash(id) for id in lost])
    assert store.gc(NOW, 100) == 0
    assert is_right(store, [record for record in many if record.id not in lost])


def test_many_are_entered_again(
    store: Provider, server: Redis, names: Names, many: list[Record]
) -> None:
    """By more than one step of SCAN, among keys of others."""
    for number in range(1500):
        server.cli("SET", f"foreign:{number}", number)
    tags = {record.id[:2] for record in many}
    lose(server, [names.live(tag) for tag in tags] + [names.users(tag) for tag in tags])
    scans = server.commands()["scan"]
    assert store.gc(NOW, 100) == 0
    assert is_right(store, many)
    assert server.commands()["scan"] - scans >= 4
    assert store.gc(NOW, 100) == 0
    assert server.commands()["scan"] - scans <= 10  # once was enough


# -- without a sweep -----------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["live", "users", "hash"])
def test_it_heals_by_itself_within_a_lifetime(server: Redis, lost: str) -> None:
    """Sessions that are visited enter themselves again; the others end."""
    prefix, clock = fresh_prefix(), FakeClock()
    names = Names(prefix)
    manager = Manager(RedisProvider(server.url(), prefix=prefix), clock=clock, max_lifetime=HOUR)
    cookies, ids = list[dict[str, str]](), list[str]()
    for number in range(30):
        with manager.open({}) as session:
            session.login("ada" if number % 2 else "eve")
        assert session.released is not None
        cookies.append({"Cookie": f"session={session.released.token}"})
        ids.append(session.id)
    lost_keys = ids[20:] if lost == "hash" else {id[:2]: id for id in ids}.values()
    lose(server, [getattr(names, lost)(id) for id in lost_keys])
    for _ in range(60):
        clock.advance(60)
        for cookie in cookies[:20]:
            with manager.open(cookie) as session:
                assert session.user is not None
    assert manager.active_count() == 20
    assert {info.id for info in manager.sessions()} == {*ids[:20]}
    assert {info.id for info in manager.sessions("ada")} == {*ids[1:20:2]}
    manager.close()


def test_where_nobody_sweeps_new_sessions_forget_old_entries(
    store: Provider, server: Redis, names: Names
) -> None:
    """Redis drops the hashes by itself; each beginning forgets two entries of its tag."""
    for number in range(20):
        old = NOW - 3 * HOUR + number
        store.create(record_of(number, now=old, tag="ab", user=USERS[number % 4]))
    lives = record_of("lives", now=NOW - 600, tag="ab", user="ada")
    store.create(lives)
    for number in range(20, 31):
        store.create(record_of(number, now=NOW, tag="ab"))
    assert server.cli("ZCARD", names.live("ab")) == 12
    assert server.cli("ZCARD", names.users("ab")) == 1
    assert of(store.find("ada", NOW), None) == [lives.id]


def test_where_nobody_sweeps_tombstones_are_forgotten_too(
    store: Provider, server: Redis, names: Names
) -> None:
    """Else each sign-in would leave an entry behind for ever."""
    for number in range(50):
        begun = NOW + number * 3 * HOUR
        record = record_of(number, now=begun, tag="ab")
        move = Move(id_of(f"next {number}", "ab"), "ada", begun, None, begun + 10)
        store.create(record)
        store.update(record, Changes(begun, move=move))
    assert server.cli("ZCARD", names.retired("ab")) < 10


def test_long_names_hold_redis_up_no_longer(store: Provider, server: Redis) -> None:
    """A step of a sweep is short work, whoever is signed in."""
    took = list[float]()
    for length in (3, 255):
        server.flush()
        for number in range(390):
            user = str(number).rjust(length, "u")
            store.create(record_of(number, now=NOW, tag="ab", user=user))
        store.gc(NOW, 10)
        server.cli("CONFIG RESETSTAT")
        store.gc(NOW, 10)
        took.append(server.cli("INFO", "commandstats")["cmdstat_evalsha"]["usec"])
    assert took[1] < 10 * took[0]
