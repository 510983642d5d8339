"""Sessions in Pyramid applications, in the form of a session factory.

A session is started at the first access to `request.session`, so a request without one costs
nothing.  It is released by a response callback, after the tweens and the response callbacks that
were added before.  So nothing is saved if an exception is not turned into a response by a view;
changes during the iteration of the response body come too late; and an attempt whose response
pyramid_retry discards saves nothing.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from pyramid.httpexceptions import HTTPServiceUnavailable
from pyramid.interfaces import ISessionFactory
from zope.interface import implementer

from sojourn._events import logger
from sojourn.errors import ConfigError, StoreError
from sojourn.manager import Manager
from sojourn.release import ReleaseOutcome
from sojourn.session import Session
from sojourn.web._headers import UNAVAILABLE, UNAVAILABLE_HEADERS, reader
from sojourn.web._merging import merged
from sojourn.web._pyramid import TOO_LATE, PyramidSession, is_finished, is_thrown_away
from sojourn.web._versions import require

__all__ = ["PyramidSession", "SessionFactory"]


@implementer(ISessionFactory)
class SessionFactory:
    """Gives each request a session: `config.set_session_factory(SessionFactory(manager))`.

    A StoreError becomes HTTPServiceUnavailable (503): an access to `request.session` raises it, and
    a failed release sends it in place of the response.  Other errors of a release are raised to the
    server.
    """

    def __init__(self, manager: Manager) -> None:
        """Make a factory for the sessions of `manager`.

        Raises ConfigError if `manager` is not a Manager, or if Pyramid is older than 2.0.
        """
        require("pyramid", "2.0")
        if not isinstance(manager, Manager):
            raise ConfigError(f"sojourn.web.pyramid needs a Manager, not {type(manager).__name__}")
        self._manager = manager
        self._headers_of = reader(manager.config)

    def __call__(self, request: Any) -> PyramidSession:
        """Start the session of a request and register the callbacks that release it."""
        headers = self._headers_of(request.environ)
        try:
            session = self._manager.start(headers, https=request.scheme == "https")
        except StoreError as error:
            raise _unavailable(error) from error
        if is_finished(request):
            self._manager.discard(session)  # it can be read, but a change raises SessionReleased
        else:
            request.add_response_callback(partial(self._wait, session))
            request.add_finished_callback(partial(self._release_late, session))
        return PyramidSession.adopt(session)

    def _wait(self, session: Session, request: Any, _: Any) -> None:
        """Add the release as a new, last callback, so that those already waiting run before it."""
        request.add_response_callback(partial(self._release, session))

    def _release(self, session: Session, request: Any, response: Any) -> None:
        if is_thrown_away(request):
            self._manager.discard(session)
            return
        try:
            release = self._manager.release(session)
        except StoreError as error:
            _replace(response, _unavailable(error))
        else:
            response.headerlist = merged(response.headerlist, release.headers)

    def _release_late(self, session: Session, request: Any) -> None:
        """Release a session that was first accessed after the response callbacks had run.

        A NewResponse subscriber or a finished callback may do so.  A cookie can no longer be sent.
        """
        # A session that was only read needs no release; its headers could not be sent anyway.
        if session.released is not None or not session.modified:
            return
        if sys.exc_info()[0] is not None or is_thrown_away(request):
            return  # an error saves nothing
        try:
            if self._manager.release(session, headers=False).outcome is ReleaseOutcome.DISCARDED:
                logger.warning(TOO_LATE)
        except StoreError as error:
            logger.error("%s (%s)", TOO_LATE, error)


def _unavailable(error: StoreError) -> HTTPServiceUnavailable:
    logger.error("answered 503: %s", error)
    answer = HTTPServiceUnavailable(body=UNAVAILABLE)
    answer.headerlist = list(UNAVAILABLE_HEADERS)
    return answer


def _replace(response: Any, answer: HTTPServiceUnavailable) -> None:
    """Turn a response that was not sent yet into `answer`."""
    # Replacing the body skips the server's call of `close`, which may free resources.
    if hasattr(response.app_iter, "close"):
        response.app_iter.close()
    response.status, response.headerlist = answer.status, answer.headerlist
    response.app_iter = answer.app_iter
