"""WSGI applications (PEP 3333), called without a server."""

# ruff: noqa: D102 - methods are documented in `Subject`

from __future__ import annotations

import io
from collections.abc import Mapping
from itertools import repeat
from time import perf_counter
from typing import Any

from bench.subject import HEADERS, QUIET, WORK, Answer, Subject, Work


class Wsgi(Subject):
    """A WSGI application."""

    with_session: Any
    without: Any

    def request(self, cookie: str | None) -> dict[str, Any]:
        headers = HEADERS if cookie is None else {**HEADERS, "Cookie": cookie}
        return {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "SERVER_NAME": "shop.example",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": None,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **{f"HTTP_{name.upper().replace('-', '_')}": text for name, text in headers.items()},
        }

    def quiet(self, request: Any) -> Any:
        return {**request, "PATH_INFO": QUIET}

    def serve(self, request: Any, work: Work) -> Answer:
        return call_wsgi(self.with_session, request, work)

    def time(self, request: Any, work: Work, times: int, *, bare: bool) -> float:
        app = self.without if bare else self.with_session
        begin = perf_counter()
        for _ in repeat(None, times):
            call_wsgi(app, request, work)
        return perf_counter() - begin


def call_wsgi(app: Any, environ: Mapping[str, Any], work: Work) -> Answer:
    """Call the application like a WSGI server, and read the whole body."""
    answer: list[Answer] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
        answer.append(Answer(int(status[:3]), headers))

    body = app({**environ, WORK: work}, start_response)
    for _ in body:
        pass
    if hasattr(body, "close"):
        body.close()
    return answer[-1]


def plain_wsgi(_environ: Mapping[str, Any], start_response: Any) -> list[bytes]:
    """Send a response, without a session."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
