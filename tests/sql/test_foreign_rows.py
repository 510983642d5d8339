"""Law 13: nothing in the table is trusted in shape.

Others write into it: a script, an administrator, a restore that went wrong.  A row that is no
session raises CorruptRecord when it is read, and nothing else; lists, counts, sweeps and the end of
a user's sessions go on for everybody else.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sojourn import Manager
from sojourn.errors import CorruptRecord
from sojourn.providers.base import Provider
from sojourn.providers.sql.schema_check import Layout
from sojourn.record import Changes, Move, Record
from sojourn.testing import FakeClock
from tests.sql.foreign import (
    NOW,
    ODD,
    Stranger,
    head,
    is_sound,
    made,
    place_of,
    session,
    stranger_in,
)
from tests.sql.stores import HOUR, KINDS, Server, id_of, maker

ROUNDS = {"sqlite": 60} | dict.fromkeys(("mysqlclient", "psycopg", "asyncmy", "async psycopg"), 15)
"""How many rounds a random search has."""
FACTOR = int(os.environ.get("SOJOURN_SEARCH", "1"))


@pytest.fixture(params=KINDS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def place(request: pytest.FixtureRequest, way: str, tmp_path: Path) -> Server | str:
    """The server, or the file."""
    if way == "sqlite":
        return str(tmp_path / "sessions.db")
    server: Server = request.getfixturevalue(place_of(way))
    return server


@pytest.fixture
def store(way: str, place: Server | str, table: str) -> Iterator[Provider]:
    with maker(way) as make:
        yield made(make, way, place, table)


@pytest.fixture
def stranger(store: Provider, place: Server | str, table: str) -> Iterator[Stranger]:
    with stranger_in(place, table) as stranger:
        yield stranger


def healthy(store: Provider) -> Record:
    """A session of the same user's that nobody touched."""
    record = session("healthy")
    assert store.create(record)
    return record


def read(store: Provider, id: str) -> Record | None:
    """What is read: a sound record, or None for what nobody can read."""
    try:
        record = store.read(id)
    except CorruptRecord:
        return None
    assert record is None or is_sound(record), record
    return record


def use(store: Provider, record: Record, new_id: str) -> None:
    """Do everything to what may be corrupt that a request does."""
    changes = (
        Changes(NOW, expires=NOW + 2 * HOUR),
        Changes(NOW, put={b"z": b"1"}),
        Changes(NOW, put={b"z": b"2"}, expires=NOW + HOUR, persistent=True, lifetime=HOUR),
        Changes(NOW, move=Move(new_id, "bob", None, None, NOW + 10.0)),
    )
    for change in changes:
        with contextlib.suppress(CorruptRecord):
            store.update(read(store, record.id) or record, change)


