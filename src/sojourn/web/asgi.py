"""Sessions in ASGI applications (ASGI 3).

A session is released before the first byte of its response, since its cookie travels ahead of
the body.  So the head of a response is held back until the first message after it, and that of a
WebSocket is its `accept` or `close`.  Up to then every change is saved, and an error or a
cancellation saves nothing; from then on a change raises `SessionReleased`.
"""

from __future__ import annotations

from sojourn._events import logger
from sojourn.errors import ConfigError, StoreError, StoreUnavailable
from sojourn.manager import AsyncManager
from sojourn.session import Session
from sojourn.web._headers import UNAVAILABLE, UNAVAILABLE_HEADERS, merged_bytes, taken
from sojourn.web._lifespan import App, Lifespan, Message, Receive, Scope, Send

_HEADS = ("http.response.start", "websocket.http.response.start", "websocket.accept")
_HINTS = ("http.response.early_hint", "http.response.push", "http.response.debug")
"""What may stand before the body of a response, and is no part of it."""


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
        response = _Response(self._manager, scope, send)
        try:
            response.session = await self._manager.start(scope["headers"], https=https)
            await self._app({**scope, self._key: response.session}, receive, response.send)
            await response.end()
        except StoreError as error:
            await response.refuse(error)
        except Exception:
            if not response.refused:
                raise


class _Response:
    """A response that the server gets to see once the session is released."""

    session: Session

    def __init__(self, manager: AsyncManager, scope: Scope, send: Send) -> None:
        self._manager = manager
        self._scope = scope
        self._send = send
        self._held = True
        self._begun = False
        self._head: Message | None = None
        self.refused = False
        """A 503 was sent instead: of the application nothing is sent any more."""

    async def send(self, message: Message) -> None:
        """Take a message of the application: hold it back, or release and pass it on."""
        kind = message["type"]
        if self._held and kind in _HEADS:
            self._head = message
            if kind == "websocket.accept":
                await self._release()
            return
        if self._held and (kind == "websocket.close" or (self._head and kind not in _HINTS)):
            await self._release()
        await self._pass_on(message)

    async def end(self) -> None:
        """Release at the end of an application that sent no body."""
        if self._held and self._head is not None:
            await self._release()

    async def _release(self) -> None:
        self._held = False  # whatever comes of it: there is no second one
        try:
            release = await self._manager.release(self.session)
        except StoreError as error:
            await self.refuse(error)
            raise
        if self._head is not None:
            headers = merged_bytes(self._head.get("headers", ()), release.headers)
            await self._pass_on({**self._head, "headers": headers})

    async def _pass_on(self, message: Message) -> None:
        if self.refused:
            raise StoreUnavailable("the response was given up: the store was unavailable")
        self._begun = self._begun or message["type"] not in _HINTS
        await self._send(message)

    async def refuse(self, error: StoreError) -> None:
        """Answer 503 and end the application, unless that was done; too late, raise `error`."""
        if self.refused:
            return
        if self._begun:
            raise error
        self._held, self.refused = False, True
        logger.error("answered 503: %s", error)
        for message in _unavailable(self._scope):
            await self._send(message)


def _unavailable(scope: Scope) -> list[Message]:
    kind = "http.response"
    if scope["type"] == "websocket":
        kind = "websocket.http.response"
        if kind not in (scope.get("extensions") or {}):
            return [{"type": "websocket.close", "code": 1013}]  # try again later
    headers = merged_bytes((), UNAVAILABLE_HEADERS)
    body = b"" if scope.get("method") == "HEAD" else UNAVAILABLE
    return [
        {"type": f"{kind}.start", "status": 503, "headers": headers},
        {"type": f"{kind}.body", "body": body},
    ]
