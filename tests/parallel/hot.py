"""One session that many connections change at once, on a real server.

A server imports `asgi_app` or `wsgi_app` and reads from the environment which store it has.  As a
program this is the client: it opens the connections, sends on each of them one request after the
other, and says as JSON what became of them.  All of them bring the same cookie along.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, NamedTuple
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sojourn import AsyncManager, Manager, Session
from sojourn.web import asgi, wsgi
from sojourn.web._lifespan import App, Receive, Scope, Send
from tests.servers.process import Process, free_port

ROOT = Path(__file__).parents[2]
CONNECTIONS = 64
PATIENCE = 60.0
"""Seconds that the client waits for an answer before it gives up."""
LARGE = 64 * 2**20
"""Bytes that the session may have, so that a list may grow as long as a run lasts."""


# -- the application -----------------------------------------------------------------------------


class Work(NamedTuple):
    """What a request does with the session, and how many acknowledged ones left no trace."""

    change: Callable[[Session, int, int], None]
    missing: Callable[[Any, Sequence[tuple[int, int]]], int]
    """Takes what is stored in the end, and the connection and turn of each acknowledged request."""


def number(connection: int, turn: int) -> int:
    return turn * 1000 + connection


def append_to_the_list(session: Session, connection: int, turn: int) -> None:
    session["list"].append(number(connection, turn))


def missing_in_the_list(stored: list[int], acknowledged: Sequence[tuple[int, int]]) -> int:
    """Items that are not there, are there twice, or come after later ones of their connection."""
    items = [number(*one) for one in acknowledged]
    order = {item: place for place, item in enumerate(stored)}
    by_connection = sorted(items, key=lambda item: (item % 1000, item))
    return (
        len(set(items) - order.keys())
        + (len(stored) - len(order))
        + sum(
            order.get(before, 0) > order.get(after, 0)
            for before, after in itertools.pairwise(by_connection)
            if before % 1000 == after % 1000
        )
    )


def count_one_more(session: Session, connection: int, turn: int) -> None:
    session.apply("count", lambda count: count + 1, 0)


def missing_in_the_count(stored: int, acknowledged: Sequence[tuple[int, int]]) -> int:
    return max(0, len(acknowledged) - stored)


def put_own_entry(session: Session, connection: int, turn: int) -> None:
    session["entries"][connection] = turn


def missing_entries(stored: dict[str, int], acknowledged: Sequence[tuple[int, int]]) -> int:
    """Connections whose entry is older than the last one that was acknowledged."""
    last = dict(sorted(acknowledged))
    return sum(stored.get(str(connection), 0) < turn for connection, turn in last.items())


WORK = {
    "list": Work(append_to_the_list, missing_in_the_list),
    "count": Work(count_one_more, missing_in_the_count),
    "entries": Work(put_own_entry, missing_entries),
}


def page(session: Session, path: str) -> bytes:
    """Begin the session, show what it holds, or do the work of a connection's turn."""
    _, verb, *words = path.split("/")
    if verb == "begin":
        session.update({"list": [], "count": 0, "entries": {}})
    elif verb == "show":
        return json.dumps(session[words[0]]).encode()
    else:
        WORK[verb].change(session, int(words[0]), int(words[1]))
    return b"ok"


def asgi_app() -> App:
    async def pages(scope: Scope, receive: Receive, send: Send) -> None:
        body = page(scope["session"], scope["path"])
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return asgi.SessionMiddleware(pages, AsyncManager(*_store(), max_size=LARGE))


