"""A WSGI response that waits for its session.

`start_response` is held back until there is something to send: the first chunk that is not
empty, the first call of `write`, or the end of a body that has no bytes.  A response that the
store was down for becomes a 503.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Self
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sojourn._events import logger
from sojourn.errors import StoreError
from sojourn.manager import Manager
from sojourn.session import Session
from sojourn.web._headers import UNAVAILABLE, UNAVAILABLE_HEADERS, Pairs, merged

Write = Callable[[bytes], object]


class Response:
    """A response that the server gets to see once the session is released."""

    def __init__(self, manager: Manager, session: Session, start: StartResponse) -> None:
        self._manager = manager
        self._session = session
        self._start = start
        self._held = True
        self._head: tuple[str, Pairs] | None = None
        self._ours: Pairs = ()
        self._write: Write | None = None
        self._body: Iterable[bytes] = ()
        self._chunks: Iterator[bytes] = iter(())

    def of(self, app: WSGIApplication, environ: WSGIEnvironment) -> Iterable[bytes]:
        """Call the application.  A list stays one, for servers that look at its length."""
        self._environ = environ
        try:
            body = app(environ, self.start_response)
            if type(body) in (list, tuple):  # no code of the application is left to run
                self.release()
                return body
        except StoreError as error:
            if self._write is not None:  # it was begun, and only the server knows how to end it
                raise
            return [unavailable(error, environ, self._start)]
        self._body = body
        self._chunks = chain.from_iterable((body,))  # should that fail, the server closes it
        return self

    def start_response(self, status: str, headers: Pairs, exc_info: Any = None, /) -> Write:
        """Keep the status for later; after the release the server decides, and may raise."""
        if not self._held:
            self._write = self._start(status, merged(headers, self._ours), exc_info)
        elif self._head is not None and exc_info is None:
            raise AssertionError("start_response was called again, and without exc_info")
        else:
            self._head = status, headers
        return self.write

    def write(self, data: bytes, /) -> None:
        """Release, and send."""
        self.release()
        assert self._write is not None, "the release failed, and the application went on"
        self._write(data)

    def release(self) -> None:
        """Release the session, unless that was done or tried; then let the server begin."""
        if self._held:
            if self._head is None:
                raise AssertionError("the application sent a body and never called start_response")
            self._held = False
            self._ours = self._manager.release(self._session).headers
            status, headers = self._head
            self._write = self._start(status, merged(headers, self._ours))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        return self._first() if self._held else next(self._chunks)

    def _first(self) -> bytes:
        """Release at the first chunk with bytes; before the status none may be passed on."""
        try:
            chunk = next(filter(None, self._chunks), None)
            self.release()
        except StoreError as error:
            self._held, self._chunks = False, iter(())
            return unavailable(error, self._environ, self._start)
        except BaseException:
            self._held = False  # what raised saves nothing, at `close` neither
            raise
        if chunk is None:
            raise StopIteration
        return chunk

    def close(self) -> None:
        """Close the body.  A response is saved even if the server did not ask for its body."""
        body, self._body = self._body, ()
        try:
            if self._head is not None:
                self.release()
        finally:
            if hasattr(body, "close"):
                body.close()


def unavailable(error: StoreError, environ: WSGIEnvironment, start: StartResponse) -> bytes:
    """Begin a 503 and return its body."""
    logger.error("answered 503: %s", error)
    start("503 Service Unavailable", list(UNAVAILABLE_HEADERS))
    return b"" if environ["REQUEST_METHOD"] == "HEAD" else UNAVAILABLE
