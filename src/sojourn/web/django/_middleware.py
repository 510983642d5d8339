"""A replacement for Django's session middleware, with all guarantees of a Sojourn session.

Under WSGI, the session is loaded at its first use.  Under ASGI, it is loaded before the view runs,
so no access to it waits for the store, neither in sync nor in async code.  It is released after the view and before the response is sent, and the release's
headers are added to the response.  `session_key` is the id of the session.  `save`, `create`,
`flush` and `cycle_key` take effect at the release.  As with Django's own middleware, a response
with a status of 500 or above saves nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, cast

from django.contrib.sessions.middleware import SessionMiddleware as DjangosMiddleware
from django.http import HttpRequest, HttpResponse

from sojourn._events import logger
from sojourn.errors import ConfigError, StoreError
from sojourn.session import Session, state_of
from sojourn.web._headers import replaced, taken
from sojourn.web.django._keys import current
from sojourn.web.django._managers import async_manager, headers_of, manager
from sojourn.web.django._request import RequestSession
from sojourn.web.django._response import tell, unavailable
from sojourn.web.django._session import InnerSession


class SessionMiddleware(DjangosMiddleware):
    """Gives each request a session, in `request.session`.  A StoreError is answered with 503."""

    keeps_tokens = True
    """Whether tokens are kept from the application: `session_key` is the id."""

    def __call__(self, request: HttpRequest) -> Any:
        """Serve one request.  Raises ConfigError if the request already has a session."""
        if self.async_mode:
            return self.__acall__(request)
        # Under ASGI, a sync middleware further in makes Django call this in a thread; an async view
        # still runs in the event loop, where the first use of the session would block all requests.
        start = manager().start if hasattr(request, "scope") else manager().start_lazily
        try:
            session = start(headers_of(request), https=request.is_secure())
        except StoreError as error:
            return unavailable(error)
        inner = _enter(request, session)
        # The context variable is reset in any case: a thread may serve another request next.
        try:
            response: Any = self.get_response(request)
        except Exception:
            # Django makes a response of it, unless DEBUG_PROPAGATE_EXCEPTIONS is set.
            if inner.failure is None:
                raise
            response = unavailable(inner.failure)
        finally:
            current.set(None)
        if response.status_code > 500 or (response.status_code == 500 and inner.failure is None):
            return tell(manager().discard(inner), response)
        try:
            _leave(request, inner)
            return tell(manager().release(inner), response)
        except StoreError as error:
            return unavailable(error, response)

    async def __acall__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request like `__call__`, with the async manager."""
        try:
            session = await async_manager().start(headers_of(request), https=request.is_secure())
        except StoreError as error:
            return unavailable(error)
        inner = _enter(request, session)
        # The context variable is reset in any case: a task may serve another request next.
        try:
            response = await cast("Awaitable[HttpResponse]", self.get_response(request))
        finally:
            current.set(None)
        if response.status_code >= 500:
            return tell(async_manager().discard(inner), response)
        try:
            _leave(request, inner)
            return tell(await async_manager().release(inner), response)
        except StoreError as error:
            return unavailable(error, response)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer a StoreError that the view raised with 503; leave other exceptions to Django."""
        return unavailable(exception) if isinstance(exception, StoreError) else None


def _enter(request: HttpRequest, session: Session) -> InnerSession:
    if hasattr(request, "session"):
        raise ConfigError(taken("request.session"))
    inner = InnerSession.adopt(session)
    request.session = RequestSession.of(inner)
    current.set(request.session)
    return inner


def _leave(request: HttpRequest, inner: InnerSession) -> None:
    if not isinstance(getattr(request, "session", None), RequestSession):
        logger.warning(replaced("request.session"))
    # A stored expiry date must become a lifetime before the release computes the session's end.
    if inner.is_unread and manager()._life.openings.must_read(state_of(inner)):
        inner.load()
    if not inner.is_unread:
        inner.settle()
