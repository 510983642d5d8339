"""An ASGI response that is held back until its session is released.

The head of a response is held back until the message that follows it; the head of a WebSocket is
its `accept` or `close`.  If the release fails, nothing of the application is sent: a StoreError
becomes a 503, and any other error is raised to the server.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from sojourn._events import logger
from sojourn.errors import SessionError, SessionReleased, StoreError
from sojourn.manager import AsyncManager
from sojourn.session import Session
from sojourn.web._answering import async_release, cause_of
from sojourn.web._headers import failure, promises_body, unavailable_messages
from sojourn.web._lifespan import Message, Scope, Send
from sojourn.web._merging import merged_bytes

_WHOLE = ("websocket.accept", "websocket.close")
_HEADS = ("http.response.start", "websocket.http.response.start", *_WHOLE)
_HINTS = ("http.response.early_hint", "http.response.push", "http.response.debug")
"""Messages that may come before the body of a response and are not a part of it."""


class Response:
    """A response whose messages reach the server only after the session is released."""

    session: Session

    def __init__(self, manager: AsyncManager, scope: Scope, send: Send) -> None:
        self._manager, self._scope, self._send = manager, scope, send
        self._held = True
        self._releasing = False
        self._over: asyncio.Event | None = None
        self._begun = False
        self._head: Message | None = None
        self._failure: Exception | None = None

    async def send(self, message: Message) -> None:
        """Take a message from the application: hold a head back, pass on the others."""
        if self._releasing:
            await self._wait()
        kind = message["type"]
        if self._held and kind in _HEADS:
            self._head = message
            if kind in _WHOLE:
                await self._release(message)
            return
        if self._held and self._head is not None and kind not in _HINTS:
            await self._release(self._head)
        await self._pass_on(message)

    async def end(self) -> None:
        """Release if the application sent a head only; raise a failure that it swallowed.

        A promised body that is missing was cut off: the client has gone, or a timeout has fired.
        The request was then interrupted, as by a cancellation, so nothing is saved.
        """
        if self._releasing:
            await self._wait()
        if self._held and self._head is not None:
            if promises_body(self._scope, self._head["status"]):
                self.give_up(SessionError("the response ended before its body had begun"))
                self._manager.discard(self.session)
                return
            await self._release(self._head)
        if self._failure is not None and not self._begun:
            raise self._failure

    async def fail(self, error: Exception) -> None:
        """Answer 503 if a StoreError is the cause and nothing was sent; else raise `error`."""
        self.give_up(error)
        session = getattr(self, "session", None)  # there is none if its start has failed
        cause = cause_of(session, error) or self._failure
        if self._begun or not isinstance(cause, StoreError):
            raise error
        logger.error("answered 503: %s", cause)
        for message in unavailable_messages(self._scope):
            await self._send(message)

    def give_up(self, error: BaseException) -> None:
        """Send no more messages of the application: each further one raises the failure."""
        self._held = False
        self._failure = self._failure or failure(error)

    async def _wait(self) -> None:
        """Wait for a release in another task, so that no message overtakes the head."""
        self._over = self._over or asyncio.Event()
        await self._over.wait()

    async def _release(self, head: Message) -> None:
        self._held = False  # at once: even a failed release is not repeated
        self._releasing = True
        try:
            headers = head["type"] != "websocket.close"
            release = await async_release(
                self._manager, self.session, head.get("status", 0), headers=headers
            )
            theirs = head.get("headers")
            if headers and (release.headers or not theirs):
                head = {**head, "headers": merged_bytes(theirs or (), release.headers)}
            await self._pass_on(head)
        except BaseException as error:
            self.give_up(error)
            with suppress(SessionReleased):  # raised if the release got as far as the store
                self._manager.discard(self.session)
            raise
        finally:
            self._releasing = False
            if self._over is not None:
                self._over.set()

    async def _pass_on(self, message: Message) -> None:
        if self._failure is not None:
            raise self._failure
        self._begun = self._begun or message["type"] not in _HINTS
        await self._send(message)
