"""Law 13: what others have put under our keys, and what is left of a record that was cut."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable

import pytest

from sojourn.errors import CorruptRecord, StoreError, StoreUnavailable
from sojourn.providers.redis import RedisProvider
from sojourn.providers.redis.layout import frame, live_entry, user_entry
from sojourn.record import Changes, Merged, Move, Outcome, Record, merge
from sojourn.testing import FakeClock
from sojourn.testing._subject import bare
from tests.redis.stores import HOUR, Names, forgetful_id, id_of, record_of
from tests.servers.redis import Redis

Spoil = Callable[[Redis, str, Record], object]
"""Puts something else under a key where a record stood."""


def with_frame(change: Callable[[bytes], bytes]) -> Spoil:
    def spoil(server: Redis, key: str, record: Record) -> None:
        server.cli("HSET", key, "", change(frame(record)))

    return spoil


def replaced(*command: str) -> Spoil:
    def spoil(server: Redis, key: str, _: Record) -> None:
        server.cli("DEL", key)
        server.cli(command[0], key, *command[1:])

    return spoil


def at(place: int, number: float) -> Spoil:
    """A frame with another number there."""
    return with_frame(lambda old: old[:place] + struct.pack(">d", number) + old[place + 8 :])


FOREIGN: dict[str, Spoil] = {
    "a string": replaced("SET", "foreign"),
    "a list": replaced("RPUSH", "foreign"),
    "a sorted set": replaced("ZADD", "1", "foreign"),
    "no frame": lambda server, key, _: server.cli("HDEL", key, ""),
    "an empty frame": with_frame(lambda _: b""),
    "one byte": with_frame(lambda old: old[:1]),
    "all but a byte of the head": with_frame(lambda old: old[:37]),
    "cut in the user's name": with_frame(lambda old: old[:40]),
    "another form": with_frame(lambda old: b"\x02" + old[1:]),
    "a name of 4 GB": with_frame(lambda old: old[:34] + b"\xff" * 4 + old[38:]),
    "text": with_frame(lambda _: b"a text that is long enough to be taken for a frame of ours"),
    "no number": at(18, float("nan")),
    "without end": at(18, float("inf")),
    "before all time": at(18, -1.0),
}
HALF_SOUND: dict[str, Spoil] = {
    "cut in the sign-in": with_frame(lambda old: old[:-1]),
    "a name that is no UTF-8": with_frame(lambda old: old.replace(b"ada", b"\xff\xfe\xfd")),
    "a sign-in that is a number": with_frame(lambda old: old[:41] + b"\x07"),
    "a sign-in of three": with_frame(lambda old: old[:41] + b"\x93\x01\x02\x03"),
}
"""Of which the scripts read all that they need."""
ALL = FOREIGN | HALF_SOUND

NOW = FakeClock()() + 86_400  # so that Redis itself ends nothing while the tests run
LIVES = record_of("lives", tag="ab", user="ada", now=NOW, expires=NOW + 4 * HOUR)


@pytest.fixture(params=ALL)
def spoilt(
    request: pytest.FixtureRequest, store: RedisProvider, redis_server: Redis, names: Names
) -> Record:
    """What can be read no more; `LIVES`, of the same user and tag, can."""
    record = record_of(tag="ab", user="ada", now=NOW, authenticated=1.0, about={"a": "b"})
    assert store.create(record)
    assert store.create(LIVES)
    ALL[request.param](redis_server, names.hash(record.id), record)
    return record


def test_reading_names_what_is_corrupt(store: RedisProvider, spoilt: Record) -> None:
    with pytest.raises(CorruptRecord, match=spoilt.id) as caught:
        store.read(spoilt.id)
    assert caught.value.id == spoilt.id


CHANGES = {
    "put": Changes(0.0, put={b"c": b"3"}),
    "touch": Changes(0.0, expires=4e9),
    "drop": Changes(0.0, drop=[b"a"]),
    "clear": Changes(0.0, clear=True),
    "move": Changes(0.0, move=Move(id_of("next", "ab"), "eve", None, None, 4e9)),
}


@pytest.mark.parametrize("spoilt", FOREIGN, indirect=True)
@pytest.mark.parametrize("change", CHANGES)
def test_nothing_is_written_into_it(
    store: RedisProvider, redis_server: Redis, names: Names, spoilt: Record, change: str
) -> None:
    """An update finds what `read` found."""
    before = redis_server.cli("DUMP", names.hash(spoilt.id))
    with pytest.raises(CorruptRecord, match=spoilt.id):
        store.update(spoilt, CHANGES[change])
    assert redis_server.cli("DUMP", names.hash(spoilt.id)) == before


@pytest.mark.parametrize("spoilt", HALF_SOUND, indirect=True)
def test_no_update_brings_it_back(store: RedisProvider, spoilt: Record) -> None:
    store.update(spoilt, Changes(NOW, put={b"c": b"3"}, expires=spoilt.expires + 1))
    with pytest.raises(CorruptRecord, match=spoilt.id):
        store.read(spoilt.id)


def test_nothing_is_created_over_it(
    store: RedisProvider, redis_server: Redis, names: Names, spoilt: Record
) -> None:
    before = redis_server.cli("DUMP", names.hash(spoilt.id))
    assert store.create(spoilt) is False
    assert redis_server.cli("DUMP", names.hash(spoilt.id)) == before


def test_it_can_be_ended(
    store: RedisProvider, redis_server: Redis, names: Names, spoilt: Record
) -> None:
    """It is gone then, and that is no error."""
    store.destroy(spoilt.id)
    assert redis_server.cli("EXISTS", names.hash(spoilt.id)) == 0
    assert store.read(spoilt.id) is None
    assert bare(store.read(LIVES.id)) == LIVES


def test_lists_pass_it_by(store: RedisProvider, spoilt: Record) -> None:
    for user in ("ada", None):
        assert [record.id for record in store.find(user, spoilt.seen)] == [LIVES.id]
    assert store.count(spoilt.seen) in (1, 2)


def test_a_sweep_goes_on(
    store: RedisProvider, redis_server: Redis, names: Names, spoilt: Record
) -> None:
    """Again and again, with its sorted sets and without; and takes it by the store's own time."""
    assert store.gc(spoilt.seen, 10) == 0
    redis_server.cli("DEL", names.users("ab"))
    assert store.gc(spoilt.seen, 10) == 0
    assert store.repair() > 0
    assert store.gc(spoilt.expires, 10) in (1, 2)  # a name that was changed has two entries
    assert store.count(spoilt.expires) == 1
    assert [record.id for record in store.find("ada", spoilt.expires)] == [LIVES.id]
    assert redis_server.cli("EXISTS", names.hash(spoilt.id)) == 0


