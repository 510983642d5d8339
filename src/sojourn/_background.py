"""Garbage collection beside the application: a thread, or a task of the event loop.

A sweep that fails is logged and tried again at its next turn.  A child of `fork` has no thread of
its parent: start it in the worker, not before.
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


def undisturbed(work: Callable[..., T], *args: Any) -> T:
    """Do some work to its end; a thread is not cancelled in the middle."""
    return work(*args)


async def async_undisturbed(work: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
    """Do some work to its end, though the task of the caller may be cancelled."""
    task = asyncio.ensure_future(work(*args))
    _undisturbed.add(task)  # the event loop itself keeps no task alive
    task.add_done_callback(_undisturbed.discard)
    return await asyncio.shield(task)


class Background:
    """Calls `sweep` every `interval` seconds in a daemon thread."""

    def __init__(self, sweep: Callable[[], int], interval: float) -> None:
        self._sweep = sweep
        self._interval = interval
        self._pid = os.getpid()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sojourn-gc", daemon=True)
        self._thread.start()

    @property
    def runs(self) -> bool:
        """Whether it still does; not so in the child of a fork."""
        # After a fork in C, Python takes the threads of the parent for its own.
        return self._is_ours() and self._thread.is_alive()

    def stop(self) -> None:
        """Let the sweep under way end, and no other begin."""
        if self._is_ours():
            self._stopped.set()
            self._thread.join()

    def _is_ours(self) -> bool:
        return self._pid == os.getpid()

    def _run(self) -> None:
        while not self._stopped.wait(self._interval):
            try:
                self._sweep()
            except Exception:  # noqa: BLE001 - whatever it was, the next sweep shall come
                logger.exception("a sweep of the garbage collection failed")


class AsyncBackground:
    """Calls `sweep` every `interval` seconds in a task of the running loop."""

    def __init__(self, sweep: Callable[[], Awaitable[int]], interval: float) -> None:
        self._sweep = sweep
        self._interval = interval
        self._task = running_loop().create_task(self._run())

    @property
    def runs(self) -> bool:
        """Whether it still does; not so once its loop is closed."""
        return not self._task.done() and not self._task.get_loop().is_closed()

    async def stop(self) -> None:
        """End it, in the middle of a sweep too; one of another loop ends in that loop's time."""
        loop = self._task.get_loop()
        if loop is asyncio.get_running_loop():
            self._task.cancel()
            await asyncio.wait([self._task])
        elif not loop.is_closed():
            loop.call_soon_threadsafe(self._task.cancel)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self._sweep()
            except Exception:  # noqa: BLE001 - whatever it was, the next sweep shall come
                logger.exception("a sweep of the garbage collection failed")
