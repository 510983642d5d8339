"""Sessions in WSGI applications (PEP 3333).

A session is released before the first byte of the response is sent, because its cookie is sent
ahead of the body.  So `start_response` is held back until the first non-empty chunk, the first call
of `write`, or the end of a body without any bytes.  Changes made before that point are saved,
unless an error comes first; a later change raises `SessionReleased`.  All this happens before the
middleware returns: it iterates the body up to the first non-empty chunk itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sojourn._events import logger
from sojourn.errors import ConfigError
from sojourn.manager import Manager
from sojourn.web._headers import reader, replaced, taken
from sojourn.web._wsgi_response import Response


class SessionMiddleware:
    """Gives each request a session, in `environ["sojourn.session"]`.

    The session is read when the application first uses it.  If a release fails, the application's response is not sent, and `write` and `start_response`
    raise from then on.  A StoreError is answered with 503.  Any other error (EncodeError,
    SessionTooLarge) is raised to the server, which has sent nothing yet.
    """

    def __init__(
        self, app: WSGIApplication, manager: Manager, *, key: str = "sojourn.session"
    ) -> None:
        """Wrap `app`, with sessions of `manager`.

        key: the key of the session in the environ; a second manager needs another key.

        Raises ConfigError if `manager` is not a Manager.
        """
        if not isinstance(manager, Manager):
            raise ConfigError(
                f"sojourn.web.wsgi needs a Manager, not {type(manager).__name__}: "
                "an AsyncManager belongs to sojourn.web.asgi"
            )
        self._app, self._manager, self._key = app, manager, key
        self._headers_of = reader(manager.config)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request.  Raises ConfigError if the environ already has a value under `key`."""
        if self._key in environ:
            raise ConfigError(taken(self._key))
        https = environ["wsgi.url_scheme"] == "https"
        session = self._manager.start_lazily(self._headers_of(environ), https=https)
        environ[self._key] = session
        response = Response(self._manager, session, environ, start_response)
        body = _call(self._app, environ, response)
        if environ.get(self._key) is not session:
            logger.warning(replaced(self._key))
        return body


def _call(app: WSGIApplication, environ: WSGIEnvironment, response: Response) -> Iterable[bytes]:
    """Call the application, fetch the first chunk of its body, and begin the response.

    Some servers read the status as soon as the application has returned, though PEP 3333 allows it
    to come with the first bytes.  So the first chunk is fetched here, and the server's
    `start_response` is called before this returns.  A list is returned as a list, since some
    servers use its length.
    """
    body: Iterable[bytes] = ()
    try:
        body = app(environ, response.start_response)
        if type(body) in (list, tuple):  # unlike an iterator, it runs no more application code
            response.release()
            return body
        response.raise_failure()  # the application may have swallowed the error of a `write`
        chunks = iter(body)
        first = next(filter(None, chunks), None)  # the status comes before any chunk
        response.release()
    except BaseException as error:  # noqa: BLE001 - `fail` raises it again, or answers 503
        with closing(_Body(body, iter(()))):
            return [response.fail(error)]
    return _Body(body, chunks if first is None else chain((first,), chunks))


class _Body:
    """The body of a response: its chunks, the first of them fetched already, and its `close`."""

    def __init__(self, body: Iterable[bytes], chunks: Iterator[bytes]) -> None:
        self._body, self._chunks = body, chunks

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        """Close the application's own body, at most once."""
        body, self._body = self._body, ()
        if hasattr(body, "close"):
            body.close()
