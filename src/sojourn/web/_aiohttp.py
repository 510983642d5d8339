"""The aiohttp middleware, and the signal handler that covers streamed responses.

The middleware starts the session, and releases it when the handler has returned or raised a
response; any other error saves nothing.  If the handler prepares a response itself, such as a
stream, `on_response_prepare` releases the session before the head is sent.  If the release fails,
its error is raised in place of the handler's response.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeAlias, cast

from aiohttp import web

from sojourn._events import logger
from sojourn.errors import ConfigError, SessionReleased, StoreError
from sojourn.manager import AsyncManager
from sojourn.session import Session
from sojourn.web._answering import async_release, cause_of
from sojourn.web._headers import UNAVAILABLE, UNAVAILABLE_HEADERS, failure, replaced, taken
from sojourn.web._merging import merged

Start = Callable[[web.Request], Awaitable[Session]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Key: TypeAlias = "str | web.RequestKey[Any]"  # typed keys exist since aiohttp 3.14


class Sessions:
    """The sessions of one manager in one application."""

    def __init__(self, manager: AsyncManager, key: Key, start: Start) -> None:
        self._manager, self._key, self._start = manager, key, start
        self._held = set[int]()
        """The `id()` of each session whose handler is running and that is not yet released."""
        self._refusals: dict[int, Exception] = {}
        """By the `id()` of a session, the error to raise if its handler sends a response now."""

    @web.middleware
    async def serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Serve one request.  Raises ConfigError if it already has a value under the key."""
        if self._key in request:
            raise ConfigError(taken(str(self._key)))
        session: Session | None = None
        try:
            session = await self._start(request)
            # `request[...] =` warns about untyped keys; the application chose the key, not we.
            request._state[self._key] = session  # noqa: SLF001
            self._held.add(id(session))
            return await self._answer(request, handler, session)
        except Exception as error:
            unreleased = session is None or id(session) in self._held
            cause = cause_of(session, error) if unreleased else self._refusals.get(id(session))
            if not isinstance(cause, StoreError):
                raise
            logger.error("answered 503: %s", cause)
            return web.Response(status=503, headers=UNAVAILABLE_HEADERS, body=UNAVAILABLE)
        finally:  # aiohttp's own error response must neither release the session nor be refused
            self._held.discard(id(session))
            self._refusals.pop(id(session), None)
            if request.get(self._key) is not session:
                logger.warning(replaced(str(self._key)))

    async def _answer(
        self, request: web.Request, handler: Handler, session: Session
    ) -> web.StreamResponse:
        try:
            response = await handler(request)
        except web.HTTPException as raised:
            await self._release(session, request, raised)
            raise
        if isinstance(response, web.StreamResponse):  # aiohttp itself refuses anything else
            await self._release(session, request, response)
        return response

    async def prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        """Release the session just before the head of a response is sent (signal handler)."""
        await self._release(cast("Session", request.get(self._key)), request, response)

    async def _release(
        self, session: Session, request: web.Request, response: web.StreamResponse
    ) -> None:
        """Release the session, unless it is released; raise an error if nothing may be sent."""
        key, refusals = id(session), self._refusals
        if key not in self._held and key not in refusals:
            return
        plan = _replan(request, response)
        if key in refusals:
            raise refusals[key]
        self._held.discard(key)  # at once: even a failed release is not repeated
        refusals[key] = RuntimeError("another task of this request is preparing a response")
        try:
            release = await async_release(self._manager, session, response.status)
        except BaseException as error:
            if key in refusals:
                refusals[key] = failure(error)
            with suppress(SessionReleased):  # raised if the release got as far as the store
                self._manager.discard(session)
            raise
        if refusals.pop(key, None) is None:
            raise RuntimeError("the handler ended while another task prepared a response")
        _replan(request, response, plan)
        if release.headers:
            headers = merged(response.headers.items(), release.headers)
            response.headers.clear()
            response.headers.extend(headers)


def _replan(request: web.Request, response: web.StreamResponse, plan: Any = (None,) * 4) -> Any:
    """Set how the body of a response is sent (writer, chunks, length, compression); return the old.

    aiohttp decides this before the signal.  Without a plan, `write` raises until the head is sent,
    and a response sent in place of this one is neither chunked nor compressed.
    """
    writer: Any = request.writer
    before = (response._payload_writer, writer.chunked, writer.length, writer._compress)  # noqa: SLF001
    response._payload_writer, chunked, writer.length, writer._compress = plan  # noqa: SLF001
    writer.chunked = bool(chunked)
    return before
