"""Releases of one session that are stored together: as if they had come one after the other."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Generator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from random import Random
from threading import Barrier
from typing import Any, cast

import pytest

from sojourn import (
    AsyncCompareAndSwapProvider,
    AsyncManager,
    Manager,
    OutcomeUnknown,
    Session,
    SessionTooLarge,
    StoreUnavailable,
)
from sojourn._calls import Call, Update
from sojourn._queue import combining
from sojourn._queue.combining import Conversation, can_go_along, combined, settle
from sojourn.providers.memory import MemoryProvider
from sojourn.record import Changes, Merged, Move, Outcome, Record, merge
from sojourn.testing import FakeClock

FACTOR = int(os.environ.get("SOJOURN_SEARCH", "1"))


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many releases go along must not depend on how busy this machine is."""
    monkeypatch.setattr(combining, "SLICE", 3600.0)


class Slow:
    """An asynchronous store whose updates wait for each other, so that releases queue up."""

    def __init__(self) -> None:
        self.memory = MemoryProvider()
        self.updates = 0
        self.refuse: Exception | None = None
        self.delay = 0.0
        self.gate: asyncio.Event | None = None
        """Where changes of fields wait."""
        self.held = 0

    async def read(self, id: str) -> Record | None:
        await asyncio.sleep(0)
        return self.memory.read(id)

    async def create(self, record: Record) -> bool:
        return self.memory.create(record)

    async def update(self, record: Record, changes: Changes) -> Outcome | Record:
        self.updates += 1
        await asyncio.sleep(self.delay)
        if self.gate is not None and changes.expect:
            self.held += 1
            await self.gate.wait()
        if self.refuse is not None and self.updates > 20:  # after each has tried by itself
            raise self.refuse
        return self.memory.update(record, changes)

    async def destroy(self, id: str) -> Record | None:
        return self.memory.destroy(id)

    async def find(self, user: str | None, now: float) -> Any:
        for record in self.memory.find(user, now):
            yield record

    async def count(self, now: float) -> int:
        return self.memory.count(now)

    async def gc(self, now: float, limit: int) -> int:
        return self.memory.gc(now, limit)

    async def close(self) -> None:
        """Hold nothing."""


