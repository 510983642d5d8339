"""Sessions in ASGI applications (ASGI 3).

A session is released before the first byte of its response, since its cookie travels ahead of
the body.  So the head of a response is held back until the first message after it, and that of a
WebSocket is its `accept` or `close`.  Up to then every change is saved, and an error or a
cancellation saves nothing; from then on a change raises `SessionReleased`.
"""

from __future__ import annotations

from sojourn._events import logger
from sojourn.errors import ConfigError, StoreError
from sojourn.manager import AsyncManager
from sojourn.web._asgi_response import Response
from sojourn.web._headers import replaced, taken
from sojourn.web._lifespan import App, Lifespan, Receive, Scope, Send


class SessionMiddleware:
    """Gives each request and each WebSocket its session, in `scope["session"]`.

    A StoreError is answered with 503.  What else a release raises (EncodeError,
    SessionTooLarge) goes to the server, which has sent nothing yet.  With the server's lifespan
    the manager's garbage collection starts, and the manager is closed.
    """

    def __init__(self, app: App, manager: AsyncManager, *, key: str = "session") -> None:
        """Put the sessions of `manager` before `app`.  Raises ConfigError for a Manager.

        key: where the session stands in the scope; a second manager needs another one.
        """
        if not isinstance(manager, AsyncManager):
            raise ConfigError(
                f"sojourn.web.asgi needs an AsyncManager, not {type(manager).__name__}: "
                "a Manager belongs to sojourn.web.wsgi"
            )
        self._app = app
        self._manager = manager
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope.  Raises ConfigError if something stands under `key` already."""
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
            response.session = await self._manager.start(scope["headers"], https=https)
            inner = {**scope, self._key: response.session}
            await self._app(inner, receive, response.send)
            await response.end()
            if inner.get(self._key) is not response.session:
                logger.warning(replaced(self._key))
        except StoreError as error:
            await response.refuse(error)
        except Exception:
            if not response.refused:
                raise
