"""Sessions in Quart: `quart.session` becomes a session of Sojourn, also in WebSockets.

The ASGI middleware starts and releases the session, outside of all that Quart does; Quart's session
interface only passes it on.  If no middleware ran (in `test_request_context`, and in the test
client's `session_transaction`), the interface starts and releases a session itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

import quart
from quart.sessions import SessionInterface as QuartSessionInterface
from quart.wrappers.base import BaseRequestWebsocket
from werkzeug.datastructures import Headers

from sojourn import AsyncProvider, Provider
from sojourn.errors import StoreError
from sojourn.manager import AsyncManager
from sojourn.web import asgi
from sojourn.web._flask_quart import check, check_interface, commands, unavailable
from sojourn.web._flask_quart_session import FlaskSession as QuartSession
from sojourn.web._flask_quart_session import LoneSession, UnansweredSession, is_open
from sojourn.web._flask_quart_settings import Settings
from sojourn.web._lifespan import Receive, Scope, Send
from sojourn.web._merging import merged
from sojourn.web._quiet import Quiet
from sojourn.web._versions import require

__all__ = ["QuartSession", "SessionInterface", "install", "session"]

_KEY = "session"

session = cast("QuartSession", quart.session)
"""`quart.session`, typed for type checkers: the session of the current request or WebSocket."""


class SessionInterface(QuartSessionInterface):
    """Provides Quart with the session of a request or a WebSocket."""

    def __init__(self, manager: AsyncManager, settings: Settings) -> None:
        self._manager, self._settings = manager, settings

    async def open_session(self, _: quart.Quart, request: BaseRequestWebsocket) -> Any:
        """Return the middleware's session; if it cannot be used, start and return another."""
        session: Any = request.scope.get(_KEY)
        if session is not None and is_open(session):
            return QuartSession.adopt(session)
        self._settings.follow(self._manager)
        https = request.scheme in ("https", "wss")
        begun = await self._manager.start(request.headers.items(), https=https)
        return (LoneSession if session is None else UnansweredSession).adopt(begun)

    async def save_session(self, _: quart.Quart, session: Any, response: Any) -> None:
        """Release a session that `open_session` started; the middleware releases all others."""
        self._settings.follow(self._manager)
        if isinstance(session, LoneSession):
            answered = not isinstance(session, UnansweredSession)
            release = await self._manager.release(session, headers=answered)
            response.headers = Headers(merged(response.headers, release.headers))


def install(
    app: quart.Quart,
    provider: str | Provider | AsyncProvider,
    *,
    clock: Callable[[], float] | None = None,
    quiet: Quiet = False,
    **settings: Any,
) -> AsyncManager:
    """Make `quart.session` a session of Sojourn in this application; return the manager.

    provider: the store of the sessions: a provider, a registered name, or the URL of a store.
    clock: a function that returns the seconds since the epoch, for tests; None is `time.time`.
    quiet: the requests that read their session only at `await session.load()`: True for all, paths
        such as "/static/*", or a function that is given the ASGI scope.
    settings: settings of `Config` for which Quart has no setting.  Quart's settings are read
        from `app.config`, at each request.

    Raises ConfigError for a wrong setting, a second call, a call while the application is served,
    and a Quart older than 0.20.  Later, a request raises it if a setting is wrong by then, or if
    `app.session_interface` has been replaced.
    """
    require("quart", "0.20")
    check(app, provider, served=hasattr(app, "shutdown_event"))
    app.register_error_handler(StoreError, unavailable)
    said = Settings(app, settings)
    manager = AsyncManager(provider, said.config, clock=clock)
    cast("Any", app).session_interface = SessionInterface(manager, said)
    served = asgi.SessionMiddleware(app.asgi_app, manager, key=_KEY, quiet=quiet)

    async def checked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            check_interface(app, SessionInterface)
            said.follow(manager)
        await served(scope, receive, send)

    cast("Any", app).asgi_app = checked  # type checkers refuse to replace a method
    app.extensions["sojourn"] = manager
    gc, count = partial(_run, manager, manager.gc), partial(_run, manager, manager.active_count)
    app.cli.add_command(commands(gc, count))
    return manager


def _run(manager: AsyncManager, command: Callable[[], Awaitable[int]]) -> int:
    """Return the result of a command, run in a new event loop; close the manager after it."""

    async def ask() -> int:
        try:
            return await command()
        finally:
            await manager.close()

    return asyncio.run(ask())
