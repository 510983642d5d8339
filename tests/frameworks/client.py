"""How an application is asked: over a socket, or, if it is one of WSGI, by a call.

An error that leaves an application before its response began is a 500, as every server makes it.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any, NamedTuple, Protocol
from wsgiref.types import WSGIApplication
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.parallel.visits import PATIENCE

Headers = list[tuple[str, str]]


class Answer(NamedTuple):
    """A response, whole."""

    status: int
    headers: Headers
    body: bytes


class Refused(Exception):
    """A WebSocket was not opened; these are the headers of the answer."""

    def __init__(self, headers: Headers) -> None:
        super().__init__(headers)
        self.headers = headers


class Talk(Protocol):
    """An open WebSocket."""

    headers: Headers

    def send(self, text: str) -> None: ...
    def recv(self) -> str: ...


class Door(Protocol):
    """Where an application is asked."""

    def ask(self, method: str, target: str, headers: Mapping[str, str]) -> Answer: ...
    def talk(self, path: str, headers: Mapping[str, str]) -> AbstractContextManager[Talk]: ...


# -- over a socket ----------------------------------------------------------------------------


class Wire:
    """A server on a port of this machine."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, method: str, target: str, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        with closing(connection):
            connection.request(method, target, headers=dict(headers))
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())

    @contextmanager
    def talk(self, path: str, headers: Mapping[str, str]) -> Iterator[Talk]:
        url = f"ws://127.0.0.1:{self._port}{path}"
        try:
            line = connect(url, additional_headers=dict(headers))
        except InvalidStatus as error:
            raise Refused(list(error.response.headers.raw_items())) from None
        with line:
            yield _Line(line)


class _Line:
    def __init__(self, line: Any) -> None:
        self._line = line
        self.headers: Headers = list(line.response.headers.raw_items())

    def send(self, text: str) -> None:
        self._line.send(text)

    def recv(self) -> str:
        return str(self._line.recv(PATIENCE))


# -- WSGI, called -----------------------------------------------------------------------------


class Direct:
    """A WSGI application, called as PEP 3333 says."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = validator(app)

    def ask(self, method: str, target: str, headers: Mapping[str, str]) -> Answer:
        path, _, query = target.partition("?")
        environ = {f"HTTP_{name.upper().replace('-', '_')}": text for name, text in headers.items()}
        environ |= {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query}
        environ |= {"SCRIPT_NAME": "", "SERVER_PROTOCOL": "HTTP/1.1"}
        setup_testing_defaults(environ)
        begun: list[tuple[str, Headers]] = []

        def start(status: str, headers: Headers, *_: object) -> Callable[[bytes], object]:
            begun[:] = [(status, headers)]
            return lambda data: None

        try:
            with closing(self._app(environ, start)) as body:  # type: ignore[type-var]
                data = b"".join(body)
        except AssertionError:
            raise  # by the validator
        except Exception:
            if begun:
                raise
            return Answer(500, [], b"")
        [(status, given)] = begun
        return Answer(int(status[:3]), given, data)

    def talk(self, path: str, headers: Mapping[str, str]) -> AbstractContextManager[Talk]:
        raise NotImplementedError("WSGI has no WebSockets")
