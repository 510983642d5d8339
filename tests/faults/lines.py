"""A session in a store whose line can be cut, and what becomes of it whatever the store is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from sojourn.errors import OutcomeUnknown
from sojourn.providers.base import Provider
from sojourn.record import Changes, Move, Outcome, Record
from tests.faults.proxy import Cut, Proxy

NOW = 1_000_000_000.0
LATER = NOW + 4_000_000_000.0
ID, NEW_ID = f"ab{1:062x}", f"ab{2:062x}"
RECORD = Record(ID, {b"a": b"1", b"b": b"1"}, NOW, NOW, LATER, user="ada")
MOVE = Move(NEW_ID, "ada", None, None, LATER)


class Store(NamedTuple):
    """A provider whose line can be cut, and one that sees what really stands."""

    provider: Any
    witness: Provider
    proxy: Proxy

    def cut(self, *cuts: Cut) -> None:
        self.proxy.cut(*cuts)

    def update(self, **changes: Any) -> Outcome | Record:
        outcome: Outcome | Record = self.provider.update(RECORD, Changes(NOW, **changes))
        return outcome

    def ends(self, id: str = ID) -> Callable[[], object]:
        """Another ends the session meanwhile."""
        return lambda: self.witness.destroy(id)

    def puts(self, **fields: bytes) -> Callable[[], object]:
        """Another writes meanwhile."""
        put = {name.encode(): value for name, value in fields.items()}
        return lambda: self.witness.update(RECORD, Changes(NOW, put=put))

    @property
    def fields(self) -> Any:
        record = self.witness.read(ID)
        return record and record.fields


class NewIds:
    """What the fixtures `store`, `cut` and `before` (it was heard) let happen to a new id."""

    def test_a_new_id_is_given_once(self, store: Store, cut: Cut) -> None:
        store.cut(cut)
        assert store.update(move=MOVE, put={b"c": b"1"}) is Outcome.APPLIED
        old, new = store.witness.read(ID), store.witness.read(NEW_ID)
        assert old is not None
        assert old.successor == NEW_ID
        assert new is not None
        assert new.fields == {b"a": b"1", b"b": b"1", b"c": b"1"}
        assert [found.id for found in store.witness.find("ada", NOW)] == [NEW_ID]

    def test_a_new_id_for_what_ended_is_in_doubt(self, store: Store, cut: Cut) -> None:
        store.cut(cut._replace(meanwhile=store.ends()))
        with pytest.raises(OutcomeUnknown):
            store.update(move=MOVE)

    def test_a_new_id_for_what_another_moved_is_in_doubt(self, store: Store, before: Cut) -> None:
        theirs = Changes(NOW, move=MOVE._replace(id=f"ab{3:062x}"))
        store.cut(before._replace(meanwhile=lambda: store.witness.update(RECORD, theirs)))
        with pytest.raises(OutcomeUnknown):
            store.update(move=MOVE)
        assert store.witness.read(NEW_ID) is None
