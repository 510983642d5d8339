"""The running event loop of asyncio, and work in it that a cancellation does not interrupt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from sojourn.errors import ConfigError

T = TypeVar("T")
_undisturbed: set[asyncio.Future[Any]] = set()
"""The tasks of `async_undisturbed`: an event loop has only weak references to its tasks."""


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the running event loop.  Raises ConfigError if no loop of asyncio is running."""
    try:
        return asyncio.get_running_loop()
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
    task = asyncio.ensure_future(work(*args))
    _undisturbed.add(task)
    task.add_done_callback(_undisturbed.discard)
    return await asyncio.shield(task)
