"""The queues of releases that collide: first come, first served, and no turn is lost."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any, cast

import pytest

from sojourn._calls import Call, Update
from sojourn._queue import turns as turns_module
from sojourn._queue.combining import Conversation
from sojourn._queue.turns import AsyncTurns, Turn, Turns
from sojourn.record import Changes, Record

ID, OTHER = "aa" * 32, "bb" * 32
PATIENCE = 30.0
SEARCH = float(os.environ.get("SOJOURN_SEARCH", "1"))


def record(number: int) -> Record:
    return Record(ID, {}, 0.0, 0.0, 0.0, version=number)


def queued(turns: Turns | AsyncTurns, id: str = ID) -> int:
    """How many are in all queues of a session."""
    return sum(map(len, turns._by_id.get(id, {}).values()))


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def entered(turn: Turn | None) -> Turn:
    assert turn is not None
    return turn


# -- tasks ---------------------------------------------------------------------------------------


async def enter(turns: AsyncTurns, id: str = ID, seconds: float = PATIENCE) -> Turn:
    return entered(await turns.enter(id, seconds))


async def waiting(turns: AsyncTurns, count: int) -> list[asyncio.Task[Turn]]:
    """Tasks that queue up one after the other."""
    tasks = []
    for _ in range(count):
        before = queued(turns)
        tasks.append(asyncio.create_task(enter(turns)))
        await asyncio.sleep(0)
        assert queued(turns) == before + 1
    return tasks


async def test_the_first_enters_at_once_and_nothing_is_kept_when_it_leaves() -> None:
    turns = AsyncTurns()
    assert not turns.busy(ID)
    turn = await enter(turns, seconds=0)
    assert turn.inherited is None
    assert turns.busy(ID)
    assert not turns.busy(OTHER)
    turn.leave(record(1))
    assert not turns.busy(ID)
    assert turns._by_id == {}
    assert (await enter(turns)).inherited is None


async def test_tasks_enter_in_the_order_in_which_they_came_and_inherit() -> None:
    turns = AsyncTurns()
    turn = await enter(turns)
    tasks = await waiting(turns, 5)
    for number, task in enumerate(tasks):
        assert not any(later.done() for later in tasks[number:])
        turn.leave(record(number))
        turn = await task
        assert turn.inherited == record(number)
    turn.leave()
    assert turns._by_id == {}


async def test_who_leaves_without_a_record_leaves_none() -> None:
    turns = AsyncTurns()
    first = await enter(turns)
    second, third = await waiting(turns, 2)
    first.leave(record(1))
    (await second).leave()
    assert (await third).inherited is None


async def test_to_leave_twice_changes_nothing() -> None:
    turns = AsyncTurns()
    first = await enter(turns)
    second, third = await waiting(turns, 2)
    first.leave(record(1))
    first.leave(record(2))
    turn = await second
    assert turn.inherited == record(1)
    first.leave(record(3))
    await asyncio.sleep(0)
    assert not third.done()
    turn.leave()
    (await third).leave()
    assert turns._by_id == {}


async def test_sessions_do_not_wait_for_each_other() -> None:
    turns = AsyncTurns()
    turn = await enter(turns)
    (await enter(turns, OTHER, seconds=0)).leave()
    turn.leave()


async def test_a_task_whose_time_is_up_has_no_place_any_more() -> None:
    turns = AsyncTurns()
    first = await enter(turns)
    assert await turns.enter(ID, 0) is None
    assert queued(turns) == 1
    [second] = await waiting(turns, 1)
    first.leave(record(1))
    assert (await second).inherited == record(1)


async def test_a_turn_that_begins_as_the_time_is_up_is_taken() -> None:
    turns = AsyncTurns()
    first = await enter(turns)
    task = asyncio.create_task(turns.enter(ID, 0))
    await asyncio.sleep(0)
    first.leave(record(1))
    turn = entered(await task)
    assert turn.inherited == record(1)
    turn.leave()
    assert turns._by_id == {}


async def test_a_task_that_is_cancelled_while_it_waits_leaves_its_place() -> None:
    turns = AsyncTurns()
    first = await enter(turns)
    second, third = await waiting(turns, 2)
    second.cancel()
    first.leave(record(1))  # before the cancelled task hears of it
    turn = await third
    assert turn.inherited == record(1)
    assert second.cancelled()
    turn.leave()
    assert turns._by_id == {}


async def test_a_task_that_is_cancelled_as_its_turn_begins_passes_it_on() -> None:
    turns = AsyncTurns()
    first = await enter(turns)
    second, third = await waiting(turns, 2)
    first.leave(record(1))
    second.cancel()
    turn = await third
    assert turn.inherited == record(1)
    assert second.cancelled()
    turn.leave()
    assert turns._by_id == {}


async def test_a_turn_that_nobody_ends_is_lost_and_the_next_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns = AsyncTurns()
    lost = await enter(turns)
    second, third = await waiting(turns, 2)
    monkeypatch.setattr(turns_module, "LONGEST_TURN", -1.0)
    task = asyncio.create_task(enter(turns))
    turn = await second
    monkeypatch.undo()
    assert turn.inherited is None
    lost.leave(record(1))  # it did end, too late
    await asyncio.sleep(0)
    assert not third.done()
    turn.leave()
    (await third).leave()
    (await task).leave()
    assert turns._by_id == {}


def conversation() -> Conversation[None]:
    """A release that another one may take along."""

    def steps() -> Generator[Call, Any, None]:
        yield Update(record(1), Changes(1.0, put={b"k": b"v"}))

    made = steps()
    return Conversation(made, made.send(None))


async def companions(turns: AsyncTurns, count: int) -> list[asyncio.Task[Turn]]:
    """Tasks that queue up one after the other, and that may be taken along."""
    tasks = []
    for _ in range(count):
        entering = turns.enter(ID, PATIENCE, conversation())
        tasks.append(asyncio.create_task(cast("Coroutine[Any, Any, Turn]", entering)))
        await asyncio.sleep(0)
    return tasks


async def test_releases_that_are_given_back_keep_their_order() -> None:
    turns = AsyncTurns()
    turn = await enter(turns)
    tasks = await companions(turns, 4)
    turn.claim(3)
    claimed = turn.followers
    assert [other.claimed for other in claimed] == [True] * 3
    turn.give_back(claimed)
    assert [other.claimed for other in claimed] == [False] * 3
    assert queued(turns) == 5
    for number, task in enumerate(tasks):
        assert not any(later.done() for later in tasks[number:])
        turn.leave()
        turn = await task
        if number < 3:
            assert turn is claimed[number]
    turn.leave()
    assert turns._by_id == {}


async def test_a_release_that_was_cancelled_is_not_given_back() -> None:
    """Nobody would end its turn, and those behind it would wait until their time is up."""
    turns = AsyncTurns()
    turn = await enter(turns)
    cancelled, second = await companions(turns, 2)
    turn.claim(2)
    claimed = turn.followers
    cancelled.cancel()
    await asyncio.sleep(0)
    assert cancelled.cancelled()
    turn.give_back(claimed)
    turn.leave()
    (await asyncio.wait_for(second, 1)).leave()
    assert turns._by_id == {}


def test_a_thread_whose_time_was_up_while_it_was_claimed_goes_on(pool: ThreadPoolExecutor) -> None:
    turns = Turns()
    turn = entered(turns.enter(ID, PATIENCE))
    waiting = pool.submit(turns.enter, ID, 0.05, conversation())
    until(lambda: queued(turns) == 2)
    turn.claim(1)
    claimed = turn.followers
    until(lambda: claimed[0].left)
    turn.give_back(claimed)
    other = entered(waiting.result(PATIENCE))
    assert other is claimed[0]
    assert (other.claimed, other.answered) == (False, False)
    other.leave()
    turn.leave()
    assert turns._by_id == {}


async def test_releases_that_a_lost_turn_gives_back_go_on_without_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first may not put them before the one whose turn it is by now."""
    turns = AsyncTurns()
    lost = await enter(turns)
    tasks = await companions(turns, 2)
    lost.claim(2)
    claimed = lost.followers
    third = asyncio.create_task(enter(turns))
    await asyncio.sleep(0)
    monkeypatch.setattr(turns_module, "LONGEST_TURN", -1.0)
    fourth = asyncio.create_task(enter(turns))
    turn = await third
    monkeypatch.undo()
    lost.give_back(claimed)
    assert [await task for task in tasks] == claimed
    assert not any(other.claimed or other.answered for other in claimed)
    for other in claimed:
        other.leave(record(1))
    await asyncio.sleep(0)
    assert not fourth.done()
    turn.leave()
    (await fourth).leave()
    assert turns._by_id == {}


