"""Sessions in Pyramid applications: a session factory, as Pyramid knows them.

A session is started when `request.session` is first asked for, so a request that never asks
costs nothing.  It is released by a response callback, after the tweens and after all callbacks
that were there before: an exception that no view turned into a response saves nothing, and what
the body of a response does while it is sent comes too late.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from pyramid.httpexceptions import HTTPServiceUnavailable
from pyramid.interfaces import ISessionFactory
from zope.interface import implementer

from sojourn._events import logger
from sojourn.errors import ConfigError, StoreError
from sojourn.manager import Manager
from sojourn.session import Session
from sojourn.web._headers import UNAVAILABLE, UNAVAILABLE_HEADERS, merged, reader
from sojourn.web._pyramid import PyramidSession
from sojourn.web._versions import require

__all__ = ["PyramidSession", "SessionFactory"]


@implementer(ISessionFactory)
class SessionFactory:
    """Gives each request its session: `config.set_session_factory(SessionFactory(manager))`.

    A StoreError is HTTPServiceUnavailable, raised by `request.session`, or put in the place of
    the response by the release.  What else a release raises goes to the server.
    """

    def __init__(self, manager: Manager) -> None:
        """Take the sessions from `manager`.

        Raises ConfigError for an AsyncManager, and if Pyramid is older than 2.0.
        """
        require("pyramid", "2.0")
        if not isinstance(manager, Manager):
            raise ConfigError(f"sojourn.web.pyramid needs a Manager, not {type(manager).__name__}")
        self._manager = manager
        self._headers_of = reader(manager.config)

    def __call__(self, request: Any) -> PyramidSession:
        """Start the session of a request, and see to it that it is released."""
        headers = self._headers_of(request.environ)
        try:
            session = self._manager.start(headers, https=request.scheme == "https")
        except StoreError as error:
            raise _unavailable(error) from error
        request.add_response_callback(partial(self._wait, session))
        return PyramidSession.adopt(session)

    def _wait(self, session: Session, request: Any, _: Any) -> None:
        """Let the callbacks go first that stand behind this one."""
        request.add_response_callback(partial(self._release, session))

    def _release(self, session: Session, _: Any, response: Any) -> None:
        try:
            release = self._manager.release(session)
        except StoreError as error:
            _replace(response, _unavailable(error))
        else:
            response.headerlist = merged(response.headerlist, release.headers)


def _unavailable(error: StoreError) -> HTTPServiceUnavailable:
    logger.error("answered 503: %s", error)
    answer = HTTPServiceUnavailable(body=UNAVAILABLE)
    answer.headerlist = list(UNAVAILABLE_HEADERS)
    return answer


def _replace(response: Any, answer: HTTPServiceUnavailable) -> None:
    """Make a response, which the server has not seen yet, say what `answer` says."""
    if hasattr(response.app_iter, "close"):
        response.app_iter.close()
    response.status, response.headerlist = answer.status, answer.headerlist
    response.app_iter = answer.app_iter
