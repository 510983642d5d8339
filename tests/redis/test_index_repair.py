"""Whatever the sorted sets have lost, count and lists are right again.

`repair()` corrects them at once; without it they are right after at most one lifetime.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle
from pathlib import Path
from random import Random

import pytest

from sojourn import AsyncManager, Manager, StoreUnavailable
from sojourn.cli import main
from sojourn.providers.redis import AsyncRedisProvider, RedisProvider, census
from sojourn.providers.redis.layout import Layout
from sojourn.providers.redis.replies import Command
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
def store(make: Make, server: Redis) -> RedisProvider:
    return make(server.url())


def tags_in_turn(tags: list[str] | None) -> Iterator[str | None]:
    """Each for one session of every user."""
    for tag in cycle(tags or [None]):
        yield from [tag] * len(USERS)


def filled(store: RedisProvider, count: int, *, tags: list[str] | None = None) -> list[Record]:
    """Records of all users, in these tags or anywhere."""
    records = [
        record_of(number, now=NOW, user=USERS[number % 4], tag=tag)
        for number, tag in zip(range(count), tags_in_turn(tags), strict=False)
    ]
    assert all(store.create(record) for record in records)
    return records


def of(records: Iterable[Record], user: str | None) -> list[str]:
    return sorted(record.id for record in records if user in (None, record.user))


def is_right(store: RedisProvider, alive: list[Record], now: float = NOW) -> bool:
    """Whether count and lists say what lives."""
    return store.count(now) == len(alive) and all(
        of(store.find(user, now), None) == of(alive, user) for user in USERS
    )


def lose(server: Redis | RedisCluster, keys: Iterable[str]) -> None:
    for key in keys:
        holder = server if isinstance(server, Redis) else server.master_of(key)
        assert holder.cli("DEL", key) == 1


# -- by a repair ---------------------------------------------------------------------------------


def test_what_is_whole_stays_as_it_is(store: RedisProvider) -> None:
    records = filled(store, 40)
    for work in (store.repair, lambda: store.gc(NOW, 100), store.repair):
        assert work() == 0
        assert is_right(store, records)


def test_after_everything_was_lost_it_begins_anew(store: RedisProvider, server: Redis) -> None:
    filled(store, 40)
    server.flush()
    assert is_right(store, [])
    records = filled(store, 10)
    assert is_right(store, records)
    assert store.repair() == 0
    assert is_right(store, records)


@pytest.mark.parametrize("lost", ["live", "users", "retired", "all"])
def test_lost_sets_are_made_again(
    store: RedisProvider, server: Redis, names: Names, lost: str
) -> None:
    """Those in which something was entered since, too."""
    records = filled(store, 40, tags=TAGS)
    move = Move(id_of("next", records[3].id[:2]), "eve", None, None, NOW + 60)
    store.update(records[3], Changes(NOW, move=move))
    records[3] = records[3]._replace(id=move.id, user="eve")
    kinds = ["live", "users", "retired"] if lost == "all" else [lost]
    for kind in kinds:
        tags = [records[3].id] if kind == "retired" else TAGS
        lose(server, [getattr(names, kind)(tag) for tag in tags])
    records.append(record_of("late", now=NOW, user="ada", tag=TAGS[0]))
    store.create(records[-1])
    signed_in = sum(record.user is not None for record in records[:-1])
    missing = {"live": 40, "users": signed_in, "retired": 1, "all": 40 + signed_in + 1}
    assert store.repair() == missing[lost]
    assert is_right(store, records)
    assert store.repair() == 0
    assert store.gc(NOW + 60, 100) == 1  # the tombstone
    assert is_right(store, records, NOW + 60)


@pytest.mark.parametrize("kind", ["live", "users"])
def test_a_set_that_another_program_uses_is_left_out(
    store: RedisProvider, server: Redis, names: Names, kind: str
) -> None:
    """Also by a server that has no script in its cache yet, and sends its errors one by one."""
    server.flush()
    records = filled(store, 40, tags=["00", "7f"])
    lose(server, [getattr(names, kind)("00"), names.live("7f")])
    server.cli("SET", getattr(names, kind)("00"), "foreign")
    server.cli("SCRIPT FLUSH")
    assert store.repair() == 20
    assert server.cli("ZCARD", names.live("7f")) == len(records) // 2


def test_entries_of_lost_records_are_forgotten(
    store: RedisProvider, server: Redis, names: Names
) -> None:
    records = filled(store, 40)
    lose(server, [names.hash(record.id) for record in records[::3]])
    alive = [record for number, record in enumerate(records) if number % 3]
    assert store.count(NOW) == 40
    assert of(store.find("ada", NOW), None) == of(alive, "ada")  # no list shows what is gone
    users = sum(record.user is not None for record in records[::3])
    assert store.repair() == len(records[::3]) + users
    assert is_right(store, alive)


def test_a_cluster_is_repaired_as_well(
    make: Make, redis_cluster: RedisCluster, names: Names
) -> None:
    store = make(redis_cluster.url())
    records = filled(store, 60, tags=TAGS)
    lose(redis_cluster, [names.live(tag) for tag in TAGS] + [names.users(tag) for tag in TAGS[:2]])
    lose(redis_cluster, [names.hash(record.id) for record in records[50:]])
    assert store.repair() > 0
    assert is_right(store, records[:50])


def test_a_cluster_that_moves_the_keys_keeps_the_entries(
    make: Make, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sets may be handed over before the hashes, while a repair looks for lost hashes."""
    with RedisCluster() as cluster:
        store = make(cluster.url())
        records = filled(store, 8, tags=["ab"])
        begin, finish = handing_over(cluster, [names.live("ab"), names.users("ab")])
        sizes = census.sizes

        def moved(layout: Layout) -> list[Command]:
            begin()
            return sizes(layout)

        monkeypatch.setattr(census, "sizes", moved)
        with pytest.raises(StoreUnavailable, match="moving"):
            store.repair()
        finish()
        assert is_right(store, records)