@pytest.mark.parametrize("column", ODD)
def test_an_odd_value_harms_nobody_else(
    store: Provider, stranger: Stranger, column: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the column holds, each verb ends as the contract says, and finds the others."""
    alive = healthy(store)
    for number, value in enumerate(ODD[column]):
        record = session(number)
        assert store.create(record)
        if not stranger.spoil(record.id, column, value):
            continue
        read(store, record.id)
        for user in ("ada", None):
            found = {each.id: each for each in store.find(user, NOW)}
            assert alive.id in found
            assert all(map(is_sound, found.values()))
        assert 1 <= store.count(NOW) <= number + 2
        use(store, record, id_of(("new", number), record.id[:2]))
        store.gc(NOW, 1000)
    assert store.read(alive.id) == alive
    assert sum(found.id == alive.id for found in store.find(None, NOW)) == 1
    manager = Manager(store, clock=FakeClock(NOW))
    assert manager.destroy_user("ada") >= 1
    assert store.read(alive.id) is None
    assert "ada" not in [info.user for info in manager.sessions()]


CORRUPT: dict[str, Callable[[Record], list[tuple[str, object]]]] = {
    "the head of another user": lambda _: [("head", head(user="eve"))],
    "the head of nobody": lambda _: [("head", head(user=None))],
    "another owner": lambda _: [("owner", b"eve")],
    "no owner": lambda _: [("owner", None)],
    "an owner that is no text": lambda _: [("owner", b"\xff\xfe")],
    "the head of a tombstone": lambda _: [("head", head(successor=id_of("two")))],
    "a successor in the column alone": lambda record: [("successor", id_of("x", record.id[:2]))],
    "a successor that is no id": lambda _: [("successor", "x"), ("head", head(successor="x"))],
    "a version below all": lambda _: [("version", -1)],
    "a version above all": lambda _: [("version", 2**63 - 1)],
    "fields that are none": lambda _: [("fields", b"\xc1")],
    "no head": lambda _: [("head", b"")],
    "seen before time began": lambda _: [("seen", -1.0)],
}


@pytest.mark.parametrize("name", CORRUPT)
def test_what_is_no_session_is_corrupt(store: Provider, stranger: Stranger, name: str) -> None:
    """And nothing of it is handed over, for instance another user's sign-in."""
    record = session("one")
    assert store.create(record)
    for column, value in CORRUPT[name](record):
        assert stranger.spoil(record.id, column, value)
    with pytest.raises(CorruptRecord) as caught:
        store.read(record.id)
    assert caught.value.id == record.id
    if not name.startswith("fields"):  # which are left out of lists
        assert list(store.find(None, NOW)) == list(store.find("ada", NOW)) == []
    assert store.destroy(record.id) is None or name.startswith("fields")
    assert store.read(record.id) is None


def test_what_cannot_be_read_is_ended_without_saying_what_it_was(
    store: Any, stranger: Stranger, way: str
) -> None:
    """As MySQL does, and SQLite before 3.35: one unreadable session spares no other."""
    inner = getattr(store, "_provider", getattr(store, "_target", store))
    inner._executor._layout = Layout(returns_deleted_rows=False, has_transactions=True)
    alive = healthy(store)
    for number, (column, value) in enumerate((("fields", b"\xc1"), ("head", b"x"))):
        spoilt = session(number)
        assert store.create(spoilt)
        assert stranger.spoil(spoilt.id, column, value)
    manager = Manager(store, clock=FakeClock(NOW))
    assert manager.destroy_user("ada") >= 1
    assert store.read(alive.id) is None
    assert store.read(session(0).id) is None
    assert store.destroy(session(1).id) is None
    assert store.read(session(1).id) is None


# -- lists ---------------------------------------------------------------------------------------

ODD_IDS = (
    "",
    "a",
    "a0",
    "ff",
    "é",
    " ",
    "~",
    "G" * 64,
    "\x01",
    "A" * 128,
    "0" * 127,
    "fff",
    b"\xff",
)


@pytest.mark.parametrize("way", ["mysqlclient", "psycopg", "sqlite"])
def test_a_list_of_odd_ids_comes_to_an_end(store: Provider, stranger: Stranger) -> None:
    """Among more rows than one answer has: each session is listed once."""
    ids = {id_of(number) for number in range(1100)}
    for number in range(1100):
        assert store.create(session(number))
    for number, odd in enumerate(ODD_IDS):
        if stranger.spoil(id_of(number), "id", odd):
            ids.remove(id_of(number))
    listed = [found.id for found in store.find(None, NOW)]
    assert len(listed) == len(set(listed))
    assert {*listed} == ids


# -- random search -------------------------------------------------------------------------------


class Search:
    """Rounds of a random search: some rows are spoilt, and every verb runs in any order."""

    def __init__(self, store: Provider, stranger: Stranger, dice: random.Random) -> None:
        self._store = store
        self._stranger = stranger
        self._dice = dice

    def round(self, number: int) -> None:
        """Run one, and leave the table as it was."""
        alive = [session(("alive", number, each)) for each in range(3)]
        spoilt = [session(("spoilt", number, each)) for each in range(4)]
        for record in (*alive, *spoilt):
            assert self._store.create(record)
        for record in spoilt:
            self._spoil(record.id)
        verbs = self._verbs(number, spoilt)
        self._dice.shuffle(verbs)
        for verb in verbs:
            verb()
            user = self._dice.choice(("ada", None))
            found = [each.id for each in self._store.find(user, NOW)]
            assert {each.id for each in alive} <= {*found}
        for record in alive:
            assert self._store.read(record.id) == record
            assert self._store.destroy(record.id) is not None
        for record in spoilt:
            self._store.destroy(record.id)

    def _spoil(self, id: str) -> None:
        for column in self._dice.sample([*ODD], self._dice.randint(1, 3)):
            values = [*ODD[column], self._dice.randbytes(20)]
            self._stranger.spoil(id, column, self._dice.choice(values))

    def _verbs(self, number: int, spoilt: list[Record]) -> list[Callable[[], object]]:
        store, dice = self._store, self._dice
        verbs: list[Callable[[], object]] = [
            lambda: store.gc(NOW, dice.choice((1, 1000))),
            lambda: store.count(NOW),
            lambda: store.destroy(dice.choice(spoilt).id),
        ]
        for record in spoilt:
            new = id_of((number, record.id), record.id[:2])
            verbs += [partial(read, store, record.id), partial(use, store, record, new)]
        return verbs


@pytest.mark.parametrize("way", ROUNDS)
def test_random_rows_harm_nobody(store: Provider, stranger: Stranger, way: str) -> None:
    """SOJOURN_SEARCH times as many rounds, if that is set."""
    search = Search(store, stranger, random.Random(f"rows {way}"))
    for number in range(ROUNDS[way] * FACTOR):
        search.round(number)
