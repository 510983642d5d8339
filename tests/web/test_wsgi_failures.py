"""WSGI: a release that fails, whatever the error, ends the response of the application."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, NoReturn

import pytest

from sojourn import EncodeError, Manager, SessionReleased, SessionTooLarge, StoreUnavailable
from sojourn.providers.memory import MemoryProvider
from sojourn.record import Record
from sojourn.web.wsgi import SessionMiddleware
from tests.web.stores import Failing
from tests.web.test_wsgi import (
    PLAIN,
    Answer,
    Body,
    Environ,
    Start,
    ask,
    assert_unavailable,
    environ_of,
    oversized,
    session_of,
    unencodable,
)


class Broken(MemoryProvider):
    """A store with a bug."""

    def create(self, record: Record) -> bool:
        raise ZeroDivisionError("a bug")


class Down(Failing):
    """A store that cannot write."""

    def __init__(self) -> None:
        super().__init__()
        self.down = {"create"}


class Timeout(BaseException):
    """As those of gevent are."""


class Hurried(MemoryProvider):
    """A store that is cut off in the middle."""

    def create(self, record: Record) -> bool:
        raise Timeout


def put(session: Any) -> None:
    session["n"] = 1


Change = Callable[[Any], None]
FAULTS: dict[str, tuple[Change, type[MemoryProvider], type[BaseException]]] = {
    "what cannot be encoded": (unencodable, MemoryProvider, EncodeError),
    "too much": (oversized, MemoryProvider, SessionTooLarge),
    "a bug": (put, Broken, ZeroDivisionError),
    "an outage": (put, Down, StoreUnavailable),
    "a timeout": (put, Hurried, Timeout),
}


class Line:
    """What a server is told: nothing may come before the status, and that but once."""

    def __init__(self) -> None:
        self.statuses: list[str] = []
        self.data = b""

    def start(self, status: str, headers: Any, exc_info: Any = None, /) -> Any:
        assert exc_info or not self.statuses, "started twice"
        self.statuses.append(status)
        return self.write

    def write(self, data: bytes) -> None:
        assert self.statuses, "a body before its status"
        self.data += data

    def serve(self, app: Any, method: str = "GET") -> list[BaseException]:
        """Serve one request; return the errors that reached the server."""
        errors: list[BaseException] = []
        try:
            body = app(environ_of(REQUEST_METHOD=method), self.start)
        except (Exception, Timeout) as error:  # noqa: BLE001 - the server's part
            return [error]
        try:
            for chunk in body:
                self.write(chunk)
        except (Exception, Timeout) as error:  # noqa: BLE001
            errors.append(error)
        try:
            getattr(body, "close", lambda: None)()
        except (Exception, Timeout) as error:  # noqa: BLE001
            errors.append(error)
        return errors


# -- applications that go on ------------------------------------------------------------------

CAUGHT = (Exception, Timeout)


def goes_on_with_a_list(change: Change) -> Any:
    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        change(session_of(environ))
        write = start_response("200 OK", list(PLAIN))
        with suppress(*CAUGHT):
            write(b"one")
        with suppress(*CAUGHT):
            write(b"two")
        return [b"three"]

    return app


def goes_on_with_an_iterator(change: Change) -> Any:
    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        change(session_of(environ))
        write = start_response("200 OK", list(PLAIN))
        with suppress(*CAUGHT):
            write(b"one")
        return Body([b"", b"two", b"three"])

    return app


def makes_a_page(change: Change) -> Any:
    """With the second `start_response` that PEP 3333 has for this."""

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        change(session_of(environ))
        write = start_response("200 OK", list(PLAIN))
        try:
            write(b"one")
        except CAUGHT:
            with pytest.raises(SessionReleased):
                session_of(environ)["late"] = True
        with suppress(*CAUGHT):
            start_response("500 Oh", list(PLAIN), sys.exc_info())
        with suppress(*CAUGHT):
            start_response("500 Oh", list(PLAIN))(b"two")
        return Body([b"sorry"])

    return app


def streams(change: Change) -> Any:
    def app(environ: Environ, start_response: Start) -> Iterator[bytes]:
        change(session_of(environ))
        start_response("200 OK", list(PLAIN))
        yield b""
        yield b"one"
        yield b"two"

    return app


def writes_at_the_end(change: Change) -> Any:
    """It writes while its body is closed."""

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        change(session_of(environ))
        write = start_response("200 OK", list(PLAIN))

        class Late(Body):
            def close(self) -> None:
                super().close()
                with suppress(*CAUGHT):
                    write(b"late")

        return Late([b"one"])

    return app


APPLICATIONS = [
    goes_on_with_a_list,
    goes_on_with_an_iterator,
    makes_a_page,
    streams,
    writes_at_the_end,
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("application", APPLICATIONS)
@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_of_the_response_is_sent_and_one_error_reaches_the_server(
    fault: str, application: Callable[[Change], Any], method: str
) -> None:
    change, store, error = FAULTS[fault]
    line = Line()
    errors = line.serve(SessionMiddleware(application(change), Manager(store())), method)
    if error is StoreUnavailable:
        assert (errors, line.statuses) == ([], ["503 Service Unavailable"])
        assert (b"unavailable" in line.data) is (method == "GET")
    else:
        assert (line.statuses, line.data) == ([], b"")
        assert len(errors) == 1
        told = isinstance(errors[0], error) or "because of Timeout" in str(errors[0])
        assert told, errors


@pytest.mark.parametrize("fault", FAULTS)
def test_whoever_goes_on_iterating_gets_nothing(fault: str) -> None:
    """Such as a middleware in between that passes over an error."""
    change, store, _ = FAULTS[fault]
    got: list[bytes] = []

    def patient(environ: Environ, start_response: Start) -> Iterator[bytes]:
        body = iter(SessionMiddleware(streams(change), Manager(store()))(environ, start_response))
        for _ in range(5):
            with suppress(*CAUGHT):
                got.extend(chunk for chunk in body if b"unavailable" not in chunk)
        yield b""

    Line().serve(patient)
    assert got == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_body_that_the_server_does_not_get_is_closed(fault: str) -> None:
    change, store, error = FAULTS[fault]
    inner = Body([b"one"])

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        change(session_of(environ))
        start_response("200 OK", list(PLAIN))
        return inner

    line = Line()
    errors = line.serve(SessionMiddleware(app, Manager(store())), "GET")
    assert len(errors) == (error is not StoreUnavailable)
    assert inner.closed == 1


def test_an_application_that_swallows_an_outage_is_answered_with_503() -> None:
    answers: list[Answer] = [
        ask(SessionMiddleware(application(put), Manager(Down())))
        for application in (goes_on_with_a_list, goes_on_with_an_iterator, makes_a_page)
    ]
    for answer in answers:
        assert_unavailable(answer)


def test_what_the_body_holds_open_is_closed_after_a_failed_write() -> None:
    inner = Body([b"two"])

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        unencodable(session_of(environ))
        with suppress(EncodeError):
            start_response("200 OK", list(PLAIN))(b"one")
        return inner

    assert [type(error) for error in Line().serve(SessionMiddleware(app, Manager("memory")))] == [
        EncodeError
    ]
    assert inner.closed == 1


# -- a server that raises ---------------------------------------------------------------------


def refuses(status: str, headers: Any, exc_info: Any = None, /) -> NoReturn:
    raise ValueError("no such status")


@pytest.mark.parametrize("application", APPLICATIONS)
def test_after_a_status_that_the_server_refused_nothing_is_sent(
    application: Callable[[Change], Any],
) -> None:
    line = Line()
    line.start = refuses  # type: ignore[method-assign]
    [error] = line.serve(SessionMiddleware(application(put), Manager("memory")))
    assert isinstance(error, ValueError)
    assert line.data == b""


def test_an_error_in_the_middle_of_a_written_body_is_the_servers() -> None:
    """An outage too: the status has gone out."""

    def app(environ: Environ, start_response: Start) -> Iterator[bytes]:
        put(session_of(environ))
        write = start_response("200 OK", list(PLAIN))

        def parts() -> Iterator[bytes]:
            write(b"one")
            raise StoreUnavailable("as by open_id")
            yield b""

        return parts()

    line = Line()
    [error] = line.serve(SessionMiddleware(app, Manager("memory")))
    assert isinstance(error, StoreUnavailable)
    assert (line.statuses, line.data) == (["200 OK"], b"one")


def test_a_body_that_was_begun_by_write_goes_on_in_its_chunks() -> None:
    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        put(session_of(environ))
        start_response("200 OK", list(PLAIN))(b"one ")
        return Body([b"", b"two ", b"", b"three"])

    line = Line()
    assert line.serve(SessionMiddleware(app, Manager("memory"))) == []
    assert (line.statuses, line.data) == (["200 OK"], b"one two three")


def test_a_malformed_status_is_left_to_the_server() -> None:
    told = list[str]()

    def app(_: Any, start_response: Any) -> list[bytes]:
        start_response("odd", [])
        return [b"body"]

    def start(status: str, *_: Any) -> Any:
        told.append(status)

    environ: Any = {"REQUEST_METHOD": "GET", "wsgi.url_scheme": "http"}
    assert SessionMiddleware(app, Manager("memory"))(environ, start) == [b"body"]
    assert told == ["odd"]
