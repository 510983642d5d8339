"""The script of an update is the same function as `merge`, for any record and any changes.

A session is taken through changes drawn by lot, each applied to the store and by `merge` to a
model.  The answers must be equal, and after each step all that stands in Redis: both records, the
three sorted sets, and the times at which Redis drops a hash by itself.
"""

from __future__ import annotations

from math import inf, nextafter
from random import Random
from typing import Any

import pytest

from sojourn.errors import CorruptRecord
from sojourn.providers.redis import RedisProvider
from sojourn.providers.redis.layout import (
    FORGOTTEN_AFTER,
    LATEST,
    expiry_ms,
    frame,
    live_entry,
    user_entry,
)
from sojourn.record import Changes, Merged, Move, Outcome, Record, merge
from sojourn.testing._subject import bare
from tests.redis.stores import Names, forgetful_id, id_of, record_of
from tests.servers.redis import Redis

NOW = 4_000_000_000.0
"""Far ahead: Redis's own clock must not end what a test has set back a little."""
CASES, STEPS = 1000, 4

KEYS = [b"a", b"b", b"c", b"\0", b"\xff key"]
VALUES = [b"", b"1", b"2", b"\0\r\n", b"x" * 300]
USERS = [None, None, "ada", "ada\0", "ada\0\0b", "", "\0", "\ud800", "\N{FOX FACE}", "u" * 255]
ABOUTS: list[dict[str, str] | None] = [None, {}, {"device": "Firefox\0", "at": "\u00fc"}]
LIFETIMES = [None, 60.0, 3600.0, 0.1, 86400.0 / 7]


class Lots:
    """Draws records and changes, often enough such as meet each other."""

    def __init__(self, number: int) -> None:
        self._dice = Random(number)

    def chance(self, share: float) -> bool:
        return self._dice.random() < share

    def one(self, *choices: Any) -> Any:
        return self._dice.choice(choices)

    def time(self, low: float = -100.0) -> float:
        """Some at the very moment, some a little off it, some with all digits that there are."""
        near = self._dice.choice([0.0, 1.0, 1e-6, self._dice.uniform(low, 5000.0)])
        return NOW + near

    def fields(self) -> dict[bytes, bytes]:
        keys = self._dice.sample(KEYS, self.one(0, 0, 1, 2, 3, 5))
        return {key: self.one(*VALUES) for key in keys}

    def who(self) -> dict[str, Any]:
        return {
            "user": self.one(*USERS),
            "authenticated": self.one(None, self.time()),
            "about": self.one(*ABOUTS),
        }

    def record(self, id: str) -> Record:
        return Record(
            id,
            self.fields(),
            created=NOW - self.one(0.0, 1e-6, 99.9),
            seen=self.time(),
            expires=self.time() if self.chance(0.2) else NOW + 3600,
            lifetime=self.one(*LIFETIMES),
            persistent=self.chance(0.5),
            **self.who(),
        )

    def changes(self, stands: Record, new_id: str) -> Changes:
        expires = self.chance(0.6)
        return Changes(
            now=self.time() if self.chance(0.1) else NOW,
            expires=self.time(0.0) if expires else None,
            put=self.fields(),
            drop=self._dice.sample(KEYS, self.one(0, 0, 1, 2, 5)),
            clear=self.chance(0.2),
            expect=self.expect(stands) if self.chance(0.5) else {},
            move=Move(new_id, until=self.time(0.0), **self.who()) if self.chance(0.3) else None,
            lifetime=self.one(stands.lifetime, *LIFETIMES),
            persistent=self.one(None, True, False) if expires else None,
        )

    def expect(self, stands: Record) -> dict[bytes, bytes | None]:
        """Mostly what is there."""
        keys = self._dice.sample(KEYS, self.one(1, 2, 4))
        return {
            key: self.one(None, *VALUES) if self.chance(0.1) else stands.fields.get(key)
            for key in keys
        }


