"""A middleware in place of Django's, under which every law of a session holds.

The session is there before the view, and in memory: no access waits for the store, in neither
colour.  It is released after the view, before the response leaves, and the response is told then:
`session_key` is the session's id, and what was to be done at once (`save`, `create`, `flush`,
`cycle_key`) is done at that release.  As Django has it, a response of 500 and above saves nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, cast

from django.contrib.sessions.middleware import SessionMiddleware as DjangosMiddleware
from django.http import HttpRequest, HttpResponse

from sojourn._events import logger
from sojourn.errors import ConfigError, StoreError
from sojourn.session import Session
from sojourn.web._headers import replaced, taken
from sojourn.web.django._inner import InnerSession
from sojourn.web.django._managers import async_manager, headers_of, manager
from sojourn.web.django._request import RequestSession
from sojourn.web.django._response import forgo, tell, unavailable


class SessionMiddleware(DjangosMiddleware):
    """Gives each request its session, in `request.session`.  A StoreError is answered with 503."""

    def __call__(self, request: HttpRequest) -> Any:
        """Serve one request.  Raises ConfigError if it has a session already."""
        if self.async_mode:
            return self.__acall__(request)
        try:
            session = manager().start(headers_of(request), https=request.is_secure())
        except StoreError as error:
            return unavailable(error)
        inner = _enter(request, session)
        response: Any = self.get_response(request)
        if response.status_code >= 500:
            return forgo(inner, response)
        try:
            _leave(request, inner)
            return tell(manager().release(inner), response)
        except StoreError as error:
            return unavailable(error, response)

    async def __acall__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request, as `__call__` does."""
        try:
            session = await async_manager().start(headers_of(request), https=request.is_secure())
        except StoreError as error:
            return unavailable(error)
        inner = _enter(request, session)
        response = await cast("Awaitable[HttpResponse]", self.get_response(request))
        if response.status_code >= 500:
            return forgo(inner, response)
        try:
            _leave(request, inner)
            return tell(await async_manager().release(inner), response)
        except StoreError as error:
            return unavailable(error, response)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer a fault of the store that the view ran into as one of our own."""
        return unavailable(exception) if isinstance(exception, StoreError) else None


def _enter(request: HttpRequest, session: Session) -> InnerSession:
    if hasattr(request, "session"):
        raise ConfigError(taken("request.session"))
    inner = InnerSession.adopt(session)
    request.session = RequestSession(inner)
    return inner


def _leave(request: HttpRequest, inner: InnerSession) -> None:
    if not isinstance(getattr(request, "session", None), RequestSession):
        logger.warning(replaced("request.session"))
    inner.settle()
