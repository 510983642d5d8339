"""The threads in which an event loop has its blocking calls made."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sojourn.providers.thread_executor import ThreadExecutor
from tests.providers.test_pool import switching_often
from tests.servers.process import BUSY

SIZE = 5


async def test_calls_that_wait_for_each_other_find_a_thread_each() -> None:
    """No wake-up is lost, whatever the threads were doing before."""
    executor = ThreadExecutor(SIZE)
    with switching_often():
        for number in range(300):
            together = threading.Barrier(number % SIZE + 1, timeout=BUSY)
            await asyncio.gather(*(executor.run(together.wait) for _ in range(together.parties)))


async def test_no_more_threads_are_started_than_calls_run_at_once() -> None:
    before, executor = set(threading.enumerate()), ThreadExecutor(SIZE)
    for _ in range(20):
        await executor.run(int)
    assert len(set(threading.enumerate()) - before) == 1
    await asyncio.gather(*(executor.run(int) for _ in range(10 * SIZE)))
    assert len(set(threading.enumerate()) - before) <= SIZE


@pytest.mark.parametrize("error", [LookupError("no"), asyncio.CancelledError(), GeneratorExit()])
async def test_an_exception_is_the_callers(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        await ThreadExecutor(1).run(raising, error)
    assert caught.value is error
    assert caught.traceback[-1].name == "raising"


async def test_a_stop_iteration_becomes_an_error_as_in_any_coroutine() -> None:
    """A future refuses it, and the caller would wait for ever."""
    with pytest.raises(RuntimeError, match="StopIteration"):
        await ThreadExecutor(1).run(next, iter(()))


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_program_ends_the_loop_and_no_thread(error: type[BaseException]) -> None:
    executor, loop = ThreadExecutor(1), asyncio.new_event_loop()
    with pytest.raises(error):
        loop.run_until_complete(executor.run(raising, error()))
    assert loop.run_until_complete(executor.run(int)) == 0
    loop.close()


async def test_a_call_goes_on_though_its_task_is_cancelled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    executor, gate, done = ThreadExecutor(2), threading.Event(), threading.Event()

    def call() -> None:
        gate.wait(BUSY)
        done.set()
        raise LookupError

    task = asyncio.create_task(executor.run(call))
    await executor.run(int)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()
    assert await executor.run(done.wait, BUSY)
    gc.collect()
    assert not caplog.records, "an error of which nobody may hear any more"


def test_a_loop_that_is_closed_meanwhile_is_left_alone(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised, before = list[Any](), set(threading.enumerate())
    monkeypatch.setattr(threading, "excepthook", raised.append)
    executor, gate, done = ThreadExecutor(1), threading.Event(), threading.Event()

    async def leave(executor: ThreadExecutor) -> None:
        for call, args in ((gate.wait, [BUSY]), (done.set, [])):
            executor.run(call, *args).send(None)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave(executor))
    loop.close()
    gate.set()
    assert done.wait(BUSY)
    del loop, executor
    gc.collect()
    for thread in set(threading.enumerate()) - before:
        thread.join(BUSY)
    assert set(threading.enumerate()) <= before
    assert not raised
    assert not caplog.records


def test_loops_in_threads_have_threads_of_their_own() -> None:
    executor = ThreadExecutor(SIZE)

    async def loop(number: int) -> None:
        for _ in range(50):
            together = threading.Barrier(SIZE, timeout=BUSY)
            calls = [executor.run(waited, together, number) for _ in range(SIZE)]
            assert await asyncio.gather(*calls) == [number] * SIZE

    with switching_often(), ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(asyncio.run, loop(number)) for number in range(4)]:
            done.result()


async def test_an_idle_thread_keeps_nothing_alive() -> None:
    class Thing:
        def fail(self) -> None:
            raise LookupError

    thing, executor = Thing(), ThreadExecutor(1)
    gone = weakref.ref(thing)
    with pytest.raises(LookupError):
        await executor.run(thing.fail)
    del thing
    # A call to the one thread: before it, the thread has let go of the last one.
    await executor.run(int)
    assert gone() is None


async def test_a_call_runs_outside_of_the_callers_context() -> None:
    """As in asyncio's executor: what a provider must know, it is told."""
    variable = contextvars.ContextVar("variable", default="none")
    variable.set("request")
    assert await ThreadExecutor(1).run(variable.get) == "none"


async def test_calls_share_the_threads_that_the_system_gives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    executor = ThreadExecutor(SIZE)
    assert await executor.run(int) == 0
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert await asyncio.gather(*(executor.run(int) for _ in range(9))) == [0] * 9
        with pytest.raises(RuntimeError, match="start new thread"):
            await ThreadExecutor(SIZE).run(int)
    together = threading.Barrier(SIZE, timeout=BUSY)
    await asyncio.gather(*(executor.run(together.wait) for _ in range(SIZE)))


END = """
import asyncio, sys, threading, time
from sojourn.providers import thread_executor

thread_executor.PATIENCE = float(sys.argv[1])

async def main():
    executor = thread_executor.ThreadExecutor(1)
    calls = [executor.run(time.sleep, float(sys.argv[2])), executor.run(print, "written")]
    tasks = [asyncio.create_task(call) for call in calls]
    await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("patience", "seconds", "written"), [(4 * BUSY, 0.2, "written\n"), (0.1, 1000.0, "")]
)
def test_a_process_ends_after_its_calls_but_waits_for_none_that_hangs(
    patience: float, seconds: float, written: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", END, str(patience), str(seconds)],
        capture_output=True,
        text=True,
        check=True,
        timeout=8 * BUSY,
    )
    assert (ended.stdout, ended.stderr) == (written, "")


LATE = """
import asyncio, atexit

def close():
    print(loop.run_until_complete(executor.run(len, "abc")))

atexit.register(close)  # it is called last

from sojourn.providers.thread_executor import ThreadExecutor

loop, executor = asyncio.new_event_loop(), ThreadExecutor(1)
loop.run_until_complete(executor.run(int))
"""


def test_a_process_may_close_its_store_at_its_very_end() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LATE], capture_output=True, text=True, check=True, timeout=4 * BUSY
    )
    assert (ended.stdout, ended.stderr) == ("3\n", "")


def raising(error: BaseException) -> None:
    raise error


def waited(together: threading.Barrier, answer: Callable[[], int] | int) -> Any:
    together.wait()
    return answer
