"""What only the memory provider does: compact records, an exact schedule."""

from __future__ import annotations

import gc
import struct
import sys
import tracemalloc
from collections.abc import Callable
from itertools import count
from types import FrameType
from typing import Any

import pytest

from sojourn.providers import memory
from sojourn.providers.memory import PARTS, WIDTH, MemoryProvider
from sojourn.record import Changes, Move, Outcome, Record
from tests.forks import FORKS, in_child


def record(number: int, expires: float, user: str | None = None) -> Record:
    return Record(f"{number:064x}", {b"k": b"v"}, 1000.0, 1000.0, expires, user)


def spread(number: int) -> Record:
    """A record whose id begins with another byte for each of 256 numbers in a row."""
    return record(number, 2000.0)._replace(id=f"{number % PARTS:02x}{number:062x}")


def test_count_and_gc_are_exact_at_the_edges_of_buckets() -> None:
    provider = MemoryProvider()
    times = [1000.0 + WIDTH * n + d for n in range(4) for d in (0.0, 0.5, WIDTH - 0.5)]
    for number, expires in enumerate(times):
        provider.create(record(number, expires))
    for now in (999.0, *times, 2000.0):
        living = [expires for expires in times if expires > now]
        assert provider.count(now) == len(living)
        assert len(list(provider.find(None, now))) == len(living)
    for now in times:
        assert provider.gc(now, 10) == 1
    assert provider.count(0.0) == 0


def test_a_touch_moves_the_session_in_the_schedule() -> None:
    provider = MemoryProvider()
    provider.create(record(1, 1100.0))
    provider.update(record(1, 1100.0), Changes(1050.0, 1900.0))
    assert provider.gc(1500.0, 10) == 0
    assert provider.count(1500.0) == 1
    assert provider.gc(1900.0, 10) == 1


def test_tombstones_leave_by_gc_and_nothing_stays_behind() -> None:
    provider = MemoryProvider()
    provider.create(record(1, 2000.0, "ada"))
    move = Move(f"{2:064x}", "ada", 1100.0, None, 1110.0)
    provider.update(record(1, 2000.0, "ada"), Changes(1100.0, 2100.0, move=move))
    assert provider.count(1100.0) == 1
    assert provider.gc(1110.0, 10) == 1
    assert provider.gc(3000.0, 10) == 1
    assert not any(provider._frames)
    assert not provider._users
    assert not provider._sessions._buckets
    assert not provider._tombstones._order


def test_the_collector_does_not_look_at_sessions() -> None:
    provider = MemoryProvider()
    for number in range(1000):
        provider.create(spread(number))
    assert not any(map(gc.is_tracked, provider._frames))
    for bucket in provider._sessions._buckets.values():
        assert not gc.is_tracked(bucket)


@pytest.mark.parametrize("user", ["ada", None])
def test_a_session_that_moves_while_others_are_listed_is_not_missed(user: str | None) -> None:
    provider = MemoryProvider()
    for number in range(4):
        provider.create(record(number, 2000.0, "ada"))
    found = provider.find(user, 1100.0)
    seen = [next(found).id]
    for number in range(1, 4):
        move = Move(f"{number + 16:064x}", "ada", 1100.0, None, 1110.0)
        provider.update(record(number, 2000.0, "ada"), Changes(1100.0, move=move))
    seen += [one.id for one in found]
    assert seen == [f"{number:064x}" for number in (0, 17, 18, 19)]
    assert sorted(one.id for one in provider.find(user, 1100.0)) == seen


def test_a_list_of_all_holds_a_small_part_of_the_ids_at_a_time() -> None:
    """They are copied under the lock, so all writes wait until they are."""
    provider, sessions = MemoryProvider(), 100 * PARTS
    for number in range(sessions):
        provider.create(spread(number))
    pointer = struct.calcsize("P")
    tracemalloc.start()
    try:
        assert sum(1 for _ in provider.find(None, 1100.0)) == sessions
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < sessions * pointer  # less than a list of all ids


def test_a_list_of_all_misses_none_and_names_none_twice_while_sessions_come_move_and_go() -> None:
    provider, sessions = MemoryProvider(), 3 * PARTS
    for number in range(sessions):
        provider.create(spread(number))
    moved, ended = spread(sessions - 1), spread(sessions - 2)
    successor = spread(sessions - 1 + PARTS)
    found = list[str]()
    for one in provider.find(None, 1100.0):
        if not found:
            provider.create(spread(sessions))
            provider.destroy(ended.id)
            move = Move(successor.id, None, None, None, 1110.0)
            provider.update(moved, Changes(1100.0, move=move))
        found.append(one.id)
    assert len(found) == len({*found})
    assert {spread(number).id for number in range(sessions - 2)} <= {*found}
    assert successor.id in found
    assert not {moved.id, ended.id} & {*found}


