"""Threads that make the blocking calls of an event loop, for half the cost of asyncio's own.

A call costs a put on a queue and one `call_soon_threadsafe` for the answer; asyncio's executor adds
a second future and its locks.  Each event loop of each process has threads of its own: a child of
`fork` begins without any, and the threads of a loop end when the loop is garbage-collected.

Only the loop's own thread counts its calls, before it queues one and when an answer arrives.  So
the count needs no lock, and is never below the number of calls that wait or run: below the limit,
each call finds a thread that no other call occupies.

The threads are daemons, so that a call that hangs does not keep the process from ending.  Other
calls, such as the write of a task that was cancelled at the shutdown, are waited for.
"""

from __future__ import annotations

import atexit
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary, WeakSet

from sojourn._loops import running_loop
from sojourn._processes import PerProcess

T = TypeVar("T")
Outcome = tuple[Any, BaseException | None]
"""The result of a call, or the exception that it raised."""
Answer = Future[Outcome]
Entry = tuple["_Threads", Answer, Callable[..., Any], tuple[Any, ...]]
"""A call in the queue."""

PATIENCE = 5.0
"""Seconds for which the end of the process waits for calls that are still running."""


class ThreadExecutor:
    """Makes calls in at most `size` threads for each event loop."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._loops = PerProcess(WeakKeyDictionary[AbstractEventLoop, _Threads])

    async def run(self, call: Callable[..., T], *args: Any) -> T:
        """Make a call in a thread; return its result or raise its exception.

        The call runs to its end even if the caller's task is cancelled or its loop is closed.
        Raises RuntimeError if the system does not let this process start its first thread.
        """
        loop, loops = running_loop(), self._loops()
        threads = loops.get(loop) or loops.setdefault(loop, _Threads(self._size))
        result, error = await threads.submit(loop.create_future(), call, args)
        if error is None:
            return cast("T", result)
        # Raised here and not by the future, which accepts no StopIteration, and which would log an
        # error that nobody waits for after a cancellation.
        try:
            raise error
        finally:
            del error  # it refers to this frame by its traceback


class _Threads:
    """The threads of one event loop.  Its methods run in the thread of that loop."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._threads: list[Thread] = []
        self._calls: SimpleQueue[Entry | None] = SimpleQueue()
        self._unanswered = 0
        _in_use().add(self)

    def submit(self, answer: Answer, call: Callable[..., Any], args: tuple[Any, ...]) -> Answer:
        """Queue a call, start a thread if all may be occupied, and return `answer`."""
        # Counted first.  If this method is interrupted, the count stays too high, which starts a
        # thread too early; too low a count would leave a call without one.
        self._unanswered += 1
        if len(self._threads) < min(self._unanswered, self._size):
            self._start_thread()
        self._calls.put((self, answer, call, args))
        return answer

    def answered(self, answer: Answer, outcome: Outcome) -> None:
        """Take the outcome of a call."""
        self._unanswered -= 1
        if not answer.done():  # it is done if the caller's task was cancelled
            answer.set_result(outcome)

    def end(self) -> list[Thread]:
        """Let the threads end after the calls that are queued; return them."""
        ending, self._threads = self._threads, []  # a later call starts a new thread
        for _ in ending:
            self._calls.put(None)
        return ending

    def __del__(self) -> None:
        self.end()

    def _start_thread(self) -> None:
        # It knows the queue and not this object, which could not be garbage-collected otherwise.
        thread = Thread(target=_work, args=(self._calls,), name="sojourn-call", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            if not self._threads:
                raise
            return  # the system gives no more threads: the others make this call
        self._threads.append(thread)


def _work(calls: SimpleQueue[Entry | None]) -> None:
    """Make calls until None comes; the target of a thread."""
    while (entry := calls.get()) is not None:
        threads, answer, call, args = entry
        outcome = _outcome(call, args)
        with suppress(RuntimeError):  # the loop is closed, so nobody waits for the answer
            answer.get_loop().call_soon_threadsafe(threads.answered, answer, outcome)
        # Neither the next wait of this thread, nor the traceback of an exception, which leads to
        # this frame, may keep the loop or the arguments alive.
        del entry, threads, answer, call, args, outcome


def _outcome(call: Callable[..., Any], args: tuple[Any, ...]) -> Outcome:
    try:
        return call(*args), None
    except BaseException as error:  # noqa: BLE001 - the task that made the call gets it
        return None, error


# -- the end of the process ------------------------------------------------------------------------

_in_use = PerProcess(WeakSet[_Threads])


def _end_all() -> None:
    deadline = monotonic() + PATIENCE
    ending = [thread for threads in list(_in_use()) for thread in threads.end()]
    for thread in ending:
        thread.join(max(deadline - monotonic(), 0.0))


atexit.register(_end_all)