def test_event_loops_have_queues_of_their_own() -> None:
    turns = AsyncTurns()

    async def alone(barrier: threading.Barrier) -> list[int | None]:
        turn = await enter(turns, seconds=0)
        barrier.wait()
        others = await waiting_here(2)
        barrier.wait()
        turn.leave(record(1))
        found = []
        for other in others:
            turn = await other
            found.append(None if turn.inherited is None else turn.inherited.version)
            turn.leave(record(2))
        return found

    async def waiting_here(count: int) -> list[asyncio.Task[Turn]]:
        tasks = [asyncio.create_task(enter(turns)) for _ in range(count)]
        await asyncio.sleep(0)
        return tasks

    barrier = threading.Barrier(4, timeout=PATIENCE)
    with ThreadPoolExecutor(4) as pool:
        loops = [pool.submit(asyncio.run, alone(barrier)) for _ in range(4)]
        assert [loop.result() for loop in loops] == [[1, 2]] * 4
    assert turns._by_id == {}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_loop_that_ended_with_a_turn_blocks_nobody() -> None:
    turns = AsyncTurns()
    loop = asyncio.new_event_loop()
    held = loop.run_until_complete(enter(turns))
    left = loop.run_until_complete(waiting(turns, 2))
    loop.close()

    async def later() -> None:
        assert not turns.busy(ID)
        turn = await enter(turns, seconds=0)
        assert queued(turns) == 1  # what the loop had left is gone
        held.leave(record(1))
        assert turns.busy(ID)
        turn.leave()
        assert turns._by_id == {}

    asyncio.run(later())
    for task in left:
        task._log_destroy_pending = False  # type: ignore[attr-defined]


