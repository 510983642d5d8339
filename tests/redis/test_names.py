"""Names that others would mix up: of users, and of applications that share a database."""

from __future__ import annotations

import pytest

from sojourn.errors import ConfigError
from sojourn.providers.redis import RedisProvider
from sojourn.record import Changes, Move
from sojourn.testing._subject import bare
from tests.redis.stores import HOUR, Make, Names, id_of, record_of
from tests.servers.redis import Redis

USERS = [
    "", "\0", "\0\0", "\1", "a", "a\0", "a\0b", "a\0\0b", "a\1", "ab", "a\0" + "0" * 64,
    "\ud800", "\udfff", "a\ud800", "\udcff", "\x7f", "\xff", "\N{FOX FACE}", "None", "0", "-", "+",
    "[a", "(a", "live", "u" * 255,
]  # fmt: skip
"""One the prefix of another, with what parts names in our entries, and what limits ranges."""


def test_no_two_users_are_mixed_up(store: RedisProvider) -> None:
    """Each has two sessions, all with the same two digits, so all in one sorted set."""
    records = [record_of((user, turn), tag="ab", user=user) for user in USERS for turn in range(2)]
    now = max(record.seen for record in records)
    for record in records:
        assert store.create(record)
        assert bare(store.read(record.id)) == record
    for user in USERS:
        found = {record.id for record in store.find(user, now)}
        assert found == {record.id for record in records if record.user == user}, repr(user)
    assert len(list(store.find(None, now))) == store.count(now) == 2 * len(USERS)


@pytest.mark.parametrize("user", USERS, ids=ascii)
def test_no_trace_of_any_user_stays(
    store: RedisProvider, redis_server: Redis, names: Names, user: str
) -> None:
    """Whichever way a session ends."""
    ends = {name: record_of(name, tag="ab", user=user) for name in ("destroyed", "moved", "swept")}
    for record in ends.values():
        store.create(record)
    now = max(record.seen for record in ends.values())
    store.destroy(ends["destroyed"].id)
    move = Move(id_of("next", "ab"), None, None, None, now + 10)
    store.update(ends["moved"], Changes(now, move=move))
    assert [record.id for record in store.find(user, now)] == [ends["swept"].id]
    assert len(_entries(redis_server, names)) == 4  # two live, one of them the user's; a tombstone
    assert store.gc(now + 2 * HOUR, 3) == 3
    assert _entries(redis_server, names) == []


def _entries(server: Redis, names: Names) -> list[bytes]:
    keys = names.live("ab"), names.users("ab"), names.retired("ab")
    return [entry for key in keys for entry in server.cli("ZRANGE", key, 0, -1)]


@pytest.mark.parametrize("user", USERS, ids=ascii)
def test_the_entries_of_any_user_are_repaired(
    store: RedisProvider, redis_server: Redis, names: Names, user: str
) -> None:
    lives, lost = (record_of(name, tag="ab", user=user) for name in ("lives", "lost"))
    store.create(lives)
    redis_server.cli("DEL", names.live("ab"), names.users("ab"))
    store.create(lost)
    redis_server.cli("DEL", names.hash(lost.id))
    assert store.repair() > 0
    assert [record.id for record in store.find(user, lost.seen)] == [lives.id]
    assert store.count(lost.seen) == 1


# -- applications --------------------------------------------------------------------------------

PREFIXES = ["app", "app2", "app:", "app:x", "a", "App", "app:-", "app."]


def test_applications_share_a_database(make: Make, redis_server: Redis) -> None:
    """Each counts, finds, sweeps and repairs its own, though the ids be the same."""
    stores = {prefix: make(redis_server.url(database=9), prefix=prefix) for prefix in PREFIXES}
    now = record_of().seen
    for number, prefix in enumerate(PREFIXES):
        for turn in range(number + 1):
            user = "ada" if turn else prefix
            assert stores[prefix].create(record_of(turn, now=now, user=user, tag="ab"))
    with redis_server.enter() as client:
        client.select(9)
        assert client.delete(*client.keys("app:{*:live"))
    for number, (prefix, store) in enumerate(stores.items()):
        assert (store.repair() > 0) == (prefix == "app"), prefix
        assert store.repair() == 0
        assert store.count(now) == number + 1, prefix
        assert {record.user for record in store.find(None, now)} <= {"ada", prefix}
    first, *others = stores.values()
    assert first.destroy(id_of(0, "ab")) is not None
    assert first.gc(now + 2 * HOUR, 100) == 0
    assert all(store.gc(now + 2 * HOUR, 100) == n + 2 for n, store in enumerate(others))


def test_databases_are_apart(make: Make, redis_server: Redis) -> None:
    one, two = make(f"{redis_server.address},5,,3"), make(redis_server.url(database=4))
    record = record_of(user="ada")
    assert one.create(record)
    assert (two.read(record.id), two.destroy(record.id)) == (None, None)
    assert (two.count(record.seen), two.gc(record.expires, 10)) == (0, 0)
    assert list(two.find("ada", record.seen)) == []
    assert bare(one.read(record.id)) == record


@pytest.mark.parametrize(
    "prefix", ["a{b}", "{", "a b", "a*", "a?", "[a]", "a\\", "\n", "", "ä", "x" * 101]
)
def test_a_prefix_that_could_mean_something_else_is_refused(make: Make, prefix: str) -> None:
    with pytest.raises(ConfigError, match=r"^prefix: .* letters, digits or any of _ \. : -$"):
        make("127.0.0.1:6379", prefix=prefix)


@pytest.mark.parametrize("prefix", [7, b"bytes", True, ("a",)])
def test_a_prefix_is_text(make: Make, prefix: object) -> None:
    with pytest.raises(ConfigError, match=r"^prefix: "):
        make("127.0.0.1:6379", prefix=prefix)


def test_a_prefix_in_the_text_holds_too(make: Make, redis_server: Redis, prefix: str) -> None:
    record = record_of()
    assert make(f"{redis_server.url()}?prefix={prefix}.said", prefix=None).create(record)
    assert redis_server.cli("EXISTS", Names(f"{prefix}.said").hash(record.id)) == 1
    with pytest.raises(ConfigError, match="prefix"):
        make(redis_server.url() + "?prefix=a%7Bb", prefix=None)
