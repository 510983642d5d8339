"""What a manager makes of a store that gives back something else than it was given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sojourn import AsyncManager, Manager, StoreUnavailable
from sojourn._reading import ALTERED, CORRUPT, NOT_LISTED, NOT_REMOVED, NOT_WRITTEN
from sojourn.errors import CorruptRecord
from sojourn.providers.memory import MemoryProvider
from sojourn.record import Assignment, Changes, Outcome, Record


class Unreadable(MemoryProvider):
    """Gives back bytes in a form that nobody can read, as a driver did."""

    def read(self, id: str) -> Record | None:
        if super().read(id) is None:
            return None
        raise CorruptRecord("no session", id=id)

    def destroy(self, id: str) -> Record | None:
        return None


class Cutting(MemoryProvider):
    """Cuts what is long."""

    def read(self, id: str) -> Record | None:
        record = super().read(id)
        return record and record._replace(fields={k: v[:200] for k, v in record.fields.items()})


class Unlisted(MemoryProvider):
    """Does not know whose a record is."""

    def find(self, user: str | None, now: float) -> Iterator[Record]:
        return iter(())


class Keeping(MemoryProvider):
    """Removes nothing."""

    def destroy(self, id: str) -> Record | None:
        return self.read(id)


class Full(MemoryProvider):
    """Takes nothing new."""

    def create(self, record: Record) -> bool:
        return False


class Spoilt(MemoryProvider):
    """Holds one record that somebody has spoilt."""

    spoilt = ""
    full = False

    def read(self, id: str) -> Record | None:
        if id == self.spoilt:
            raise CorruptRecord("no session", id=id)
        return super().read(id)

    def create(self, record: Record) -> bool:
        if self.full:
            raise StoreUnavailable("the disk is full")
        return super().create(record)


WRONG = [
    (Unreadable, [CORRUPT]),
    (Cutting, [ALTERED]),
    (Unlisted, [NOT_LISTED]),
    (Keeping, [NOT_REMOVED]),
    (Full, [NOT_WRITTEN, ALTERED, NOT_LISTED]),
    (MemoryProvider, []),
]


def signed_in(manager: Manager, provider: MemoryProvider) -> dict[str, str]:
    """Sign somebody in; return the headers of her next request."""
    with manager.open({}) as session:
        session.login("ada")
    if isinstance(provider, Spoilt):
        provider.spoilt = session.id
    assert session.released
    assert session.released.token
    return {"Cookie": f"session={session.released.token}"}


@pytest.mark.parametrize(("kind", "said"), WRONG)
async def test_a_check_says_what_is_wrong_with_the_store(
    kind: type[MemoryProvider], said: list[str]
) -> None:
    assert Manager(kind()).check() == said
    assert await AsyncManager(kind()).check() == said


def test_a_check_leaves_nothing_behind() -> None:
    provider = MemoryProvider()
    assert Manager(provider).check() == []
    assert not any(provider._frames)


async def test_a_store_of_which_every_record_is_corrupt_is_at_fault() -> None:
    """Were these visitors signed out instead, nobody could ever stay signed in, or be signed out."""
    provider = Unreadable()
    manager, async_manager = Manager(provider), AsyncManager(provider)
    cookie = signed_in(manager, provider)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="gives back something else"):
            manager.start(cookie)
        with pytest.raises(StoreUnavailable, match="gives back something else"):
            await async_manager.start(cookie)


async def test_a_corrupt_record_of_a_sound_store_counts_as_absent() -> None:
    """Whatever became of that one: the store is tried once, and nothing of it stays."""
    provider = Spoilt()
    manager, async_manager = Manager(provider), AsyncManager(provider)
    cookie = signed_in(manager, provider)
    for _ in range(2):
        assert manager.start(cookie).is_new
        assert (await async_manager.start(cookie)).is_new
    assert sum(map(len, provider._frames)) == 1


def test_a_store_that_cannot_be_tried_is_not_accused() -> None:
    """A disk is full when a corrupt record is read: the visitor of that is new, as ever."""
    provider = Spoilt()
    manager = Manager(provider)
    cookie = signed_in(manager, provider)
    provider.full = True
    assert manager.start(cookie).is_new


class Assigning(MemoryProvider):
    """Is asked whether it takes values for a session that was not read, and never does."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def assign(self, _: Assignment) -> Record | None:
        self.asked += 1
        return None


class Rewriting(Assigning):
    """Writes in a way of its own, as one that encrypts the fields does."""

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        return super().update(record, changes)


class Wrapping:
    """One that passes on whatever it does not do itself."""

    def __init__(self, provider: Any) -> None:
        self.provider = provider

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        outcome: Outcome | Record = self.provider.update(record, changes)
        return outcome

    def __getattr__(self, name: str) -> Any:
        return getattr(self.provider, name)


@pytest.mark.parametrize(
    ("make", "asked"),
    [(Assigning, 1), (Rewriting, 0), (lambda: Wrapping(Assigning()), 0)],
    ids=["own", "inherited", "passed-on"],
)
def test_an_update_of_ones_own_is_not_bypassed(make: Any, asked: int) -> None:
    provider = make()
    manager = Manager(provider)
    session = manager.start({})
    session["a"] = 1
    headers = {"Cookie": f"session={manager.release(session).token}"}
    session = manager.start_lazily(headers)
    session["a"] = 2
    manager.release(session)
    assert provider.asked == asked
    assert manager.start(headers)["a"] == 2