def handing_over(
    cluster: RedisCluster, keys: list[str]
) -> tuple[Callable[[], None], Callable[[], None]]:
    """Functions that hand a slot to another master: first these keys, then the rest."""
    old = cluster.master_of(keys[0])
    new = next(node for node in cluster.masters if node is not old)
    slot = old.cli("CLUSTER KEYSLOT", keys[0])

    def migrate(keys: Iterable[str | bytes]) -> None:
        for key in keys:
            old.cli("MIGRATE", "127.0.0.1", new.port, key, 0, 5000)

    def begin() -> None:
        new.cli("CLUSTER SETSLOT", slot, "IMPORTING", old.cli("CLUSTER MYID"))
        old.cli("CLUSTER SETSLOT", slot, "MIGRATING", new.cli("CLUSTER MYID"))
        migrate(keys)

    def finish() -> None:
        migrate(old.cli("CLUSTER GETKEYSINSLOT", slot, 100))
        for node in (new, old):
            node.cli("CLUSTER SETSLOT", slot, "NODE", new.cli("CLUSTER MYID"))

    return begin, finish


def test_what_redis_has_evicted_is_not_counted(make: Make) -> None:
    """Whatever it took: sessions, sorted sets."""
    with Redis(maxmemory="12mb", maxmemory_policy="allkeys-lru") as server:
        store = make(server.url())
        records = filled(store, 3000)
        noise = 0
        while server.cli("INFO", "stats")["evicted_keys"] < 4000:
            server.cli("SET", f"noise:{noise}", b"x" * 5000)
            noise += 1
        server.cli("CONFIG SET", "maxmemory", 0)
        alive = [record for record in records if store.read(record.id)]
        assert len(alive) < 2500
        assert store.repair() > 0
        assert is_right(store, alive)