class Site:
    """A manager over a slow store, and a visitor with these fields."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.store = Slow()
        self.events: list[str] = []
        self.manager = AsyncManager(
            self.store, clock=FakeClock(), on_event=lambda name, _: self.events.append(name)
        )
        self.fields = fields

    async def visitor(self) -> dict[str, str]:
        async with self.manager.open({}) as session:
            session.update(self.fields)
        assert session.released is not None
        return {"Cookie": f"session={session.released.token}"}

    async def stored(self, visitor: dict[str, str]) -> dict[Any, Any]:
        return dict(await self.manager.start(visitor))

    async def overlap(self, visitor: dict[str, str], *works: Any) -> list[Any]:
        """Let requests overlap; return what came of each, errors too."""
        sessions = [await self.manager.start(visitor) for _ in works]
        for session, work in zip(sessions, works, strict=True):
            work(session)
        releases = map(self.manager.release, sessions)
        return await asyncio.gather(*releases, return_exceptions=True)


def append(number: int) -> Any:
    return lambda session: session["list"].append(number)


async def test_releases_that_wait_are_stored_in_one_update() -> None:
    site = Site({"list": []})
    visitor = await site.visitor()
    releases = await site.overlap(visitor, *map(append, range(50)))
    assert {release.outcome for release in releases} == {"saved"}
    assert sorted((await site.stored(visitor))["list"]) == [*range(50)]
    # each tried by itself, the first one that collided leads, and takes the others along
    assert site.store.updates < 50 + 10
    assert "collided" not in site.events


async def test_each_release_is_told_what_became_of_its_own_changes() -> None:
    site = Site({"list": [], "count": 0, "name": "ada"})
    visitor = await site.visitor()

    def assign(name: str) -> Any:
        return lambda session: session.update(name=name)

    def count(session: Session) -> None:
        session.apply("count", lambda value: value + 1)

    releases = await site.overlap(
        visitor, append(1), assign("bob"), count, append(2), assign("eve"), count, count
    )
    assert {release.outcome for release in releases} == {"saved"}
    stored = await site.stored(visitor)
    assert sorted(stored["list"]) == [1, 2]
    assert stored["count"] == 3
    assert stored["name"] in ("bob", "eve")
    assert site.events.count("collided") == 1


async def test_a_function_that_raises_fails_its_own_request_alone() -> None:
    site = Site({"stock": 1})
    visitor = await site.visitor()

    def buy(session: Session) -> None:
        session.apply("stock", take_one)

    releases = await site.overlap(visitor, buy, buy, lambda s: s.update(other=1), buy)
    assert [type(release).__name__ for release in releases].count("LookupError") == 2
    assert await site.stored(visitor) == {"stock": 0, "other": 1}


def take_one(stock: int) -> int:
    if stock == 0:
        raise LookupError("sold out")
    return stock - 1


NAME: ContextVar[str] = ContextVar("NAME", default="nobody")


async def test_functions_see_the_context_of_their_own_request() -> None:
    """Another request may run them; it must not lend them its user or its language."""
    site = Site({"names": []})
    visitor = await site.visitor()
    sessions = [await site.manager.start(visitor) for _ in range(8)]

    async def request(number: int) -> None:
        NAME.set(f"request {number}")
        mine = f"request {number}"
        sessions[number].apply("names", lambda names: [*names, (mine, NAME.get())])
        await site.manager.release(sessions[number])

    await asyncio.gather(*map(request, range(8)))
    names = (await site.stored(visitor))["names"]
    assert sorted(names) == [(f"request {number}",) * 2 for number in range(8)]


@pytest.mark.parametrize("error", [StoreUnavailable("down"), OutcomeUnknown("lost")], ids=repr)
async def test_a_fault_of_the_store_reaches_each_request_by_itself(error: Exception) -> None:
    site = Site({"list": []})
    visitor = await site.visitor()
    site.store.refuse = error
    releases = await site.overlap(visitor, *map(append, range(20)))
    failed = [release for release in releases if isinstance(release, Exception)]
    assert {type(failure) for failure in failed} == {type(error)}
    assert len(failed) == 20 - len((await site.stored(visitor))["list"])
    assert len({id(failure) for failure in failed}) == len(failed) == 19


class Stop(BaseException):
    """As SystemExit, or a timeout of a library that does not want to be caught."""


@pytest.mark.parametrize("error", [OutcomeUnknown("lost"), Stop()], ids=repr)
async def test_only_a_release_that_was_sent_is_in_doubt(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """Those that wait behind it, and of which nothing was written, are stored after it."""
    monkeypatch.setattr(combining, "SLICE", -1.0)  # each goes alone
    site = Site({"list": []})
    visitor = await site.visitor()
    update, lost = site.store.update, list[object]()

    async def lose(record: Record, changes: Changes) -> Outcome | Record:
        outcome = await update(record, changes)
        if site.store.updates > 20 and not lost:  # after each has tried by itself
            lost.append(outcome)
            raise error
        return outcome

    monkeypatch.setattr(site.store, "update", lose)
    releases = await site.overlap(visitor, *map(append, range(20)))
    failed = [release for release in releases if isinstance(release, BaseException)]
    assert lost == [Outcome.APPLIED]
    assert [type(failure) for failure in failed] == [type(error)]
    assert {release.outcome for release in releases if release not in failed} == {"saved"}
    assert sorted((await site.stored(visitor))["list"]) == [*range(20)]


@pytest.mark.parametrize("seed", range(20 * FACTOR))
async def test_whoever_is_cancelled_no_other_request_suffers(seed: int) -> None:
    """Not even where the request is cancelled that stores the changes of the others."""
    chance = Random(seed)
    site = Site({"list": []})
    visitor = await site.visitor()
    site.store.delay = 0.0005
    sessions = [await site.manager.start(visitor) for _ in range(16)]
    for number, session in enumerate(sessions):
        session["list"].append(number)
    tasks = [asyncio.ensure_future(site.manager.release(session)) for session in sessions]
    for _ in range(chance.randrange(1, 8)):
        await asyncio.sleep(chance.random() * 0.001)
        chance.choice(tasks).cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0.01)  # a write that had begun goes on to its end
    stored = (await site.stored(visitor))["list"]
    assert len({*stored}) == len(stored)
    for number, result in enumerate(results):
        if isinstance(result, BaseException):
            assert isinstance(result, asyncio.CancelledError)
        else:
            assert number in stored


async def test_a_sign_out_in_between_ends_all_of_them() -> None:
    site = Site({"list": []})
    visitor = await site.visitor()
    works = [*map(append, range(10)), lambda session: session.logout(), *map(append, range(10, 20))]
    releases = await site.overlap(visitor, *works)
    outcomes = [release.outcome for release in releases]
    assert outcomes.count("ended") == 1
    assert {*outcomes} <= {"saved", "ended", "late"}
    assert await site.manager.active_count() == 0


async def test_a_new_id_in_between_takes_along_what_came_before_it() -> None:
    site = Site({"list": []})
    visitor = await site.visitor()
    works = [
        *map(append, range(6)),
        lambda session: session.login("ada"),
        *map(append, range(6, 12)),
    ]
    releases = await site.overlap(visitor, *works)
    [renewed] = [release for release in releases if release.outcome == "renewed"]
    stored = await site.stored({"Cookie": f"session={renewed.token}"})
    saved = [n for n, r in enumerate(releases[:6] + releases[7:]) if r.outcome == "saved"]
    assert sorted(stored["list"]) == saved
    assert {release.outcome for release in releases} <= {"saved", "renewed", "late"}


@pytest.mark.parametrize("seed", range(40 * FACTOR))
async def test_any_mixture_is_stored_as_if_one_had_come_after_the_other(seed: int) -> None:
    chance = Random(seed)
    site = Site({"list": [0], "dict": {"a": 1}, "set": {1}, "count": 0})
    visitor = await site.visitor()
    deeds: list[Any] = [
        lambda n: lambda s: s["list"].append(n),
        lambda n: lambda s: s["dict"].update({n: n}),
        lambda n: lambda s: s["set"].add(n),
        lambda n: lambda s: s.update({f"own {n}": n}),
        lambda n: lambda s: s.setdefault("first", []).append(n),
        lambda n: lambda s: s.set_lifetime(1000 + n),
    ]
    chosen = [(chance.randrange(len(deeds)), number) for number in range(100, 120)]

    def work(way: int, number: int) -> Any:
        def change(session: Session) -> None:
            deeds[way](number)(session)
            session.apply("count", lambda value: value + 1)

        return change

    releases = await site.overlap(visitor, *(work(*deed) for deed in chosen))
    assert {release.outcome for release in releases} == {"saved"}
    stored = await site.stored(visitor)
    by_way = {way: {n for w, n in chosen if w == way} for way in range(len(deeds))}
    assert {*stored["list"]} == {0} | by_way[0]
    assert {*stored["dict"]} == {"a"} | by_way[1]
    assert stored["set"] == {1} | by_way[2]
    assert {key for key in stored if str(key).startswith("own")} == {f"own {n}" for n in by_way[3]}
    assert {*stored.get("first", [])} == by_way[4]
    assert stored["count"] == 20


def test_threads_store_together_too() -> None:
    """The same over `Manager`: the twin of all this."""
    manager = Manager(MemoryProvider())
    with manager.open({}) as session:
        session["list"] = []
    assert session.released is not None
    visitor = {"Cookie": f"session={session.released.token}"}
    barrier = Barrier(16)

    def request(number: int) -> str:
        session = manager.start(visitor)
        session["list"].append(number)
        barrier.wait()
        return manager.release(session).outcome

    with ThreadPoolExecutor(16) as pool:
        assert {*pool.map(request, range(16))} == {"saved"}
    assert sorted(manager.start(visitor)["list"]) == [*range(16)]


# -- what an attack found ---------------------------------------------------------------------------


class Whole(AsyncCompareAndSwapProvider):
    """A store that swaps whole records, and lets another process write first when it is told so."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.overtake: list[Any] = []

    async def read(self, id: str) -> Record | None:
        return self.records.get(id)

    async def create(self, record: Record) -> bool:
        await asyncio.sleep(0)
        return self.records.setdefault(record.id, record) is record

    async def swap(self, old: Record, new: Record | None) -> bool:
        await asyncio.sleep(0)
        if self.overtake:
            self.overtake.pop()()
        stored = self.records.get(old.id)
        if stored is None or stored.version != old.version:
            return False
        if new is None:
            del self.records[old.id]
        else:
            self.records[new.id] = new
        return True

    async def scan(self) -> AsyncIterator[Record]:
        for record in [*self.records.values()]:
            yield record


