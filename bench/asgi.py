"""ASGI 3 applications, called without a server."""

# ruff: noqa: D102 - methods are documented in `Subject`

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from itertools import repeat
from pathlib import Path
from time import perf_counter
from types import CoroutineType
from typing import Any

from bench.subject import HEADERS, QUIET, WORK, Answer, Subject, Work


class Asgi(Subject):
    """An ASGI 3 application, called in an event loop that belongs to this subject."""

    with_session: Any
    without: Any

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.loop = asyncio.Runner()

    def close(self) -> None:
        self.loop.close()

    def request(self, cookie: str | None) -> dict[str, Any]:
        headers = HEADERS if cookie is None else {**HEADERS, "Cookie": cookie}
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/",
            "raw_path": b"/",
            "query_string": b"",
            "root_path": "",
            "headers": [(name.lower().encode(), text.encode()) for name, text in headers.items()],
            "client": ("127.0.0.1", 50000),
            "server": ("shop.example", 80),
        }

    def quiet(self, request: Any) -> Any:
        return {**request, "path": QUIET, "raw_path": QUIET.encode()}

    def serve(self, request: Any, work: Work) -> Answer:
        return self.loop.run(self.answer(request, work))

    async def answer(self, request: Any, work: Work) -> Answer:
        """Serve a request; runs inside the event loop."""
        head = await call_asgi(self.with_session, request, work)
        headers = [
            (name.decode("latin-1"), text.decode("latin-1")) for name, text in head["headers"]
        ]
        return Answer(head["status"], headers)

    async def once(self, request: Any, work: Work) -> Any:
        """Serve a request, and ignore the response."""
        await call_asgi(self.with_session, request, work)

    async def bare(self, request: Any, work: Work) -> Any:
        """Serve a request without a session."""
        await call_asgi(self.without, request, work)

    def time(self, request: Any, work: Work, times: int, *, bare: bool) -> float:
        one = self.bare if bare else self.once

        async def run() -> float:
            begin = perf_counter()
            for _ in repeat(None, times):
                await one(request, work)
            return perf_counter() - begin

        return self.loop.run(run())


async def call_asgi(app: Any, scope: Mapping[str, Any], work: Work) -> Any:
    """Call the application like an ASGI server; return the message that starts the response."""
    head: list[Any] = []
    body = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in body:
            return message
        return await asyncio.Future()  # the client stays connected, and sends nothing more

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            head.append(message)

    await app({**scope, WORK: work, "state": {}}, receive, send)
    return head[-1]


async def plain_asgi(_scope: Any, _receive: Any, send: Any) -> None:
    """Send a response, without a session."""
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


async def asgi_view(scope: Any, receive: Any, send: Any) -> None:
    """Run the work on `scope["session"]`, and send a response."""
    await done(scope[WORK](scope["session"]))
    await plain_asgi(scope, receive, send)


async def done(result: Any) -> None:
    """Await the result of a work if it is a coroutine."""
    if type(result) is CoroutineType:
        await result
