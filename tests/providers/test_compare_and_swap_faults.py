"""A move in two steps, at whichever calls the store fails: one session lives, and the error is true.

`SOJOURN_SEARCH`, a factor, makes the random search longer.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

import pytest

from sojourn import (
    AsyncCompareAndSwapProvider,
    CompareAndSwapProvider,
    OutcomeUnknown,
    StoreError,
    StoreUnavailable,
)
from sojourn.record import Changes, Move, Outcome, Record

T = TypeVar("T")

OLD, NEW = "ab" + "0" * 62, "ab" + "1" * 62
RECORD = Record(OLD, {b"a": b"1"}, 1000.0, 1000.0, 2000.0, "ada")
MOVE = Changes(1100.0, put={b"b": b"2"}, move=Move(NEW, "bob", 1100.0, None, 1110.0))

MODES = ["refused", "lost", "lost and done", "late"]
"""Refused; not done, or done, and the answer is lost; or done only when the store is next asked."""
STEPS = 9
"""As many calls as a move makes with two faults."""

Plan = dict[int, str]


class Shelf(CompareAndSwapProvider):
    """Records in a dict, of which some calls fail."""

    def __init__(self, plan: Plan) -> None:
        self.records = {OLD: RECORD}
        self.plan = plan
        self.steps = 0
        self.late: list[Callable[[], object]] = []

    def call(self, work: Callable[[], T]) -> T:
        for waiting in self.late:
            waiting()
        self.late.clear()
        mode = self.plan.get(self.steps)
        self.steps += 1
        if mode is None:
            return work()
        if mode == "lost and done":
            work()
        elif mode == "late":
            self.late.append(work)
        raise StoreUnavailable("refused") if mode == "refused" else OutcomeUnknown(mode)

    def read(self, id: str) -> Record | None:
        return self.call(lambda: self.records.get(id))

    def create(self, record: Record) -> bool:
        return self.call(lambda: self.records.setdefault(record.id, record) is record)

    def swap(self, old: Record, new: Record | None) -> bool:
        def work() -> bool:
            stored = self.records.get(old.id)
            if stored is None or stored.version != old.version:
                return False
            del self.records[old.id]
            if new is not None:
                self.records[old.id] = new
            return True

        return self.call(work)

    def scan(self) -> Iterator[Record]:
        yield from self.call(lambda: list(self.records.values()))


class AsyncShelf(AsyncCompareAndSwapProvider):
    """The same for asyncio."""

    def __init__(self, plan: Plan) -> None:
        self.shelf = Shelf(plan)

    async def read(self, id: str) -> Record | None:
        return self.shelf.read(id)

    async def create(self, record: Record) -> bool:
        return self.shelf.create(record)

    async def swap(self, old: Record, new: Record | None) -> bool:
        return self.shelf.swap(old, new)

    async def scan(self) -> AsyncIterator[Record]:
        for record in self.shelf.scan():
            yield record


def moved(plan: Plan) -> tuple[Any, Shelf]:
    shelf = Shelf(plan)
    try:
        return shelf.update(RECORD, MOVE), shelf
    except StoreError as error:
        return error, shelf


def moved_async(plan: Plan) -> tuple[Any, Shelf]:
    provider = AsyncShelf(plan)
    try:
        return asyncio.run(provider.update(RECORD, MOVE)), provider.shelf
    except StoreError as error:
        return error, provider.shelf


def check(plan: Plan, result: Any, shelf: Shelf) -> None:
    """One session lives, or two if it says so; the old data are never gone."""
    shelf.plan = {}
    shelf.call(lambda: None)  # what comes late is there by now
    living = {id: record for id, record in shelf.records.items() if record.successor is None}
    if result is Outcome.APPLIED:
        assert living.keys() == {NEW}
        assert shelf.records[OLD].successor == NEW
    elif isinstance(result, StoreUnavailable):
        assert living.keys() == {OLD}
        assert living[OLD]._replace(version=0) == RECORD
    else:
        assert isinstance(result, OutcomeUnknown)
        assert plan
        assert living
        assert len(living) == 1 or len(plan) > 1 or "late" in plan.values()
    assert all(record.fields[b"a"] == b"1" for record in living.values())


RUNS = {"sync": moved, "async": moved_async}


def plans(faults: int) -> Iterator[Plan]:
    for steps in itertools.combinations(range(STEPS), faults):
        for modes in itertools.product(MODES, repeat=faults):
            yield dict(zip(steps, modes, strict=True))


@pytest.mark.parametrize(
    ("run", "faults"),
    [("sync", 0), ("sync", 1), ("sync", 2), ("async", 0), ("async", 1)],  # the same text
)
def test_a_move_leaves_one_session_at_all_faults(run: str, faults: int) -> None:
    for plan in plans(faults):
        try:
            check(plan, *RUNS[run](dict(plan)))
        except AssertionError as error:
            error.add_note(str(plan))
            raise


def test_a_move_leaves_one_session_at_random_faults() -> None:
    chosen = random.Random(11)
    for _ in range(int(2000 * float(os.environ.get("SOJOURN_SEARCH", "1")))):
        steps = chosen.sample(range(2 * STEPS), chosen.randrange(3, 8))
        plan = {step: chosen.choice(MODES) for step in steps}
        try:
            check(plan, *moved(dict(plan)))
        except AssertionError as error:
            error.add_note(str(plan))
            raise


def test_a_write_that_is_still_on_its_way_does_not_lose_the_session() -> None:
    """The undo makes sure that it comes in vain."""
    result, shelf = moved({1: "late"})
    assert result is Outcome.APPLIED  # it came with the question whether it had
    shelf = Shelf({1: "lost"})
    with pytest.raises(StoreUnavailable, match="keeps its id"):
        shelf.update(RECORD, MOVE)
    tombstone = Record(OLD, {}, 1000.0, 1000.0, 1110.0, version=1, successor=NEW)
    assert not shelf.swap(RECORD, tombstone)
    assert shelf.records.keys() == {OLD}


def test_a_creation_that_is_still_on_its_way_leaves_a_doubt() -> None:
    """Nothing is there yet that the undo could delete, and it comes all the same."""
    shelf = Shelf({0: "lost"})
    with pytest.raises(OutcomeUnknown):
        shelf.update(RECORD, MOVE)
    assert shelf.create(RECORD._replace(id=NEW))
    assert shelf.records.keys() == {OLD, NEW}


def test_where_the_store_does_not_answer_again_nothing_is_undone() -> None:
    """The old id may be a tombstone by now, and the new record all that is left."""
    for mode in ("lost", "lost and done"):
        result, shelf = moved({1: mode, **dict.fromkeys(range(2, 9), "refused")})
        assert isinstance(result, OutcomeUnknown)
        assert NEW in shelf.records


class Ending(Shelf):
    """One in which another process ends the session after the move, whose answer is lost."""

    def read(self, id: str) -> Record | None:
        self.records.clear()
        return super().read(id)


def test_a_move_whose_session_has_ended_may_have_been_made() -> None:
    shelf = Ending({1: "lost and done"})
    with pytest.raises(OutcomeUnknown, match="may have a new id or not"):
        shelf.update(RECORD, MOVE)


def test_a_lost_write_and_a_later_one_have_different_versions() -> None:
    """As in a failover: otherwise a request that has read the lost one would overwrite the other."""
    shelf = Shelf({})
    shelf.update(RECORD, Changes(1100.0, put={b"b": b"lost"}))
    lost = shelf.records[OLD]
    shelf.records[OLD] = RECORD
    shelf.update(RECORD, MOVE)
    assert not shelf.swap(lost, lost._replace(version=lost.version + 1))
    assert shelf.records[OLD].successor == NEW