async def test_what_was_worked_out_on_a_record_that_was_never_stored_overwrites_nothing() -> None:
    """Its version could be that of another record which another process has stored by then."""
    store = Whole()
    manager = AsyncManager(store, clock=FakeClock())
    async with manager.open({}) as session:
        session.update(stock=1, sold=[])
    assert session.released is not None
    visitor = {"Cookie": f"session={session.released.token}"}
    sales = iter(range(100))

    def sell() -> None:
        """What another process stores."""
        id, record = next(iter(store.records.items()))
        other = Manager(MemoryProvider(), clock=FakeClock())
        memory = other._provider  # the very record, changed by the library itself
        memory.create(record)
        with other.open(visitor) as theirs:
            theirs["sold"].append(next(sales))
            theirs["stock"] = 0
        changed = memory.read(id)
        assert changed is not None
        store.records[id] = changed._replace(version=record.version + 1)

    leader, waiting = await manager.start(visitor), await manager.start(visitor)
    leader.apply("stock", take_one)
    waiting["sold"].append("mine")
    store.overtake = [sell] * 6
    results = await asyncio.gather(
        manager.release(leader), manager.release(waiting), return_exceptions=True
    )
    stored = dict(await manager.start(visitor))
    assert isinstance(results[0], LookupError)
    assert sorted(map(str, stored["sold"])) == sorted([*map(str, range(6)), "mine"])