def at_each_line(work: Callable[[], object], look: Callable[[], object]) -> None:
    """Do a work, and look before each line of the provider, as another thread may."""

    def tracer(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename != memory.__file__:
            return None
        if event == "line":
            sys.settrace(None)
            look()
            sys.settrace(tracer)
        return tracer

    sys.settrace(tracer)
    try:
        work()
    finally:
        sys.settrace(None)


@pytest.fixture
def moving() -> tuple[MemoryProvider, Callable[[], object]]:
    """A provider with one session, and its move to another id."""
    provider, old = MemoryProvider(), record(1, 2000.0, "ada")
    provider.create(old)
    move = Move(f"{2:064x}", "ada", 1100.0, None, 1110.0)
    return provider, lambda: provider.update(old, Changes(1100.0, move=move))


def test_who_reads_during_a_move_sees_before_or_after(
    moving: tuple[MemoryProvider, Callable[[], object]],
) -> None:
    provider, move = moving
    saw = []

    def look() -> None:
        stands, new = provider.read(f"{1:064x}"), provider.read(f"{2:064x}")
        assert stands is not None
        assert (stands.successor is None) == (new is None)
        saw.append(stands.successor)

    at_each_line(move, look)
    assert saw == sorted(saw, key=bool)
    assert {*saw} == {None, f"{2:064x}"}


@pytest.mark.parametrize("fork", FORKS)
def test_a_child_of_a_fork_during_a_move_has_one_session(
    moving: tuple[MemoryProvider, Callable[[], object]], fork: str
) -> None:
    provider, move = moving

    def work() -> None:
        assert provider.count(1100.0) == 1
        assert len(list(provider.find("ada", 1100.0))) == 1

    at_each_line(move, lambda: in_child(work, fork))


@pytest.mark.parametrize("fork", FORKS)
def test_a_child_waits_for_no_thread_of_its_parent(fork: str) -> None:
    """Which may have been in the middle of a change: the child's lists are made anew then."""
    provider = MemoryProvider()
    provider.create(record(1, 1100.0, "ada"))
    provider.create(record(2, 1900.0, "ada"))

    def work() -> None:
        assert provider.create(record(3, 1900.0))
        assert len(list(provider.find("ada", 1000.0))) == 1
        assert provider.gc(1500.0, 10) == 0
        assert provider.count(1000.0) == 2

    with provider._lock():
        del provider._frames[0][bytes.fromhex(record(1, 0).id)]
        in_child(work, fork)


@pytest.mark.parametrize("version", [-(2**70), -1, 0, 1, 2**31, 2**63, 2**70])
def test_a_record_of_another_version_is_not_taken_for_the_stored_one(version: int) -> None:
    provider = MemoryProvider()
    provider.create(record(1, 2000.0, "ada"))
    foreign = record(1, 3000.0)._replace(fields={b"x": b"x"}, version=version)
    assert provider.update(foreign, Changes(1100.0, put={b"a": b"b"})) is Outcome.APPLIED
    stored = provider.read(foreign.id)
    assert stored is not None
    assert (stored.fields, stored.user) == ({b"k": b"v", b"a": b"b"}, "ada")


def test_a_record_of_another_provider_or_of_an_earlier_session_is_not_believed() -> None:
    ours, other = MemoryProvider(), MemoryProvider()
    for provider, user in ((ours, "ada"), (other, "bob")):
        provider.create(record(1, 2000.0, user))
        provider.update(record(1, 2000.0, user), Changes(1050.0, put={b"k": b"w"}))
    foreign = other.read(record(1, 0.0).id)
    other.destroy(record(1, 0.0).id)
    other.create(record(1, 2000.0, "ada"))
    for provider in (ours, other):
        assert foreign is not None
        assert provider.update(foreign, Changes(1100.0, put={b"a": b"b"})) is Outcome.APPLIED
        stored = provider.read(foreign.id)
        assert stored is not None
        assert stored.user == "ada"


def test_versions_of_any_number_of_sessions_fit_their_place() -> None:
    provider = MemoryProvider()
    provider._births = count(2**62 - 1)
    for number in range(3):
        assert provider.create(record(number, 2000.0))
        assert provider.read(record(number, 0.0).id) is not None
