"""The running event loop of asyncio, and what is awaited in it.

This module does not import asyncio until a function needs it, and the modules above have asyncio
from here alone: the import takes longer than that of all of Sojourn, and a synchronous application
does without it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from sojourn.errors import ConfigError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future, Lock, Task

T = TypeVar("T")
_undisturbed: set[Future[Any]] = set()
"""The tasks of `async_undisturbed`: an event loop has only weak references to its tasks."""


def running_loop() -> AbstractEventLoop:
    """Return the running event loop.  Raises ConfigError if no loop of asyncio is running."""
    from asyncio import get_running_loop

    try:
        return get_running_loop()
    except RuntimeError:
        raise ConfigError(
            "no event loop of asyncio is running: AsyncManager works under asyncio alone. Under trio "
            'take a server or a test client with asyncio, such as TestClient(app, backend="asyncio"), '
            "or a Manager in threads"
        ) from None


def undisturbed(work: Callable[..., T], *args: Any) -> T:
    """Call a function; the sync twin of `async_undisturbed`, as a thread cannot be cancelled."""
    return work(*args)


async def async_undisturbed(work: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
    """Await a coroutine function, which runs to its end even if the caller's task is cancelled."""
    from asyncio import ensure_future, shield

    task = ensure_future(work(*args))
    _undisturbed.add(task)
    task.add_done_callback(_undisturbed.discard)
    return await shield(task)


async def async_sleep(seconds: float) -> None:
    """Pause a task; the twin of `time.sleep`."""
    from asyncio import sleep

    await sleep(seconds)


def async_lock() -> Lock:
    """Return a new lock for tasks."""
    from asyncio import Lock

    return Lock()


async def async_join(task: Task[Any]) -> None:
    """Wait until a task has ended, whatever its outcome."""
    from asyncio import wait

    # `await task` would raise the CancelledError of the task here, where it would look like a
    # cancellation of the caller.
    await wait([task])