class Standing:
    """What stands after each change, by `merge`."""

    def __init__(self, record: Record) -> None:
        self.records = {record.id: record}

    def apply(self, id: str, changes: Changes) -> Outcome | Record:
        merged = merge(self.records.get(id), changes)
        if not isinstance(merged, Merged):
            return merged
        del self.records[id]
        for record in (merged.record, merged.tombstone):
            if record is not None:
                self.records[record.id] = record
        return merged.outcome

    def entries(self) -> list[dict[bytes, float]]:
        """What the sorted sets must hold: live, users, retired."""
        alive = [record for record in self.records.values() if record.successor is None]
        dead = [record for record in self.records.values() if record.successor is not None]
        return [
            {live_entry(record): record.expires for record in alive},
            {user_entry(record): 0.0 for record in alive if record.user is not None},
            {live_entry(record): record.expires for record in dead},
        ]


class Case:
    """One session that is taken through changes."""

    def __init__(self, server: Redis, prefix: str, number: int) -> None:
        self.store = RedisProvider(server.url(), prefix=prefix)
        self.names = Names(prefix)
        assert server.admin
        self.admin = server.admin
        self.lots = Lots(number)

    def run(self, number: int) -> None:
        self.lots = Lots(number)
        ids = [id_of((number, step), "ab") for step in range(STEPS + 1)]
        first = self.lots.record(ids[0])
        model = Standing(first)
        assert self.store.create(first)
        for step in range(STEPS):
            id = self.lots.one(*model.records) if model.records else ids[0]
            changes = self.lots.changes(model.records.get(id, first), ids[step + 1])
            told = model.apply(id, changes)
            came = self.store.update(record_of(id=id), changes)
            assert bare_of(came) == bare_of(told), (number, step, changes)
            self.compare(model, ids, (number, step, changes))
        self.admin.delete(*map(self.names.hash, ids), *self.sets(ids[0]))

    def sets(self, id: str) -> tuple[str, ...]:
        return self.names.live(id), self.names.users(id), self.names.retired(id)

    def compare(self, model: Standing, ids: list[str], case: object) -> None:
        for id in ids:
            assert bare(self.store.read(id)) == bare(model.records.get(id)), case
        with self.admin.pipeline(transaction=False) as pipeline:
            for key in self.sets(ids[0]):
                pipeline.zrange(key, 0, -1, withscores=True)
            for id in model.records:
                pipeline.pexpiretime(self.names.hash(id))
            replies = pipeline.execute()
        assert [dict(held) for held in replies[:3]] == model.entries(), case
        assert replies[3:] == [
            int(expiry_ms(record.expires)) for record in model.records.values()
        ], case


def bare_of(answer: Outcome | Record) -> Outcome | Record | None:
    return answer if isinstance(answer, Outcome) else bare(answer)


@pytest.mark.parametrize("tenth", range(10))
def test_the_script_is_merge(redis_server: Redis, prefix: str, tenth: int) -> None:
    case = Case(redis_server, prefix, tenth)
    for number in range(tenth * CASES // 10, (tenth + 1) * CASES // 10):
        case.run(number)


def test_the_script_knows_the_same_latest_time(
    store: RedisProvider, redis_server: Redis, names: Names
) -> None:
    last = record_of("last", tag="ab", seen=LATEST)
    beyond = last._replace(id=id_of("beyond", "ab"), seen=nextafter(LATEST, inf))
    for record in (last, beyond):
        redis_server.cli("HSET", names.hash(record.id), "", frame(record))
    put = Changes(NOW / 4, put={b"a": b"1"})
    assert store.update(last, put) is Outcome.APPLIED
    assert bare(store.read(last.id)) == last._replace(fields={b"a": b"1"})
    for verb in (lambda: store.update(beyond, put), lambda: store.read(beyond.id)):
        with pytest.raises(CorruptRecord):
            verb()


def test_a_move_and_a_new_session_forget_what_ended_at_the_same_time(
    store: RedisProvider, redis_server: Redis, names: Names
) -> None:
    record = record_of(tag="ab", now=NOW)
    assert store.create(record)
    edge = NOW - FORGOTTEN_AFTER
    for key in (names.live("ab"), names.retired("ab")):
        redis_server.cli("ZADD", key, edge, "old", nextafter(edge, inf), "younger")
    assert store.create(record_of(now=NOW, id=forgetful_id("two", "ab")))
    move = Move(id_of("next", "ab"), None, None, None, NOW + 1)
    assert store.update(record, Changes(NOW, move=move)) is Outcome.APPLIED
    for key in (names.live("ab"), names.retired("ab")):
        entries = redis_server.cli("ZRANGE", key, 0, -1)
        assert b"old" not in entries
        assert b"younger" in entries