def wsgi_app() -> WSGIApplication:
    def pages(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = page(environ["sojourn.session"], environ["PATH_INFO"])
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    return wsgi.SessionMiddleware(pages, Manager(*_store(), max_size=LARGE))


def _store() -> tuple[str, dict[str, Any]]:
    return os.environ["HOT_STORE"], {"provider_config": json.loads(os.environ["HOT_ADDRESS"])}


def served(store: str, address: object, server: str, workers: int) -> Process:
    """Return the application on a real server, not started yet."""
    port = free_port()
    words: dict[str, list[object]] = {
        "uvicorn": [
            *("--factory", "tests.parallel.hot:asgi_app", "--port", port, "--workers", workers),
            *("--no-access-log", "--timeout-keep-alive", 600),
        ],
        "gunicorn": [
            *("tests.parallel.hot:wsgi_app()", "--bind", f"127.0.0.1:{port}", "--workers", workers),
            *("--worker-class", "gthread", "--threads", CONNECTIONS, "--keep-alive", 600),
            *("--timeout", 600, "--no-control-socket"),
        ],
    }
    command = [sys.executable, "-m", server, *map(str, words[server])]
    env = {"HOT_STORE": store, "HOT_ADDRESS": json.dumps(address)}
    return Process(*command, port=port, cwd=ROOT, env=env)


# -- the client ----------------------------------------------------------------------------------


class Answer(NamedTuple):
    """What became of one request."""

    connection: int
    turn: int
    status: int
    seconds: float
    in_time: bool
    """It came before the client had enough; others were under way then, and were waited for."""


class Found(NamedTuple):
    """What became of all requests."""

    answers: list[Answer]
    missing: int
    """Acknowledged requests of which there is no trace in the session."""
    seconds: float

    @property
    def acknowledged(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status == 200]

    @property
    def refused(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status != 200]

    @property
    def connections(self) -> set[int]:
        """Those of which a request was acknowledged before the client had enough."""
        return {answer.connection for answer in self.acknowledged if answer.in_time}


def hammer(
    process: Process,
    work: str,
    *,
    connections: int = CONNECTIONS,
    seconds: float = PATIENCE,
    enough: int = sys.maxsize,
) -> Found:
    """Let all connections change one session, until time is up or enough was acknowledged."""
    words = (process.port, work, connections, seconds, enough)
    command = [sys.executable, "-m", "tests.parallel.hot", *map(str, words)]
    said = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    found = json.loads(said)
    return Found([Answer(*one) for one in found["answers"]], found["missing"], found["seconds"])


class Line:
    """A connection that stays."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, path: str, cookie: str) -> tuple[int, list[tuple[str, str]], bytes]:
        request = f"GET /{path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n"
        self._writer.write(request.encode())
        async with asyncio.timeout(PATIENCE):
            first, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().splitlines()
            pairs = [line.partition(": ")[::2] for line in lines if line]
            headers = [(name.lower(), value) for name, value in pairs]
            body = await self._reader.readexactly(int(dict(headers)["content-length"]))
        return int(first.split()[1]), headers, body

    def close(self) -> None:
        self._writer.close()


class Client:
    """Many connections of one browser."""

    def __init__(self, port: int, work: str, cookie: str, seconds: float, enough: int) -> None:
        self._port, self._work, self._cookie, self._enough = port, work, cookie, enough
        self._time = asyncio.get_running_loop().time
        self._begun = self._time()
        self._deadline = self._begun + seconds
        self.answers: list[Answer] = []
        self.seconds = seconds

    async def run(self, connections: int) -> None:
        lines = [await open_line(self._port) for _ in range(connections)]
        async with asyncio.TaskGroup() as group:
            for place, line in enumerate(lines):
                group.create_task(self._turns(place, line))

    async def _turns(self, connection: int, line: Line) -> None:
        turn = 0
        while not self._has_enough():
            turn += 1
            begun = self._time()
            status, _, _ = await line.ask(f"{self._work}/{connection}/{turn}", self._cookie)
            took, in_time = self._time() - begun, not self._has_enough()
            self.answers.append(Answer(connection, turn, status, took, in_time))
            self._enough -= status == 200
            if in_time and self._has_enough():
                self.seconds = self._time() - self._begun
        line.close()

    def _has_enough(self) -> bool:
        return self._enough <= 0 or self._time() >= self._deadline


async def open_line(port: int) -> Line:
    return Line(*await asyncio.open_connection("127.0.0.1", port))


async def main(port: int, work: str, connections: int, seconds: float, enough: int) -> None:
    line = await open_line(port)
    _, headers, _ = await line.ask("begin", "")
    [morsel] = SimpleCookie(dict(headers)["set-cookie"]).values()
    cookie = f"{morsel.key}={morsel.value}"
    client = Client(port, work, cookie, seconds, enough)
    await client.run(connections)
    _, _, stored = await (await open_line(port)).ask(f"show/{work}", cookie)
    acknowledged = [(one.connection, one.turn) for one in client.answers if one.status == 200]
    missing = WORK[work].missing(json.loads(stored), acknowledged)
    found = {"answers": client.answers, "missing": missing, "seconds": client.seconds}
    print(json.dumps(found))  # noqa: T201 - to the process that asked


if __name__ == "__main__":
    port, work, connections, seconds, enough = sys.argv[1:]
    asyncio.run(main(int(port), work, int(connections), float(seconds), int(enough)))
