"""Sessions in WSGI applications (PEP 3333).

A session is released before the first byte of its response, since its cookie travels ahead of
the body.  So `start_response` is held back until there is something to send: the first chunk
that is not empty, the first call of `write`, or the end of a body that has no bytes.  Up to then
every change is saved and an error saves nothing; from then on a change raises `SessionReleased`.
"""

from __future__ import annotations

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sojourn._events import logger
from sojourn.errors import ConfigError, StoreError
from sojourn.manager import Manager
from sojourn.web._headers import reader, replaced, taken
from sojourn.web._wsgi_response import Response, unavailable


class SessionMiddleware:
    """Gives each request its session, in `environ["sojourn.session"]`.

    A StoreError is answered with 503; what else a release raises goes to the server.
    """

    def __init__(
        self, app: WSGIApplication, manager: Manager, *, key: str = "sojourn.session"
    ) -> None:
        """Put the sessions of `manager` before `app`.  Raises ConfigError for an AsyncManager.

        key: where the session stands in the environ; a second manager needs another one.
        """
        if not isinstance(manager, Manager):
            raise ConfigError(
                f"sojourn.web.wsgi needs a Manager, not {type(manager).__name__}: "
                "an AsyncManager belongs to sojourn.web.asgi"
            )
        self._app, self._manager, self._key = app, manager, key
        self._headers_of = reader(manager.config)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request.  Raises ConfigError if something stands under `key` already."""
        if self._key in environ:
            raise ConfigError(taken(self._key))
        https = environ["wsgi.url_scheme"] == "https"
        try:
            session = self._manager.start(self._headers_of(environ), https=https)
        except StoreError as error:
            return [unavailable(error, environ, start_response)]
        environ[self._key] = session
        body = Response(self._manager, session, start_response).of(self._app, environ)
        if environ.get(self._key) is not session:
            logger.warning(replaced(self._key))
        return body
