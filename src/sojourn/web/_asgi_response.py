"""An ASGI response that waits for its session.

The head of a response is held back until the first message after it, and that of a WebSocket is
its `accept` or `close`.  A response that the store was down for becomes a 503.
"""

from __future__ import annotations

import asyncio

from sojourn._events import logger
from sojourn.errors import StoreError, StoreUnavailable
from sojourn.manager import AsyncManager
from sojourn.session import Session
from sojourn.web._headers import UNAVAILABLE, UNAVAILABLE_HEADERS, merged_bytes
from sojourn.web._lifespan import Message, Scope, Send

_HEADS = ("http.response.start", "websocket.http.response.start", "websocket.accept")
_HINTS = ("http.response.early_hint", "http.response.push", "http.response.debug")
"""What may stand before the body of a response, and is no part of it."""


class Response:
    """A response that the server gets to see once the session is released."""

    session: Session

    def __init__(self, manager: AsyncManager, scope: Scope, send: Send) -> None:
        self._manager = manager
        self._scope = scope
        self._send = send
        self._held = True
        self._releasing = False
        self._over: asyncio.Event | None = None
        self._begun = False
        self._head: Message | None = None
        self.refused = False
        """A 503 was sent instead: of the application nothing is sent any more."""

    async def send(self, message: Message) -> None:
        """Take a message of the application: hold it back, or release and pass it on."""
        if self._releasing:  # in another task: nothing shall overtake the head
            self._over = self._over or asyncio.Event()
            await self._over.wait()
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
        self._releasing = True
        try:
            release = await self._manager.release(self.session)
            if self._head is not None:
                headers = merged_bytes(self._head.get("headers", ()), release.headers)
                await self._pass_on({**self._head, "headers": headers})
        except StoreError as error:
            await self.refuse(error)
            raise
        finally:
            self._releasing = False
            if self._over is not None:
                self._over.set()

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
        {"type": f"{kind}.body", "body": body, "more_body": False},
    ]
