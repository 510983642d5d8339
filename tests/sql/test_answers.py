"""A database that hangs, and answers that mean nothing: StoreError, within the stated time.

And the error says whether the write was sent: StoreUnavailable, or OutcomeUnknown.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from sojourn.errors import CorruptRecord, OutcomeUnknown, StoreError, StoreUnavailable
from sojourn.record import Changes
from tests.faults.lines import ID, LATER, MOVE, NEW_ID, NOW, RECORD
from tests.sql.liar import Liar, flips, garbage, silence
from tests.sql.stores import ON_MARIADB, WAYS, Make, Server, through

FACTOR = int(os.environ.get("SOJOURN_SEARCH", "1"))
ROUNDS = 8
VERBS: dict[str, Callable[[Any], object]] = {
    "read": lambda store: store.read(ID),
    "create": lambda store: store.create(RECORD._replace(id=NEW_ID)),
    "change": lambda store: store.update(RECORD, Changes(NOW, put={b"c": b"3"})),
    "touch": lambda store: store.update(RECORD, Changes(NOW, expires=LATER + 9.0)),
    "move": lambda store: store.update(RECORD, Changes(NOW, move=MOVE)),
    "destroy": lambda store: store.destroy(ID),
    "find": lambda store: list(store.find("ada", NOW)),
    "list": lambda store: list(store.find(None, NOW)),
    "count": lambda store: store.count(NOW),
    "sweep": lambda store: store.gc(NOW, 10),
    "check": lambda store: store.check(),
}


class Place(NamedTuple):
    """A database with one session behind a liar."""

    make: Callable[[], Any]
    witness: Any
    liar: Liar

    def begin(self) -> Any:
        """Let one session be stored, and nothing else; return a provider that nobody has used."""
        self.liar.begin(None)
        self.witness.destroy(NEW_ID)
        self.witness.destroy(ID)
        assert self.witness.create(RECORD)
        return self.make()

    @property
    def living(self) -> list[str]:
        return [found.id for found in self.witness.find("ada", NOW)]


@pytest.fixture
def place(make: Make, server: Server, witness: Any) -> Iterator[Place]:
    with Liar(server.port) as liar:
        address = through(server, liar.port)
        made: list[Any] = []

        def opened() -> Any:
            while made:
                made.pop().close()
            made.append(make(address, timeout=0.1, pool=1))
            return made[-1]

        yield Place(opened, witness, liar)
        while made:
            made.pop().close()


@pytest.mark.parametrize("verb", ["read", "move", "touch"])
def test_a_server_that_hangs_is_given_up(place: Place, verb: str) -> None:
    store = place.begin()
    assert store.read(ID) == RECORD
    place.liar.begin(silence)
    with pytest.raises(StoreUnavailable if verb == "read" else OutcomeUnknown):
        VERBS[verb](store)
    assert len(place.living) == 1


@pytest.mark.parametrize("verb", ["create", "move"])
def test_what_was_not_sent_is_no_doubt(place: Place, way: str, verb: str) -> None:
    """A server that hangs as a process looks at the table has not heard of the write."""
    store = place.begin()
    mark = b"information_schema" if way in ON_MARIADB else b"obj_description"
    place.liar.begin(silence, mark)
    with pytest.raises(StoreUnavailable):
        VERBS[verb](store)
    assert place.living == [ID]


LIES = {"garbage": garbage, "flips": flips}


@pytest.mark.parametrize("way", [way for way in WAYS if way != "mysqlclient"])
@pytest.mark.parametrize("name", LIES)
def test_answers_that_mean_nothing_are_a_fault_of_the_store(place: Place, name: str) -> None:
    """Never an error of the driver, whatever that makes of them; SOJOURN_SEARCH times as many.

    mysqlclient's library in C crashes at some of them, and the process with it.
    """
    dice = random.Random(name)
    for _ in range(ROUNDS * FACTOR):
        verb = dice.choice([*VERBS])
        store = place.begin()
        if dice.random() < 0.7:
            assert store.read(ID) == RECORD
        place.liar.begin(LIES[name](dice))
        with contextlib.suppress(StoreError, CorruptRecord):
            VERBS[verb](store)
        assert len(place.living) == 1 or verb in ("create", "destroy")
