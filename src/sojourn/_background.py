"""Garbage collection beside the application: a thread, or a task of the event loop.

A sweep that fails is logged and tried again at its next turn.  A thread does not outlive a fork:
start it in the worker, not before.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

from sojourn._events import logger


class Background:
    """Calls `sweep` every `interval` seconds in a daemon thread."""

    def __init__(self, sweep: Callable[[], int], interval: float) -> None:
        self._sweep = sweep
        self._interval = interval
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sojourn-gc", daemon=True)
        self._thread.start()

    @property
    def runs(self) -> bool:
        """Whether it still does; not so in the child of a fork."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Let the sweep under way end, and no other begin."""
        self._stopped.set()
        self._thread.join()

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
        self._task = asyncio.get_running_loop().create_task(self._run())

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