def test_to_leave_when_the_loop_is_closed_is_no_error() -> None:
    """As a coroutine does that Python throws away."""
    turns = AsyncTurns()
    loop = asyncio.new_event_loop()
    held = loop.run_until_complete(enter(turns))
    [task] = loop.run_until_complete(waiting(turns, 1))
    loop.close()
    held.leave(record(1))
    task.get_coro().close()
    assert turns._by_id == {}
    task._log_destroy_pending = False  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", range(int(10 * SEARCH)))
async def test_whatever_becomes_of_tasks_the_others_have_their_turns(seed: int) -> None:
    chance = random.Random(seed)
    turns, inside, came, went = AsyncTurns(), deque[int](), deque[int](), list[int]()

    async def request(number: int) -> None:
        came.append(number)
        try:
            turn = await turns.enter(ID, chance.choice([0, PATIENCE]))
            if turn is None:
                return
            try:
                inside.append(number)
                went.append(number)
                assert len(inside) == 1
                for _ in range(chance.randrange(3)):
                    await asyncio.sleep(0)
                if chance.random() < 0.1:
                    raise ValueError
            finally:
                inside.remove(number)
                turn.leave(record(number))
        except ValueError:
            pass

    tasks = []
    for number in range(100):
        tasks.append(asyncio.create_task(request(number)))
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
        if chance.random() < 0.3:
            chance.choice(tasks).cancel()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*tasks, return_exceptions=True)
    assert [task for task in tasks if not task.cancelled() and task.exception()] == []
    assert went == sorted(went)
    assert went
    assert turns._by_id == {}


# -- threads -------------------------------------------------------------------------------------


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def queue_up(pool: ThreadPoolExecutor, turns: Turns, count: int) -> list[Future[Turn]]:
    """Threads that queue up one after the other."""
    futures = []
    for _ in range(count):
        before = queued(turns)
        futures.append(pool.submit(lambda: entered(turns.enter(ID, 2 * PATIENCE))))
        until(lambda before=before: queued(turns) == before + 1)  # type: ignore[misc]
    return futures


def test_threads_enter_in_the_order_in_which_they_came_and_inherit(
    pool: ThreadPoolExecutor,
) -> None:
    turns = Turns()
    assert not turns.busy(ID)
    turn = entered(turns.enter(ID, 0))
    assert turn.inherited is None
    futures = queue_up(pool, turns, 5)
    assert turns.busy(ID)
    assert not turns.busy(OTHER)
    for number, future in enumerate(futures):
        assert not any(later.done() for later in futures[number:])
        turn.leave(record(number))
        turn = future.result(PATIENCE)
        assert turn.inherited == record(number)
    turn.leave()
    turn.leave()
    assert not turns.busy(ID)
    assert turns._by_id == {}


def test_a_thread_whose_time_is_up_has_no_place_any_more(pool: ThreadPoolExecutor) -> None:
    turns = Turns()
    first = entered(turns.enter(ID, 0))
    assert turns.enter(ID, 0) is None
    assert queued(turns) == 1
    [second] = queue_up(pool, turns, 1)
    first.leave(record(1))
    assert second.result(PATIENCE).inherited == record(1)


