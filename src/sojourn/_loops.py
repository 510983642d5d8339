"""The event loop of whoever calls: one of asyncio, or an error that says so."""

from __future__ import annotations

import asyncio

from sojourn.errors import ConfigError


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the running event loop; raise ConfigError if there is none of asyncio."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigError(
            "no event loop of asyncio is running: AsyncManager works under asyncio alone. Under trio "
            'take a server or a test client with asyncio, such as TestClient(app, backend="asyncio"), '
            "or a Manager in threads"
        ) from None
