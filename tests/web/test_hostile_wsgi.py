"""The WSGI middleware between applications and servers that keep to the letter of PEP 3333."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pytest

from sojourn import Manager
from sojourn.providers.memory import MemoryProvider
from sojourn.web.wsgi import SessionMiddleware
from tests.web.test_wsgi import Environ, Start, ask


class Unwilling:
    """A body that fails before its first part: when it is asked for an iterator."""

    def __init__(self) -> None:
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        raise LookupError("no parts")

    def close(self) -> None:
        self.closed += 1


def putting(body: Iterable[bytes]) -> Callable[[Environ, Start], Iterable[bytes]]:
    """An application that stores something and answers with this body."""

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        environ["sojourn.session"]["n"] = 1
        start_response("200 OK", [("Content-Type", "text/plain")])
        return body

    return app


def test_a_body_that_cannot_begin_is_closed_and_saves_nothing() -> None:
    manager, body = Manager(MemoryProvider()), Unwilling()
    with pytest.raises(LookupError, match="no parts"):
        ask(SessionMiddleware(putting(body), manager))
    assert (body.closed, manager.active_count()) == (1, 0)


def test_a_session_that_was_replaced_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    """Such as by a session middleware of another make, under the same key."""

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        environ["sojourn.session"] = {"n": 1}
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b""]

    ask(SessionMiddleware(app, Manager(MemoryProvider())))
    assert "something else was put under 'sojourn.session'" in caplog.text


def test_a_session_that_stands_in_its_place_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    ask(SessionMiddleware(putting([b"a"]), Manager(MemoryProvider())))
    assert caplog.text == ""
