"""Law 13 for the sorted sets: entries of other kinds stop nobody.

Whoever may write into Redis may put anything there.  It is passed by, goes when it is due, and
ends no session and no index.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable

import pytest

from sojourn.errors import CorruptRecord
from sojourn.providers.redis import RedisProvider
from sojourn.providers.redis.layout import frame
from sojourn.record import Changes, Move, Record
from sojourn.testing import FakeClock
from sojourn.testing._subject import bare
from tests.redis.stores import HOUR, Names, id_of, record_of
from tests.servers.redis import Redis

NOW = FakeClock()() + 86_400  # so that Redis itself ends nothing while the tests run
ADA = record_of("ada", tag="ab", user="ada", now=NOW, expires=NOW + 4 * HOUR)
NOBODY = record_of("nobody", tag="ab", now=NOW, expires=NOW + 4 * HOUR)
LARGE = b"x" * 100_000

LIVE = {
    "no text": b"\xff\xfe",
    "a word": b"short",
    "not hexadecimal": b"ab" + b"g" * 62,
    "in capitals": b"AB" + b"F" * 62,
    "an odd length": b"ab" + b"1" * 61,
    "too short": b"ab" * 15,
    "too long": b"ab" * 65,
    "large": LARGE,
    "NUL alone": b"\0",
    "no id, a user": b"\0ada",
    "two NULs": b"a\0b\0c",
    "the name of the set": b"live",
    "the name of another set": b"users",
    "the name of a third": b"retired",
    "an id of another tag": id_of("other", "cd").encode(),
    "an id of no session": id_of("lost", "ab").encode(),
    "a sound id of a strange user": ADA.id.encode() + b"\0\xff\xfe",
    "a sound id twice": ADA.id.encode() + b"\0eve",
    "a glob": b"ab*" * 20,
    "lines": b"ab\r\n*2147483647\r\n",
}
USERS = {
    "no NUL": b"x",
    "no id": b"ada\0",
    "an id that is no text": b"ada\0\xff",
    "a word for an id": b"ada\0zz",
    "an id of another tag": b"ada\0" + id_of("other", "cd").encode(),
    "an id of no session": b"ada\0" + id_of("lost", "ab").encode(),
    "an id of another's session": b"ada\0" + NOBODY.id.encode(),
    "two NULs": b"ada\0eve\0" + ADA.id.encode(),
    "no text": b"\xff\xfe\0\xff",
    "large": LARGE,
    "a large id": b"ada\0" + LARGE,
    "NUL alone": b"\0",
}


@pytest.fixture(autouse=True)
def _filled(store: RedisProvider, redis_server: Redis) -> None:
    """Two sessions of one tag."""
    assert store.create(ADA)
    assert store.create(NOBODY)


def all_is_well(store: RedisProvider) -> None:
    """Every question is answered rightly."""
    assert bare(store.read(ADA.id)) == ADA
    assert sorted(found.id for found in store.find(None, NOW)) == sorted([ADA.id, NOBODY.id])
    assert [found.id for found in store.find("ada", NOW)] == [ADA.id]
    assert store.count(NOW) >= 2
    assert store.gc(NOW, 10) == 0
    store.repair()
    assert store.count(NOW) == 2


@pytest.mark.parametrize("odd", LIVE)
def test_an_odd_entry_among_the_living_is_passed_by(
    store: RedisProvider, redis_server: Redis, names: Names, odd: str
) -> None:
    redis_server.cli("ZADD", names.live("ab"), NOW + HOUR, LIVE[odd])
    assert sorted(found.id for found in store.find(None, NOW)) == sorted([ADA.id, NOBODY.id])
    if "a sound id" not in odd:  # its session lives: nobody can tell that it stands there twice
        all_is_well(store)
        assert redis_server.cli("ZSCORE", names.live("ab"), LIVE[odd]) is None


@pytest.mark.parametrize("kind", ["live", "retired"])
@pytest.mark.parametrize("odd", LIVE)
def test_an_odd_entry_that_is_due_goes_alone(
    store: RedisProvider, redis_server: Redis, names: Names, odd: str, kind: str
) -> None:
    """In place of an id may stand the name of a sorted set, which stays."""
    key = getattr(names, kind)("ab")
    redis_server.cli("ZADD", key, NOW - 1, LIVE[odd])
    assert store.gc(NOW, 10) == (0 if "a sound id" in odd else 1)
    assert redis_server.cli("ZSCORE", key, LIVE[odd]) is None
    all_is_well(store)


@pytest.mark.parametrize("odd", USERS)
def test_an_odd_entry_among_the_users_is_passed_by(
    store: RedisProvider, redis_server: Redis, names: Names, odd: str
) -> None:
    redis_server.cli("ZADD", names.users("ab"), 0, USERS[odd])
    all_is_well(store)
    if odd not in ("an id of another's session", "two NULs"):
        assert redis_server.cli("ZSCORE", names.users("ab"), USERS[odd]) is None


@pytest.mark.parametrize("entry", [b"aaa\0" + id_of("lost", "ab").encode(), b"zzz", b"\xff"])
@pytest.mark.parametrize("score", [-5, 7, "+inf"])
def test_a_score_among_the_users_hides_nobody_after_a_repair(
    store: RedisProvider, redis_server: Redis, names: Names, entry: bytes, score: object
) -> None:
    """Redis finds entries by name only where all scores are the same."""
    redis_server.cli("ZADD", names.users("ab"), score, entry)
    store.repair()
    all_is_well(store)
    assert redis_server.cli("ZCOUNT", names.users("ab"), "(0", "+inf") == 0


def test_odd_entries_stop_no_other_verb(
    store: RedisProvider, redis_server: Redis, names: Names
) -> None:
    """A creation forgets what expired long ago, whatever it is."""
    for number, odd in enumerate(LIVE.values()):
        for key in (names.live("ab"), names.retired("ab")):
            redis_server.cli("ZADD", key, NOW - 1e6 + number, odd)
    for odd in USERS.values():
        redis_server.cli("ZADD", names.users("ab"), 0, odd)
    new = record_of("new", tag="ab", user="eve", now=NOW)
    assert store.create(new)
    changes = Changes(NOW, move=Move(id_of("next", "ab"), "eve", None, None, NOW + 10))
    store.update(new, changes)
    assert store.destroy(id_of("next", "ab")) is not None
    assert store.destroy(new.id) is not None
    while store.gc(NOW, 7) == 7:
        pass
    all_is_well(store)


@pytest.mark.parametrize("kind", ["live", "users", "retired"])
def test_a_set_that_is_none_stops_no_sweep_and_no_end(
    store: RedisProvider, redis_server: Redis, names: Names, kind: str
) -> None:
    """What has expired elsewhere goes; and who signs out is signed out."""
    redis_server.cli("DEL", getattr(names, kind)("ab"))
    redis_server.cli("SET", getattr(names, kind)("ab"), "foreign")
    put = 0
    for tag in ("aa", "ab", "fe"):
        for other in ("live", "retired"):
            if (tag, other) != ("ab", kind):
                redis_server.cli("ZADD", getattr(names, other)(tag), NOW - 1, id_of(other, tag))
                put += 1
    assert store.gc(NOW, 100) == put
    assert store.destroy(ADA.id) is not None
    assert store.read(ADA.id) is None


# -- keys and frames -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["live:x", "short", "AB" * 32, "ab" * 65, "a" * 33, "g" * 64, "", "\xff"]
)
def test_a_key_of_another_kind_is_passed_by_when_a_set_is_repaired(
    store: RedisProvider, redis_server: Redis, names: Names, name: str
) -> None:
    for kind in (names.live, names.users):
        redis_server.cli("DEL", kind("ab"))
    redis_server.cli("HSET", names.hash(ADA.id)[: -len(ADA.id)] + name, "", frame(ADA))
    assert store.repair() == 3
    all_is_well(store)


def packed(
    *,
    form: int = 1,
    flags: int = 2,
    created: float = NOW,
    seen: float = NOW,
    expires: float = NOW + HOUR,
    own: float = -1.0,
    user: bytes = b"ada",
    rest: bytes = b"",
) -> bytes:
    head = struct.pack(">BBddddI", form, flags, created, seen, expires, own, len(user))
    return head + user + rest


NAN, INF = float("nan"), float("inf")
FRAMES: dict[str, bytes] = {
    **{f"created {time}": packed(created=time) for time in (NAN, INF, -1.0, 1e12)},
    **{f"seen {time}": packed(seen=time) for time in (NAN, INF, -1.0, 1e12)},
    **{f"expires {time}": packed(expires=time) for time in (NAN, INF, -1.0, 1e12)},
    **{f"a lifetime of {time}": packed(own=time) for time in (NAN, INF, -2.0, 1e12)},
    "flags that nobody knows": packed(flags=8 + 2),
    "all flags": packed(flags=255),
    "a user that is no text": packed(user=b"\xff\xfe"),
    "signed in at NaN": packed(rest=b"\x92\xcb\x7f\xf8" + b"\0" * 6 + b"\xc0"),
    "signed in at infinity": packed(rest=b"\x92\xcb\x7f\xf0" + b"\0" * 6 + b"\xc0"),
    "signed in at a text": packed(rest=b"\x92\xa1a\xc0"),
    "signed in at true": packed(rest=b"\x92\xc3\xc0"),
    "about a text": packed(rest=b"\x92\xc0\xa1a"),
    "about a list": packed(rest=b"\x92\xc0\x91\xa1a"),
    "about a number": packed(rest=b"\x92\xc0\x05"),
    "about with a number in it": packed(rest=b"\x92\xc0\x81\xa1a\x05"),
    "about with a list in it": packed(rest=b"\x92\xc0\x81\xa1a\x90"),
    "a successor that is a word": packed(flags=4, user=b"", rest=b"next"),
    "a successor that is no text": packed(flags=4, user=b"", rest=b"\xff" * 64),
    "a successor in capitals": packed(flags=4, user=b"", rest=b"AB" * 32),
    "a successor of 100 KB": packed(flags=4, user=b"", rest=b"ab" * 50_000),
    "no successor": packed(flags=4, user=b""),
}


@pytest.mark.parametrize("odd", FRAMES)
def test_a_frame_that_holds_something_odd_is_corrupt(
    store: RedisProvider, redis_server: Redis, names: Names, odd: str
) -> None:
    """And is passed by everywhere else."""
    redis_server.cli("HSET", names.hash(ADA.id), "", FRAMES[odd])
    with pytest.raises(CorruptRecord) as caught:
        store.read(ADA.id)
    assert caught.value.id == ADA.id
    assert [found.id for found in store.find(None, NOW)] == [NOBODY.id]
    assert [*store.find("ada", NOW)] == []
    assert store.gc(NOW, 10) == 0
    assert store.create(ADA) is False
    verbs: list[Callable[[], object]] = [
        lambda: store.update(ADA, Changes(NOW, put={b"x": b"1"}, expires=NOW + HOUR)),
        lambda: store.destroy(ADA.id),
    ]
    for verb in verbs:
        with contextlib.suppress(CorruptRecord):
            verb()
    assert store.read(ADA.id) is None
    assert [found.id for found in store.find(None, NOW)] == [NOBODY.id]


def test_tombstones_in_a_circle_are_nobody(
    store: RedisProvider, redis_server: Redis, names: Names
) -> None:
    ids = [id_of(name, "ab") for name in ("one", "two")]
    for id, successor in (*zip(ids, reversed(ids), strict=True), (ADA.id, ids[0])):
        grave = Record(id, {}, NOW, NOW, NOW + HOUR, successor=successor)
        redis_server.cli("HSET", names.hash(id), "", frame(grave))
    assert [found.id for found in store.find(None, NOW)] == [NOBODY.id]