async def test_a_touch_waits_for_nobody() -> None:
    """It collides with no update, so it does not queue up behind slow ones."""
    clock, store = FakeClock(), Slow()
    manager = AsyncManager(store, clock=clock)
    async with manager.open({}) as session:
        session["list"] = []
    assert session.released is not None
    visitor = {"Cookie": f"session={session.released.token}"}
    clock.advance(100)
    sessions = [await manager.start(visitor) for _ in range(3)]
    for number, busy in enumerate(sessions):
        busy["list"].append(number)
    touch = await manager.start(visitor)
    tasks = [asyncio.ensure_future(manager.release(busy)) for busy in sessions]
    while store.updates < 4:  # noqa: ASYNC110 - the store counts, and tells nobody
        await asyncio.sleep(0)
    store.gate = asyncio.Event()  # the first that tries again, with its turn, waits here
    while store.held == 0:  # noqa: ASYNC110
        await asyncio.sleep(0)
    release = await asyncio.wait_for(manager.release(touch), 30)
    assert release.outcome == "touched"
    store.gate.set()
    await asyncio.gather(*tasks)


def pending(changes: Changes) -> Conversation[Outcome]:
    """A release that asks for these changes, and ends with what the store says."""
    update = Update(Record("ab" * 32, {}, 1.0, 1.0, 9.0), changes)

    def steps() -> Generator[Call, Any, Outcome]:
        answer = yield update
        while isinstance(answer, Record):
            answer = yield update
        return cast("Outcome", answer)

    made = steps()
    return Conversation(made, made.send(None))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (Changes(2.0, put={b"a": b"b"}, expect={b"a": None}), True),
        (Changes(2.0, clear=True, put={b"a": b"b"}), False),
        (Changes(2.0, move=Move("ab" + "0" * 62, None, None, None, 9.0)), False),
        (Changes(2.0, 9.0, persistent=True, lifetime=5.0), False),
    ],
    ids=["a change", "clear", "a new id", "a lifetime"],
)
def test_what_depends_on_all_of_the_record_goes_alone(changes: Changes, expected: bool) -> None:
    assert can_go_along(pending(changes)) is expected


