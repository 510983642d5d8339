"""The base for own providers: what it does when others come in between, sync and async."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from sojourn import AsyncCompareAndSwapProvider, CompareAndSwapProvider, StoreUnavailable
from sojourn.providers import compare_and_swap
from sojourn.record import Changes, Merged, Move, Outcome, Record, merge

ID, NEXT = "ab" + "0" * 62, "ab" + "1" * 62


class Shelf(CompareAndSwapProvider):
    """Records in a dict; the next few swaps fail, as if somebody had been faster."""

    def __init__(self, beaten: int = 0) -> None:
        self.records: dict[str, Record] = {}
        self.beaten = beaten

    def read(self, id: str) -> Record | None:
        return self.records.get(id)

    def create(self, record: Record) -> bool:
        return self.records.setdefault(record.id, record) is record

    def swap(self, old: Record, new: Record | None) -> bool:
        if self.beaten:
            self.beaten -= 1
            return False
        if self.records[old.id].version != old.version:
            return False
        del self.records[old.id]
        if new is not None:
            self.records[old.id] = new
        return True

    def scan(self) -> Iterator[Record]:
        yield from list(self.records.values())


class AsyncShelf(AsyncCompareAndSwapProvider):
    """The same for asyncio."""

    def __init__(self, beaten: int = 0) -> None:
        self.shelf = Shelf(beaten)

    async def read(self, id: str) -> Record | None:
        return self.shelf.read(id)

    async def create(self, record: Record) -> bool:
        return self.shelf.create(record)

    async def swap(self, old: Record, new: Record | None) -> bool:
        return self.shelf.swap(old, new)

    async def scan(self) -> AsyncIterator[Record]:
        for record in self.shelf.scan():
            yield record


RECORD = Record(ID, {b"a": b"1"}, 1000.0, 1000.0, 2000.0)
CHANGES = Changes(1100.0, put={b"b": b"2"})
MOVE = Changes(1100.0, move=Move(NEXT, "ada", 1100.0, None, 1110.0))


def test_it_tries_again_after_others() -> None:
    shelf = Shelf(3)
    shelf.create(RECORD)
    assert shelf.update(RECORD, CHANGES) is Outcome.APPLIED
    assert shelf.records[ID].fields == {b"a": b"1", b"b": b"2"}
    shelf.beaten = 3
    assert shelf.destroy(ID) is not None
    assert shelf.records == {}


async def test_it_tries_again_after_others_async() -> None:
    provider = AsyncShelf(3)
    await provider.create(RECORD)
    assert await provider.update(RECORD, CHANGES) is Outcome.APPLIED
    provider.shelf.beaten = 3
    assert await provider.destroy(ID) is not None
    assert provider.shelf.records == {}


def test_a_move_that_was_beaten_leaves_no_orphan() -> None:
    shelf = Shelf(1)
    shelf.create(RECORD)
    merged = merge(RECORD, MOVE)
    assert isinstance(merged, Merged)
    assert merged.record is not None
    assert merged.tombstone is not None
    assert not shelf.move(RECORD, merged.record, merged.tombstone)
    assert shelf.records == {ID: RECORD}


async def test_a_move_that_was_beaten_leaves_no_orphan_async() -> None:
    provider = AsyncShelf(1)
    await provider.create(RECORD)
    assert await provider.update(RECORD, MOVE) is Outcome.APPLIED
    assert sorted(provider.shelf.records) == [ID, NEXT]
    assert provider.shelf.records[ID].successor == NEXT


@pytest.mark.parametrize("beaten", [0, 10**9])
def test_a_move_to_an_id_that_is_taken_changes_nothing(
    beaten: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare_and_swap, "PATIENCE", 0.01)
    shelf = Shelf(beaten)
    shelf.create(RECORD)
    taken = RECORD._replace(id=NEXT)
    shelf.create(taken)
    with pytest.raises(StoreUnavailable, match="without a pause"):
        shelf.update(RECORD, MOVE)
    assert shelf.records == {ID: RECORD, NEXT: taken}


async def test_others_without_end_are_an_error_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_and_swap, "PATIENCE", 0.01)
    shelf = Shelf(10**9)
    shelf.create(RECORD)
    with pytest.raises(StoreUnavailable, match="without a pause"):
        shelf.destroy(ID)
    provider = AsyncShelf(10**9)
    await provider.create(RECORD)
    with pytest.raises(StoreUnavailable, match="without a pause"):
        await provider.destroy(ID)
    with pytest.raises(StoreUnavailable, match="without a pause"):
        await provider.update(RECORD, CHANGES)
    await provider.close()
    shelf.close()
