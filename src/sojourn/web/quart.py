"""Sessions in Quart: `quart.session` is Sojourn's, in requests and in WebSockets.

The ASGI middleware starts and releases a session, around all that Quart does; Quart's session
interface only hands it over.  Where no middleware ran (`test_request_context`, and the test
client's `session_transaction`) the interface starts and releases one itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, cast

import quart
from quart.sessions import SessionInterface as QuartSessionInterface
from quart.wrappers.base import BaseRequestWebsocket
from werkzeug.datastructures import Headers

from sojourn import AsyncProvider, Provider
from sojourn.errors import ConfigError, StoreError
from sojourn.manager import AsyncManager
from sojourn.web import asgi
from sojourn.web._headers import merged
from sojourn.web._pallets import FlaskSession as QuartSession
from sojourn.web._pallets import LoneSession, check, commands, unavailable
from sojourn.web._pallets_settings import config_of
from sojourn.web._versions import require

__all__ = ["QuartSession", "SessionInterface", "install", "session"]

_KEY = "session"

session = cast("QuartSession", quart.session)
"""`quart.session`, for type checkers: the session of the current request or WebSocket."""


class SessionInterface(QuartSessionInterface):
    """Hands Quart the session of a request or a WebSocket."""

    def __init__(self, manager: AsyncManager) -> None:
        self._manager = manager

    async def open_session(self, _: quart.Quart, request: BaseRequestWebsocket) -> Any:
        """Return the middleware's session; one of its own where there is no middleware."""
        session: Any = request.scope.get(_KEY)
        if session is not None:
            return QuartSession.adopt(session)
        https = request.scheme in ("https", "wss")
        return LoneSession.adopt(await self._manager.start(request.headers.items(), https=https))

    async def save_session(self, _: quart.Quart, session: Any, response: Any) -> None:
        """Release what `open_session` started; the middleware releases its own."""
        if isinstance(session, LoneSession):
            release = await self._manager.release(session)
            response.headers = Headers(merged(response.headers, release.headers))


def install(
    app: quart.Quart, provider: str | Provider | AsyncProvider, **settings: Any
) -> AsyncManager:
    """Let `quart.session` be Sojourn's in this application; return the manager.

    provider: where sessions are stored, or the name of a registered provider.
    settings: those of `Config` that Quart has none for; Quart's are read from `app.config` now.

    Raises ConfigError for a wrong setting, a second call, one while the application is served,
    and a Quart before 0.20.
    """
    require("quart", "0.20")
    check(app, provider)
    if hasattr(app, "shutdown_event"):
        raise ConfigError("install: the application is served already, call it before that")
    app.register_error_handler(StoreError, unavailable)
    manager = AsyncManager(provider, config_of(app.config, settings))
    served: Any = app  # for type checkers `asgi_app` is a method
    served.session_interface = SessionInterface(manager)
    served.asgi_app = asgi.SessionMiddleware(served.asgi_app, manager, key=_KEY)
    app.extensions["sojourn"] = manager
    app.cli.add_command(
        commands(lambda: _run(manager.gc(), manager), lambda: _run(manager.active_count(), manager))
    )
    return manager


def _run(asked: Awaitable[int], manager: AsyncManager) -> int:
    """The answer to a command, which has an event loop of its own."""

    async def ask() -> int:
        try:
            return await asked
        finally:
            await manager.close()

    return asyncio.run(ask())
