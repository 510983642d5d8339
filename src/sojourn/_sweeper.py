"""Repeated sweeps in the background: in a thread for `Manager`, in a task for `AsyncManager`.

The workers of an application usually share one store, so they take turns: a worker sweeps only if
it obtains the lease, a record in the store that expires before the next sweep is due.  The others
read the lease and do nothing.  The lease is a tombstone, so no list and no count contains it, and
`gc` deletes it once it has expired.  It only saves work: nothing breaks if two workers sweep, so a
worker for which the store refuses the lease sweeps without it.

A sweep that fails is logged, and its worker omits its next turn, so that another one may try.  The
thread does not survive a fork, so it has to be started in the worker process, not before.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable

from sojourn._events import logger
from sojourn._loops import async_join, async_sleep, running_loop
from sojourn.errors import CorruptRecord
from sojourn.providers.base import AsyncProvider, Provider
from sojourn.record import Record

LEASE = "0" * 32
"""The id of the lease.  No session has it, since ids are hashes of random tokens.  It is as short as
an id may be, so that it fits the column of any table."""
NOWHERE = "f" * 32
"""The id to which the lease, as a tombstone, leads; no session has it either."""
VALID_FOR = 0.9
"""The fraction of the interval for which a lease is valid.

It must expire before its holder's next sweep, and if the holder dies, another worker should take
over soon.
"""
REFUSED = "the store refused the lease for a sweep; this process sweeps without it"


class Lease:
    """The right to sweep a store that several processes share."""

    def __init__(self, provider: Provider, now: Callable[[], float], interval: float) -> None:
        self._provider = provider
        self._now = now
        self._seconds = interval * VALID_FOR
        # A store that other processes cannot reach has a provider with `shared = False`.
        self._shared = getattr(provider, "shared", True)

    def acquire(self) -> bool:
        """Return whether this process should sweep now.  Raises StoreError if the store fails."""
        if not self._shared:
            return True
        now = self._now()
        mine = Record(LEASE, {}, now, now, now + self._seconds, successor=NOWHERE)
        try:
            stored = self._provider.read(LEASE)
        except CorruptRecord:
            self._provider.destroy(LEASE)
            stored = None
        if stored is None:
            # If the store refuses this lease and shows no other one, nobody would ever sweep.
            return self._provider.create(mine) or self._provider.read(LEASE) is None
        if self._is_valid(stored, now):
            return False
        ended = self._provider.destroy(LEASE)
        if ended is None:
            # Of several processes that destroy an expired lease at once, one gets it.
            return False
        if self._is_valid(ended, now):
            # Since `read`, another process has replaced the expired lease by its own: put it back.
            self._provider.create(ended)
            return False
        return self._provider.create(mine)

    def _is_valid(self, lease: Record, now: float) -> bool:
        # The second comparison ignores a lease from a machine whose clock is far ahead, and that of
        # a worker with a longer interval.
        return now < lease.expires <= now + self._seconds


class AsyncLease:
    """The right to sweep a store that several processes share."""

    def __init__(self, provider: AsyncProvider, now: Callable[[], float], interval: float) -> None:
        self._provider = provider
        self._now = now
        self._seconds = interval * VALID_FOR
        # A store that other processes cannot reach has a provider with `shared = False`.
        self._shared = getattr(provider, "shared", True)

    async def acquire(self) -> bool:
        """Return whether this process should sweep now.  Raises StoreError if the store fails."""
        if not self._shared:
            return True
        now = self._now()
        mine = Record(LEASE, {}, now, now, now + self._seconds, successor=NOWHERE)
        try:
            stored = await self._provider.read(LEASE)
        except CorruptRecord:
            await self._provider.destroy(LEASE)
            stored = None
        if stored is None:
            # If the store refuses this lease and shows no other one, nobody would ever sweep.
            return await self._provider.create(mine) or await self._provider.read(LEASE) is None
        if self._is_valid(stored, now):
            return False
        ended = await self._provider.destroy(LEASE)
        if ended is None:
            # Of several processes that destroy an expired lease at once, one gets it.
            return False
        if self._is_valid(ended, now):
            # Since `read`, another process has replaced the expired lease by its own: put it back.
            await self._provider.create(ended)
            return False
        return await self._provider.create(mine)

    def _is_valid(self, lease: Record, now: float) -> bool:
        # The second comparison ignores a lease from a machine whose clock is far ahead, and that of
        # a worker with a longer interval.
        return now < lease.expires <= now + self._seconds


class Sweeper:
    """Sweeps in a daemon thread every `interval` seconds, from its creation until `stop`."""

    def __init__(self, sweep: Callable[[], int], interval: float, lease: Lease) -> None:
        self._sweep = sweep
        self._interval = interval
        self._lease = lease
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
        pause = self._interval
        while not self._stopped.wait(min(pause, threading.TIMEOUT_MAX)):
            pause = self._interval
            try:
                if self._is_due():
                    self._sweep()
            except Exception:  # noqa: BLE001 - no error may prevent the next sweep
                logger.exception("a sweep failed")
                # It omits its next turn, since another worker may have the rights that it lacks.
                pause *= 2

    def _is_due(self) -> bool:
        try:
            return self._lease.acquire()
        except Exception:  # noqa: BLE001 - no error of the lease may prevent the sweep
            # A full store takes no lease, and it is the sweep that makes room in it.
            logger.warning(REFUSED, exc_info=True)
            return True


class AsyncSweeper:
    """Sweeps in a task of the running loop every `interval` seconds, until `stop`."""

    def __init__(
        self, sweep: Callable[[], Awaitable[int]], interval: float, lease: AsyncLease
    ) -> None:
        self._sweep = sweep
        self._interval = interval
        self._lease = lease
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
        if loop is running_loop():
            self._task.cancel()
            await async_join(self._task)
        elif not loop.is_closed():
            loop.call_soon_threadsafe(self._task.cancel)

    async def _run(self) -> None:
        pause = self._interval
        while True:
            await async_sleep(pause)
            pause = self._interval
            try:
                if await self._is_due():
                    await self._sweep()
            except Exception:  # noqa: BLE001 - no error may prevent the next sweep
                logger.exception("a sweep failed")
                # It omits its next turn, since another worker may have the rights that it lacks.
                pause *= 2

    async def _is_due(self) -> bool:
        try:
            return await self._lease.acquire()
        except Exception:  # noqa: BLE001 - no error of the lease may prevent the sweep
            # A full store takes no lease, and it is the sweep that makes room in it.
            logger.warning(REFUSED, exc_info=True)
            return True
