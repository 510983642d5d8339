"""Sessions in ASGI applications (ASGI 3).

A session is released before the first byte of the response is sent, because its cookie is sent in
the head, ahead of the body.  So the head of a response is held back until the message that follows
it; the head of a WebSocket is its `accept` or `close`.  Changes made before that point are saved,
unless an error or a cancellation comes first; a later change raises `SessionReleased`.
"""

from __future__ import annotations

from operator import itemgetter

from sojourn._events import logger
from sojourn.errors import ConfigError
from sojourn.manager import AsyncManager
from sojourn.web._asgi_response import Response
from sojourn.web._headers import replaced, taken
from sojourn.web._lifespan import App, Lifespan, Receive, Scope, Send
from sojourn.web._quiet import Quiet, quiet_rule

__all__ = ["App", "Receive", "Scope", "Send", "SessionMiddleware"]


class SessionMiddleware:
    """Gives each request and each WebSocket a session, in `scope["session"]`.

    If a release fails, the application's response is not sent, and each further message of the
    application raises.  A StoreError is answered with 503.  Any other error (EncodeError,
    SessionTooLarge) is raised to the server, which has sent nothing yet.  The manager's garbage
    collection starts with the server's lifespan, and the manager is closed at its end.
    """

    def __init__(
        self, app: App, manager: AsyncManager, *, key: str = "session", quiet: Quiet = False
    ) -> None:
        """Wrap `app`, with sessions of `manager`.

        key: the key of the session in the scope; a second manager needs another key.
        quiet: the requests that do not read their session before the application runs: True for
            all, paths such as "/health" or "/static/*", or a function that is given the scope.
            There, `await session.load()` has to come before the first use.

        Raises ConfigError if `manager` is not an AsyncManager, and for a wrong `quiet`.
        """
        if not isinstance(manager, AsyncManager):
            raise ConfigError(
                f"sojourn.web.asgi needs an AsyncManager, not {type(manager).__name__}: "
                "a Manager belongs to sojourn.web.wsgi"
            )
        self._app = app
        self._manager = manager
        self._key = key
        self._is_quiet = quiet_rule(quiet, itemgetter("path"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope.  Raises ConfigError if the scope already has a value under `key`."""
        if scope["type"] == "lifespan":
            await Lifespan(self._manager, receive, send).run(self._app, scope)
        elif scope["type"] in ("http", "websocket"):
            await self._serve(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._key in scope:
            raise ConfigError(taken(self._key))
        https = scope.get("scheme") in ("https", "wss")
        response = Response(self._manager, scope, send)
        try:
            if self._is_quiet(scope):
                session = self._manager.start_lazily(scope["headers"], https=https)
            else:
                session = await self._manager.start(scope["headers"], https=https)
            response.session = session
            # A copy: the server's scope is not ours to change, and this one is compared below.
            inner = {**scope, self._key: session}
            await self._app(inner, receive, response.send)
            await response.end()
            if inner.get(self._key) is not session:
                logger.warning(replaced(self._key))
        except Exception as error:  # noqa: BLE001 - `fail` raises it again, or answers 503
            await response.fail(error)
        except BaseException as error:
            # A cancellation, for instance: no answer is due, but other tasks may still send.
            response.give_up(error)
            raise
