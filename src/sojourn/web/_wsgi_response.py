"""A WSGI response that is held back until its session is released.

The call of `start_response` is held back until the first non-empty chunk, the first call of
`write`, or the end of a body without any bytes.  If the release fails, nothing of the application's
response is sent: a StoreError becomes a 503, and any other error is raised to the server, which has
sent nothing yet.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from sojourn._events import logger
from sojourn.errors import SessionReleased
from sojourn.manager import Manager
from sojourn.session import Session
from sojourn.web._answering import cause_of, release
from sojourn.web._headers import UNAVAILABLE, UNAVAILABLE_HEADERS, failure
from sojourn.web._merging import Pairs, merged

Write = Callable[[bytes], object]


class Response:
    """A response that is passed on to the server only after the session is released."""

    def __init__(
        self, manager: Manager, session: Session, environ: WSGIEnvironment, start: StartResponse
    ) -> None:
        self._manager, self._session = manager, session
        self._environ, self._start = environ, start
        self._held = True
        self._failure: Exception | None = None
        self._head: tuple[str, Pairs] | None = None
        self._ours: Pairs = ()
        self._write: Write | None = None

    def start_response(self, status: str, headers: Pairs, exc_info: Any = None, /) -> Write:
        """Keep status and headers until the release; after it, call the server's, which may raise.

        Raises AssertionError for a second call without `exc_info` (PEP 3333).
        """
        self.raise_failure()
        # Called again after the release, as by an error handler that passes `exc_info`.
        if not self._held:
            self._write = self._start(status, merged(headers, self._ours), exc_info)
        elif self._head is not None and exc_info is None:
            raise AssertionError("start_response was called again, and without exc_info")
        else:
            self._head = status, headers
        return self.write

    def write(self, data: bytes, /) -> None:
        """Release the session if necessary, then send `data`."""
        self.release()
        assert self._write is not None
        self._write(data)

    def release(self) -> None:
        """Release the session and call the server's `start_response`, unless that was done."""
        self.raise_failure()
        if self._held:
            if self._head is None:
                raise AssertionError("the application sent a body and never called start_response")
            # Set before the release: even one that fails must not be repeated.
            self._held = False
            try:
                status, headers = self._head
                self._ours = release(self._manager, self._session, status).headers
                self._write = self._start(status, merged(headers, self._ours))
            except BaseException as error:
                self.give_up(error)
                raise

    def give_up(self, error: BaseException) -> None:
        """Send nothing more of the application: from now on its calls raise the failure."""
        self._held = False
        self._failure = self._failure or failure(error)
        with suppress(SessionReleased):  # raised if the release got as far as the store
            self._manager.discard(self._session)

    def raise_failure(self) -> None:
        """Raise the error because of which the response was given up, if it was."""
        if self._failure is not None:
            raise self._failure

    def fail(self, error: BaseException) -> bytes:
        """Begin a 503 response and return its body, if a StoreError is the cause; else raise `error`.

        It is raised as well if a response has begun: a second status cannot be sent, so the server
        must abort.
        """
        self.give_up(error)
        cause = cause_of(self._session, error)
        if cause is None or self._write is not None:
            raise error
        logger.error("answered 503: %s", cause)
        self._start("503 Service Unavailable", list(UNAVAILABLE_HEADERS))
        return b"" if self._environ["REQUEST_METHOD"] == "HEAD" else UNAVAILABLE