@pytest.mark.parametrize("kind", ["live", "users", "retired"])
def test_a_sorted_set_that_is_none_accuses_no_session(
    store: RedisProvider, redis_server: Redis, names: Names, kind: str
) -> None:
    """The sessions can be read; the rest is an error, or goes on, and no record is called corrupt."""
    store.create(LIVES)
    key = getattr(names, kind)("ab")
    redis_server.cli("DEL", key)
    redis_server.cli("SET", key, "foreign")
    assert bare(store.read(LIVES.id)) == LIVES
    verbs: list[Callable[[], object]] = [
        lambda: store.count(NOW),
        lambda: list(store.find(None, NOW)),
        lambda: list(store.find("ada", NOW)),
        lambda: store.gc(NOW, 10),
        store.repair,
        lambda: store.create(record_of("two", tag="ab", user="ada")),
        lambda: store.destroy(LIVES.id),
    ]
    for verb in verbs:
        with contextlib.suppress(StoreError):
            verb()


NEXT = id_of("next", "ab")
KEPT = record_of("kept", tag="ab", user="ada", now=NOW)
UPDATES: dict[str, tuple[str | None, Changes]] = {
    "a sign-in": (None, Changes(NOW, move=Move(NEXT, "eve", NOW, None, NOW + HOUR))),
    "another user": ("ada", Changes(NOW, move=Move(NEXT, "eve", NOW, None, NOW + HOUR))),
    "a new id": ("ada", Changes(NOW, move=Move(NEXT, "ada", NOW, None, NOW + HOUR))),
    "a new id without the user": (
        "ada",
        Changes(NOW, move=Move(NEXT, None, None, None, NOW + HOUR)),
    ),
    "a later expiry": ("ada", Changes(NOW, NOW + 9 * HOUR, put={b"a": b"2"})),
    "no field": (None, Changes(NOW, clear=True)),
    "no field and no user": (
        "ada",
        Changes(NOW, clear=True, move=Move(NEXT, None, None, None, NOW + HOUR)),
    ),
}


@pytest.mark.parametrize("kind", ["live", "users", "retired"])
@pytest.mark.parametrize("update", UPDATES)
def test_an_update_that_fails_at_a_sorted_set_has_changed_no_session(
    store: RedisProvider, redis_server: Redis, names: Names, kind: str, update: str
) -> None:
    """And one that does not fail is made as a whole."""
    user, changes = UPDATES[update]
    record = record_of(tag="ab", user=user, now=NOW)
    assert store.create(record)
    assert store.create(KEPT)
    key = getattr(names, kind)("ab")
    redis_server.cli("DEL", key)
    redis_server.cli("SET", key, "foreign")
    try:
        outcome = store.update(record, changes)
    except StoreUnavailable:
        assert bare(store.read(record.id)) == record
        assert store.read(NEXT) is None
    else:
        assert outcome is (Outcome.EMPTIED if changes.clear else Outcome.APPLIED)
        merged = merge(record, changes)
        assert isinstance(merged, Merged)
        assert bare(store.read(record.id)) == bare(merged.tombstone or merged.record)
        assert bare(store.read(NEXT)) == bare(merged.record if merged.tombstone else None)


@pytest.mark.parametrize("kind", ["live", "retired"])
@pytest.mark.parametrize("update", UPDATES)
def test_a_user_is_still_found_after_an_update_that_failed(
    store: RedisProvider, redis_server: Redis, names: Names, kind: str, update: str
) -> None:
    """Or `destroy_user` would miss the session."""
    assert store.create(KEPT)
    key = getattr(names, kind)("ab")
    redis_server.cli("DEL", key)
    redis_server.cli("SET", key, "foreign")
    with contextlib.suppress(StoreUnavailable):
        store.update(KEPT, UPDATES[update][1])
    entries = redis_server.cli("ZRANGE", names.users("ab"), 0, -1)
    record = store.read(KEPT.id)
    if record is not None and record.successor is None:
        assert user_entry(record) in entries


def test_a_session_is_begun_although_old_entries_cannot_be_removed(
    store: RedisProvider, redis_server: Redis, names: Names
) -> None:
    """It is stored by then, so its caller must have its token."""
    redis_server.cli("ZADD", names.live("ab"), NOW - 9 * HOUR, live_entry(KEPT))
    redis_server.cli("SET", names.users("ab"), "foreign")
    record = record_of(now=NOW, id=forgetful_id("one", "ab"))
    assert store.create(record)
    assert bare(store.read(record.id)) == record
    assert redis_server.cli("ZRANGE", names.live("ab"), 0, -1) == [live_entry(record)]
