"""Releases of any size are one step: all of it stands, or nothing."""

from __future__ import annotations

import pytest

from sojourn.errors import SessionError
from sojourn.providers.base import Provider
from sojourn.record import Changes, Move, Outcome, Record
from sojourn.testing._subject import bare
from tests.redis.stores import Names, id_of, record_of
from tests.servers.redis import Redis

SIZES = [2499, 2500, 2501, 5000, 20_000]
"""Around what one call of a command in a script can take, and far above."""
HUGE = b"\0x" * 2_500_000


def fields(count: int, value: bytes = b"v") -> dict[bytes, bytes]:
    return {b"k%d" % number: value for number in range(count)}


@pytest.mark.parametrize("size", SIZES)
def test_any_number_of_fields(store: Provider, size: int) -> None:
    record = record_of(fields=fields(size))
    assert store.create(record)
    assert bare(store.read(record.id)) == record
    assert store.update(record, Changes(record.seen, put=fields(size, b"w"))) is Outcome.APPLIED
    assert bare(store.read(record.id)) == record._replace(fields=fields(size, b"w"))
    clear = Changes(record.seen, clear=True, put=fields(size, b"x"))
    assert store.update(record, clear) is Outcome.APPLIED
    assert bare(store.read(record.id)) == record._replace(fields=fields(size, b"x"))


@pytest.mark.parametrize("size", SIZES)
def test_any_number_of_drops(store: Provider, size: int) -> None:
    record = record_of(fields={**fields(size), b"last": b"1"})
    store.create(record)
    assert store.update(record, Changes(record.seen, drop=[*fields(size)])) is Outcome.APPLIED
    assert bare(store.read(record.id)) == record._replace(fields={b"last": b"1"})


@pytest.mark.parametrize("size", SIZES)
def test_dropping_all_empties_it(store: Provider, size: int) -> None:
    record = record_of(fields=fields(size))
    store.create(record)
    assert store.update(record, Changes(record.seen, drop=[*fields(size)])) is Outcome.EMPTIED
    assert store.read(record.id) is None
    assert store.count(record.seen) == 0


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("absent", [False, True])
def test_any_number_of_expectations(store: Provider, size: int, absent: bool) -> None:
    """All of them hold, or one at the end does not."""
    record = record_of(fields={b"a": b"1"} if absent else fields(size))
    store.create(record)
    expect: dict[bytes, bytes | None] = dict.fromkeys(fields(size), None if absent else b"v")
    put = Changes(record.seen, put={b"b": b"2"}, expect=expect)
    assert store.update(record, put) is Outcome.APPLIED
    stands = record._replace(fields={**record.fields, b"b": b"2"})
    late = put._replace(put={b"c": b"3"}, expect={**expect, b"b": None})
    answer = store.update(record, late)
    assert isinstance(answer, Record)
    assert bare(answer) == bare(store.read(record.id)) == stands


def test_all_of_it_moves_at_once(store: Provider) -> None:
    size = 20_000
    record = record_of(fields=fields(size), user="ada")
    store.create(record)
    move = Move(id_of("next", record.id[:2]), "ada", record.seen, None, record.expires)
    expect: dict[bytes, bytes | None] = dict(fields(size))
    drop, put = [*fields(size)][:-1], {b"n%d" % number: b"new" for number in range(size)}
    changes = Changes(record.seen, put=put, drop=drop, expect=expect, move=move)
    assert store.update(record, changes) is Outcome.APPLIED
    moved = store.read(move.id)
    assert moved is not None
    assert moved.fields == {**put, b"k%d" % (size - 1): b"v"}
    tombstone = store.read(record.id)
    assert tombstone is not None
    assert (tombstone.successor, dict(tombstone.fields)) == (move.id, {})


def test_values_of_megabytes(store: Provider) -> None:
    record = record_of(fields={b"huge": HUGE, b"small": b"1"})
    assert store.create(record)
    assert bare(store.read(record.id)) == record
    other = HUGE[::-1]
    changes = Changes(record.seen, put={b"huge": other}, expect={b"huge": HUGE})
    assert store.update(record, changes) is Outcome.APPLIED
    answer = store.update(record, changes)
    assert isinstance(answer, Record)
    assert answer.fields == {b"huge": other, b"small": b"1"}


# -- a script that fails -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["live", "users"])
def test_a_creation_that_fails_leaves_nothing(
    store: Provider, redis_server: Redis, names: Names, kind: str
) -> None:
    """Somebody else's data lies where our sorted set would."""
    record = record_of(user="ada")
    redis_server.cli("SET", getattr(names, kind)(record.id), "foreign")
    with pytest.raises(SessionError):
        store.create(record)
    assert redis_server.cli("EXISTS", names.hash(record.id)) == 0
    assert store.read(record.id) is None
    assert store.count(record.seen) == 0
    assert list(store.find(None, record.seen)) == list(store.find("ada", record.seen)) == []
    assert redis_server.cli("GET", getattr(names, kind)(record.id)) == b"foreign"


@pytest.mark.parametrize("kind", ["live", "users", "retired"])
def test_a_move_that_fails_changes_nothing(
    store: Provider, redis_server: Redis, names: Names, kind: str
) -> None:
    record = record_of(user="ada")
    store.create(record)
    key = getattr(names, kind)(record.id)
    redis_server.cli("DEL", key)
    redis_server.cli("SET", key, "foreign")
    move = Move(id_of("next", record.id[:2]), "eve", None, None, record.expires)
    with pytest.raises(SessionError):
        store.update(record, Changes(record.seen, put={b"c": b"3"}, drop=[b"a"], move=move))
    assert bare(store.read(record.id)) == record
    assert store.read(move.id) is None


@pytest.mark.parametrize("kind", ["live", "users"])
def test_an_end_is_an_end_or_an_error(
    store: Provider, redis_server: Redis, names: Names, kind: str
) -> None:
    record = record_of(user="ada")
    store.create(record)
    key = getattr(names, kind)(record.id)
    redis_server.cli("DEL", key)
    redis_server.cli("SET", key, "foreign")
    try:
        assert store.destroy(record.id) is not None
    except SessionError:
        assert bare(store.read(record.id)) == record
    else:
        assert store.read(record.id) is None


def test_a_new_id_that_is_taken_is_an_error(store: Provider) -> None:
    """Which nobody can mint; and then nothing is written."""
    record, other = record_of("one", tag="ab"), record_of("two", tag="ab", user="eve")
    store.create(record)
    store.create(other)
    move = Move(other.id, "ada", None, None, record.expires)
    with pytest.raises(SessionError, match="under the new id"):
        store.update(record, Changes(record.seen, put={b"c": b"3"}, move=move))
    assert (bare(store.read(record.id)), bare(store.read(other.id))) == (record, other)


def test_a_name_that_is_dropped_twice_is_dropped_once(store: Provider) -> None:
    record = record_of()
    store.create(record)
    assert store.update(record, Changes(record.seen, drop=[b"a", b"a"])) is Outcome.APPLIED
    assert bare(store.read(record.id)) == record._replace(fields={b"b": b"2"})