async def test_the_managers_and_the_command_repair(
    server: Redis,
    names: Names,
    prefix: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = RedisProvider(server.url(), prefix=prefix)
    records = filled(store, 4, tags=["ab"])
    lose(server, [names.live("ab")])
    assert Manager(store).repair() == 4
    lose(server, [names.live("ab")])
    aio = AsyncManager(AsyncRedisProvider(server.url(), prefix=prefix))
    assert await aio.repair() == 4
    await aio.close()
    lose(server, [names.live("ab")])
    config = tmp_path / "sojourn.json"
    settings = {"provider": "redis", "provider_config": {"address": server.url(), "prefix": prefix}}
    config.write_text(json.dumps(settings))
    assert main(["repair", "--config", str(config)]) == 0
    assert capsys.readouterr().out == "4 repaired\n"
    assert is_right(store, records)
    store.close()


# -- of many -------------------------------------------------------------------------------------

MANY, LARGEST = 2600, 1000


@pytest.fixture
def many(store: RedisProvider, server: Redis, names: Names) -> list[Record]:
    """Many records: a thousand of one tag in the order of their expiry, the rest anywhere."""
    server.flush()
    records = filled(store, MANY - LARGEST, tags=[f"{tag:02x}" for tag in range(5)])
    largest = [
        record_of(f"large {number}", now=NOW, tag="ab", user="ada", expires=NOW + HOUR + number)
        for number in range(LARGEST)
    ]
    assert all(store.create(record) for record in largest)
    assert server.cli("ZCARD", names.live("ab")) == LARGEST
    return largest + records


@pytest.mark.parametrize("rank", [0, 399, 400, 401, 799, LARGEST - 1])
def test_a_lost_one_is_found_wherever_it_is(
    store: RedisProvider, server: Redis, names: Names, many: list[Record], rank: int
) -> None:
    """A run of the script examines 400 entries of a set."""
    lose(server, [names.hash(many.pop(rank).id)])
    assert store.repair() == 2
    assert is_right(store, many)


def test_where_many_are_lost_all_are_found(
    store: RedisProvider, server: Redis, names: Names, many: list[Record]
) -> None:
    """Each entry that is removed lowers the rank of those that follow it."""
    lost = {record.id for record in Random(1).sample(many[:LARGEST], 600)}
    lose(server, [names.hash(id) for id in lost])
    assert store.repair() == 2 * len(lost)
    assert is_right(store, [record for record in many if record.id not in lost])


def test_many_are_entered_again(
    store: RedisProvider, server: Redis, names: Names, many: list[Record]
) -> None:
    """By more than one step of SCAN, among keys of others."""
    for number in range(1500):
        server.cli("SET", f"foreign:{number}", number)
    tags = {record.id[:2] for record in many}
    lose(server, [names.live(tag) for tag in tags] + [names.users(tag) for tag in tags])
    scans = server.commands()["scan"]
    assert store.repair() > MANY
    assert is_right(store, many)
    assert server.commands()["scan"] - scans >= 4


# -- without a repair ----------------------------------------------------------------------------


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


@pytest.mark.parametrize("lost", ["live", "users"])
def test_a_visit_enters_a_session_that_lasts_no_longer_by_it(server: Redis, lost: str) -> None:
    """As one that is remembered for as long as a session may last at all: 30 days by default."""
    prefix, clock = fresh_prefix(), FakeClock()
    names = Names(prefix)
    manager = Manager(RedisProvider(server.url(), prefix=prefix), clock=clock)
    with manager.open({}) as session:
        session.login("ada", remember=30 * 24 * HOUR)
    assert session.released is not None
    cookie = {"Cookie": f"session={session.released.token}"}
    lose(server, [getattr(names, lost)(session.id)])
    clock.advance(60)
    with manager.open(cookie) as session:
        assert session.user == "ada"
    assert manager.active_count() == 1
    assert manager.destroy_user("ada") == 1
    manager.close()


def test_where_nobody_sweeps_new_sessions_forget_old_entries(
    store: RedisProvider, server: Redis, names: Names
) -> None:
    """Redis drops the hashes by itself; one new session in four removes 8 entries of its tag."""
    for number in range(20):
        old = NOW - 3 * HOUR + number
        store.create(record_of(number, now=old, tag="ab", user=USERS[number % 4]))
    lives = record_of("lives", now=NOW - 600, tag="ab", user="ada")
    store.create(lives)
    for number in range(20, 100):
        store.create(record_of(number, now=NOW, tag="ab"))
    assert server.cli("ZCARD", names.live("ab")) == 81
    assert server.cli("ZCARD", names.users("ab")) == 1
    assert of(store.find("ada", NOW), None) == [lives.id]


def test_where_nobody_sweeps_the_index_does_not_grow(
    store: RedisProvider, server: Redis, names: Names
) -> None:
    """Whatever the number of the sessions, only the late ones have entries."""
    sizes = list[int]()
    for number in range(1000):
        begun = NOW + number * 60  # a session has an entry for two hours at least: 120 of them
        store.create(record_of(number, now=begun, tag="ab", user=USERS[number % 4]))
        if number % 20 == 0:
            sizes.append(server.cli("ZCARD", names.live("ab")))
            assert server.cli("ZCARD", names.users("ab")) <= sizes[-1]
    assert max(sizes) < 120 + 8 * 8
    assert sum(sizes[20:]) / len(sizes[20:]) < 120 + 2 * 8


def test_where_nobody_sweeps_tombstones_are_forgotten_too(
    store: RedisProvider, server: Redis, names: Names
) -> None:
    """Else each sign-in would leave an entry behind for ever."""
    for number in range(50):
        begun = NOW + number * 3 * HOUR
        record = record_of(number, now=begun, tag="ab")
        move = Move(id_of(f"next {number}", "ab"), "ada", begun, None, begun + 10)
        store.create(record)
        store.update(record, Changes(begun, move=move))
    assert server.cli("ZCARD", names.retired("ab")) < 10


def test_long_names_hold_redis_up_no_longer(store: RedisProvider, server: Redis) -> None:
    """A step of a repair is short, however long the names of the users are."""
    took = list[float]()
    for length in (3, 255):
        server.flush()
        for number in range(390):
            user = str(number).rjust(length, "u")
            store.create(record_of(number, now=NOW, tag="ab", user=user))
        store.repair()
        server.cli("CONFIG RESETSTAT")
        store.repair()
        took.append(server.cli("INFO", "commandstats")["cmdstat_evalsha"]["usec"])
    assert took[1] < 10 * took[0]
