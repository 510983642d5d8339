"""Background work: repeated sweeps in a thread or a task, and work that must not be cancelled.

A sweep that fails is logged, and the next one follows after the usual interval.  The thread does
not survive a fork, so it has to be started in the worker process, not before.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from sojourn._events import logger
from sojourn._loops import running_loop

T = TypeVar("T")
_undisturbed: set[asyncio.Future[Any]] = set()
"""The tasks of `async_undisturbed`: an event loop has only weak references to its tasks."""


def undisturbed(work: Callable[..., T], *args: Any) -> T:
    """Call a function; the sync twin of `async_undisturbed`, as a thread cannot be cancelled."""
    return work(*args)


async def async_undisturbed(work: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
    """Await a coroutine function, which runs to its end even if the caller's task is cancelled."""
    task = asyncio.ensure_future(work(*args))
    _undisturbed.add(task)
    task.add_done_callback(_undisturbed.discard)
    return await asyncio.shield(task)


class Background:
    """Calls `sweep` every `interval` seconds in a daemon thread, from its creation until `stop`."""

    def __init__(self, sweep: Callable[[], int], interval: float) -> None:
        self._sweep = sweep
        self._interval = interval
        self._pid = os.getpid()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sojourn-gc", daemon=True)
        self._thread.start()

    @property
    def runs(self) -> bool:
        """Whether the thread is running; False in the child of a fork."""
        # After a fork in C code, Python does not notice that the parent's threads do not exist, so
        # `is_alive` alone would return True.
        return self._is_ours() and self._thread.is_alive()

    def stop(self) -> None:
        """Stop the thread, and wait for the end of a sweep under way."""
        # In the child of a fork in C code, `join` would wait for ever for a thread that is not there.
        if self._is_ours():
            self._stopped.set()
            self._thread.join()

    def _is_ours(self) -> bool:
        return self._pid == os.getpid()

    def _run(self) -> None:
        while not self._stopped.wait(self._interval):
            try:
                self._sweep()
            except Exception:  # noqa: BLE001 - no error may prevent the next sweep
                logger.exception("a sweep of the garbage collection failed")


class AsyncBackground:
    """Calls `sweep` every `interval` seconds in a task of the running loop, until `stop`."""

    def __init__(self, sweep: Callable[[], Awaitable[int]], interval: float) -> None:
        self._sweep = sweep
        self._interval = interval
        self._task = running_loop().create_task(self._run())

    @property
    def runs(self) -> bool:
        """Whether the task is running; False once its loop is closed."""
        # A task that was pending when its loop was closed never becomes done.
        return not self._task.done() and not self._task.get_loop().is_closed()

    async def stop(self) -> None:
        """Cancel the task, even during a sweep.

        If it belongs to another loop, the cancellation is only scheduled there.
        """
        loop = self._task.get_loop()
        if loop is asyncio.get_running_loop():
            self._task.cancel()
            # Unlike `await self._task`, this does not raise the task's CancelledError here, where
            # it would look like a cancellation of the caller.
            await asyncio.wait([self._task])
        elif not loop.is_closed():
            loop.call_soon_threadsafe(self._task.cancel)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self._sweep()
            except Exception:  # noqa: BLE001 - no error may prevent the next sweep
                logger.exception("a sweep of the garbage collection failed")
