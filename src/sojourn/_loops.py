"""The running event loop, with a clear error if it is not one of asyncio."""

from __future__ import annotations

import asyncio

from sojourn.errors import ConfigError


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
