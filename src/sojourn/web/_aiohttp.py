"""When a session is released in aiohttp.

A middleware starts the session, and releases it when the handler has returned a response or
raised one (`web.HTTPException`); what else it raises saves nothing.  A response that the handler
prepares itself, such as a stream or a WebSocket, is on its way before the handler returns: there
the signal `on_response_prepare` releases, just before the head goes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias, cast

from aiohttp import web
from aiohttp.http import StreamWriter

from sojourn._events import logger
from sojourn.errors import ConfigError, StoreError
from sojourn.manager import AsyncManager
from sojourn.session import Session
from sojourn.web._headers import UNAVAILABLE, UNAVAILABLE_HEADERS, merged, replaced, taken

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Key: TypeAlias = "str | web.RequestKey[Any]"
"""A name; since aiohttp 3.14 there are also keys with types."""


class Sessions:
    """The sessions of one manager in one application."""

    def __init__(
        self, manager: AsyncManager, key: Key, adopt: Callable[[Session], Session]
    ) -> None:
        self._manager = manager
        self._key = key
        self._adopt = adopt
        self._held = set[int]()
        """The `id()` of each session whose handler is at work, and whose response has not begun."""

    async def live(self, _: web.Application) -> AsyncIterator[None]:
        """Sweep, and close, with the application."""
        self._manager.start_gc()
        yield
        await self._manager.close()

    @web.middleware
    async def serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Serve one request.  Raises ConfigError if something stands under the key already."""
        if self._key in request:
            raise ConfigError(taken(str(self._key)))
        try:
            session = await self._manager.start(request.headers, https=request.secure)
        except StoreError as error:
            return _unavailable(error)
        # `request[...] =` would warn of a key without a type, which is for our user to decide.
        request._state[self._key] = self._adopt(session)  # noqa: SLF001
        self._held.add(id(session))
        try:
            return await self._answer(request, handler, session)
        except StoreError as error:
            if session.released is not None:
                raise  # the response has begun
            return _unavailable(error)
        finally:
            self._held.discard(id(session))  # aiohttp's own answer to an error saves nothing
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
        if isinstance(response, web.StreamResponse):  # what is none, aiohttp refuses
            await self._release(session, request, response)
        return response

    async def prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        """Release before the head of a response goes that the handler prepares itself."""
        await self._release(cast("Session", request.get(self._key)), request, response)

    async def _release(
        self, session: Session, request: web.Request, response: web.StreamResponse
    ) -> None:
        """Release, unless that was done, or must not be."""
        if id(session) not in self._held:
            return
        self._held.discard(id(session))  # whatever comes of it: there is no second one
        try:
            release = await self._manager.release(session)
        except BaseException:
            _start_over(cast("StreamWriter", request.writer))
            raise
        if release.headers:
            headers = merged(response.headers.items(), release.headers)
            response.headers.clear()
            response.headers.extend(headers)


def _start_over(writer: StreamWriter) -> None:
    """Forget how the body of a response was to be sent that will not be sent.

    That it goes in chunks, or compressed, is already known to the writer when the signal comes,
    and the writer would do so with the answer that takes its place.
    """
    writer.chunked, writer.length, writer._compress = False, None, None  # noqa: SLF001


def _unavailable(error: StoreError) -> web.Response:
    logger.error("answered 503: %s", error)
    return web.Response(status=503, headers=UNAVAILABLE_HEADERS, body=UNAVAILABLE)