def test_a_record_that_is_not_stored_yet_has_no_version_of_the_store() -> None:
    record = Record("ab" * 32, {b"k": b"v"}, 1.0, 1.0, 9.0, version=7)
    first = Changes(2.0, put={b"a": b"1"}, expect={b"a": None})
    second = Changes(2.0, drop=(b"k",), put={b"b": b"2"}, expect={b"k": b"v"})
    third = Changes(2.0, expect={b"z": None})  # a function that found nothing to change
    together = combined(record, [pending(first), pending(second), pending(third)])
    assert together is not None
    assert together.left is not None
    assert together.left.version == -1
    assert together.update.record is record
    merged = merge(record, together.update.changes)
    assert isinstance(merged, Merged)
    assert merged.record is not None
    assert merged.record.fields == together.left.fields == {b"a": b"1", b"b": b"2"}
    assert together.update.changes.expect == {
        b"a": None,
        b"b": None,
        b"k": b"v",
        b"z": None,
    }


def test_of_releases_that_emptied_a_session_the_last_one_ended_it() -> None:
    record = Record("ab" * 32, {b"k": b"v"}, 1.0, 1.0, 9.0)
    pair = [pending(Changes(2.0, put={name: b"1"}, expect={name: None})) for name in (b"a", b"b")]
    together = combined(record, pair)
    assert together is not None
    settle(together, Outcome.EMPTIED)
    assert [one.result() for one in pair] == [Outcome.APPLIED, Outcome.EMPTIED]


async def test_what_one_function_raises_hits_no_other_request() -> None:
    site = Site({"count": 0, "list": []})
    visitor = await site.visitor()

    def stop_again(session: Session) -> None:
        runs = iter((None, Stop()))

        def function(value: int) -> int:
            if (error := next(runs)) is not None:
                raise error
            return value + 1

        session.apply("count", function)

    def count(session: Session) -> None:
        session.apply("count", lambda value: value + 1)

    releases = await site.overlap(visitor, count, count, stop_again, count)
    assert [type(release).__name__ for release in releases].count("Stop") == 1
    assert [getattr(release, "outcome", None) for release in releases].count("saved") == 3
    assert (await site.stored(visitor))["count"] == 3


class Odd(StoreUnavailable):
    """An error of a custom store, with arguments of its own."""

    def __init__(self, code: int, *, where: str) -> None:
        super().__init__(f"{code} at {where}")


async def test_any_error_of_a_store_reaches_each_request() -> None:
    site = Site({"list": []})
    visitor = await site.visitor()
    site.store.refuse = Odd(5, where="x")
    releases = await site.overlap(visitor, *map(append, range(20)))
    assert {type(release).__name__ for release in releases} == {"Release", "Odd"}


def test_a_listener_may_use_the_session_that_it_is_told_of() -> None:
    """It is told when the turn of the release is over, or it would wait for itself."""
    inner: list[str] = []

    def listen(name: str, id: str | None) -> None:
        if name == "collided" and not inner:
            inner.append("")
            with manager.open_id(str(id)) as session:
                session["seen"] = True
            assert session.released is not None
            inner[0] = session.released.outcome

    manager = Manager(MemoryProvider(), on_event=listen)
    with manager.open({}) as session:
        session["name"] = "ada"
    assert session.released is not None
    visitor = {"Cookie": f"session={session.released.token}"}
    one, two = manager.start(visitor), manager.start(visitor)
    one["name"], two["name"] = "bob", "eve"
    manager.release(one)
    manager.release(two)
    assert inner == ["saved"]
    assert manager.start(visitor)["seen"] is True


async def test_overlapping_requests_do_not_outgrow_the_limit() -> None:
    site = Site({"list": []})
    site.manager = AsyncManager(site.store, clock=FakeClock(), max_size=1000)
    visitor = await site.visitor()
    works = [lambda session: session["list"].append("x" * 200)] * 10
    releases = await site.overlap(visitor, *works)
    stored = (await site.stored(visitor))["list"]
    assert len(stored) == 4
    refused = [release for release in releases if isinstance(release, SessionTooLarge)]
    assert len(refused) == 6
    async with site.manager.open(visitor) as session:
        session["list"].pop()