def test_a_turn_that_no_thread_ends_is_lost_and_the_next_goes_on(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = Turns()
    entered(turns.enter(ID, 0))
    [second] = queue_up(pool, turns, 1)
    monkeypatch.setattr(turns_module, "LONGEST_TURN", -1.0)
    assert turns.enter(ID, 0) is None
    monkeypatch.undo()
    second.result(PATIENCE).leave()
    assert turns._by_id == {}


def interrupted(work: Callable[[], object], step: int) -> bool:
    """Do a work that Ctrl-C meets before its `step`th line; return whether it did.

    Not at a line with `with`, where Python itself takes and frees a lock without interruption.
    """
    left = step

    def tracer(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if (file := frame.f_code.co_filename) not in LOCKING:
            return None
        if event == "line" and frame.f_lineno not in LOCKING[file]:
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return tracer

    def run() -> None:
        sys.settrace(tracer)
        try:
            work()
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(None)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    return left <= 0


def lines_that_lock(file: str) -> set[int]:
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    return {number for number, line in enumerate(lines, 1) if line.strip().startswith("with ")}


LOCKING = {file: lines_that_lock(file) for file in (turns_module.__file__, threading.__file__)}


def test_ctrl_c_at_any_line_of_leaving_loses_no_turn(pool: ThreadPoolExecutor) -> None:
    step = 1
    while True:
        turns = Turns()
        first = entered(turns.enter(ID, 0))
        [second] = queue_up(pool, turns, 1)
        more = interrupted(lambda first=first: first.leave(record(1)), step)  # type: ignore[misc]
        if step > 1 or not more:  # at the first line, `leave` has not begun
            assert second.result(PATIENCE).inherited == record(1)
            second.result().leave()
            assert turns._by_id == {}
        else:
            first.leave()
        if not more:
            break
        step += 1
    assert step > 10


@pytest.mark.parametrize("timeout", [0, PATIENCE])
def test_ctrl_c_at_any_line_of_entering_loses_no_turn(
    pool: ThreadPoolExecutor, timeout: float
) -> None:
    step, more = 1, True
    while more:
        turns = Turns()
        first = entered(turns.enter(ID, 0))
        found: list[Turn | None] = []

        def second(turns: Turns = turns, found: list[Turn | None] = found) -> None:
            found.append(turns.enter(ID, timeout))

        thread = pool.submit(interrupted, second, step)
        until(lambda turns=turns, thread=thread: thread.done() or queued(turns) == 2)  # type: ignore[misc]
        [third] = queue_up(pool, turns, 1) if timeout else [None]
        first.leave(record(1))
        more = thread.result(PATIENCE)
        for turn in filter(None, found):
            turn.leave(record(1))
        if third is not None:
            assert third.result(PATIENCE).inherited == record(1)
            third.result().leave()
        assert turns._by_id == {}
        step += 1
    assert step > 10


@pytest.mark.parametrize("given_back", [False, True])
def test_ctrl_c_at_any_line_of_claiming_loses_no_release(
    pool: ThreadPoolExecutor, given_back: bool
) -> None:
    """Nor in the middle of giving them back."""
    step, more = 1, True
    while more:
        turns = Turns()
        first = entered(turns.enter(ID, 0))
        futures = []
        for number in range(3):
            futures.append(pool.submit(turns.enter, ID, PATIENCE, conversation()))
            until(lambda turns=turns, number=number: queued(turns) == 2 + number)  # type: ignore[misc]

        def claim(first: Turn = first) -> None:
            first.claim(2)
            if given_back:
                first.give_back(first.followers)

        more = interrupted(claim, step)
        first.give_back(first.followers)
        first.leave(record(1))
        for future in futures:
            turn = entered(future.result(PATIENCE))
            assert (turn.claimed, turn.answered) == (False, False)
            turn.leave(record(1))
        assert turns._by_id == {}
        step += 1
    assert step > 10


FORK = """
import asyncio, os, signal
from sojourn._queue.turns import AsyncTurns, Turns

def forked(turns, child):
    turns._queues._lock.acquire()  # as if another thread had it: nobody frees it in the child
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        turns._queues._lock = None
        child()
        os._exit(0)
    turns._queues._lock.release()
    assert os.waitpid(pid, 0)[1] == 0

def threads():
    turns = Turns()
    held = turns.enter("a", 0)

    def child():
        assert not turns.busy("a")
        held.leave()
        turn = turns.enter("a", 0)
        assert turn.inherited is None and turns.busy("a")
        turn.leave()
        assert turns._by_id == {}

    forked(turns, child)
    assert turns.busy("a")
    held.leave()
    assert turns._by_id == {}

async def tasks():
    turns = AsyncTurns()
    held = await turns.enter("a", 0)

    async def child():
        assert not turns.busy("a")
        held.leave()
        turn = await turns.enter("a", 0)
        assert turn.inherited is None and turns.busy("a")
        turn.leave()
        assert turns._by_id == {}

    forked(turns, lambda: asyncio.run(child()))
    assert turns.busy("a")
    held.leave()
    assert turns._by_id == {}

threads()
asyncio.run(tasks())
"""


def test_the_child_of_a_fork_begins_without_queues() -> None:
    assert hasattr(os, "fork")
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=60)
