"""Laws 1, 6, 7 and 10 against clients that send what they like: no error, no trace, no echo."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sojourn import AsyncManager, Manager, Session
from sojourn._sweeper import LEASE
from sojourn.providers.file import FileProvider
from sojourn.providers.threads import as_async
from sojourn.testing import AsyncTrips, Trips
from sojourn.web import asgi, wsgi
from tests.hard.hostile import Hostile, cookies, header_values
from tests.servers.process import Process
from tests.web.test_servers import gunicorn, uvicorn, wsgiref

COUNT = 5_000
WRITES_EVERY = 10
"""One request in so many stores something."""
HEADER = "X-Session"
OUR_HEADERS = {b"set-cookie", b"cache-control", b"vary", HEADER.lower().encode()}
KNOWN = OUR_HEADERS | {b"server", b"date", b"connection", b"content-length", b"content-type"}

Pairs = list[tuple[bytes, bytes]]


class Answer(NamedTuple):
    status: int
    headers: Pairs
    body: bytes

    def values(self, name: bytes) -> list[bytes]:
        return [value for found, value in self.headers if found.lower() == name.lower()]


def page(session: Session, path: str) -> bytes:
    """Say whether the visitor is known, and on one path count the visits."""
    name = session.get("name", "nobody")
    if path == "/write":
        session["visits"] = session.get("visits", 0) + 1
    return f"hello {name}".encode()


class WsgiSite:
    """One middleware in process, over a store whose trips are counted."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.trips = Trips(FileProvider(folder))
        self.manager = Manager(self.trips, **settings)
        self.app = wsgi.SessionMiddleware(self.serve, self.manager)

    def serve(self, environ: Any, start_response: Any) -> list[bytes]:
        body = page(environ["sojourn.session"], environ["PATH_INFO"])
        start_response("200 OK", [])
        return [body]

    async def ask(self, path: str, headers: Pairs) -> Answer:
        environ = {"PATH_INFO": path, "REQUEST_METHOD": "GET", "wsgi.url_scheme": "http"}
        for name, value in headers:
            variable = name.decode().upper().replace("-", "_")
            environ[f"HTTP_{variable}"] = value.decode("latin-1")
        heads: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, pairs: Any, exc_info: Any = None, /) -> Any:
            heads.append((status, pairs))

        body = b"".join(self.app(environ, start_response))
        [(status, pairs)] = heads
        spelled = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
        return Answer(int(status[:3]), spelled, body)


class AsgiSite:
    def __init__(self, folder: Path, **settings: Any) -> None:
        self.trips = AsyncTrips(as_async(FileProvider(folder)))
        self.manager = AsyncManager(self.trips, **settings)
        self.app = asgi.SessionMiddleware(self.serve, self.manager)

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        body = page(scope["session"], scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    async def ask(self, path: str, headers: Pairs) -> Answer:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b""}

        spelled = [(name.lower(), value) for name, value in headers]
        scope = {"type": "http", "method": "GET", "path": path, "scheme": "http"}
        await self.app({**scope, "headers": spelled}, receive, send)
        head, body = sent
        return Answer(head["status"], head["headers"], body["body"])


Site = WsgiSite | AsgiSite
SITES: list[type[Site]] = [WsgiSite, AsgiSite]


def files_under(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


class Watch:
    """Everything around a folder of sessions, and what may have changed in it."""

    def __init__(self, parent: Path) -> None:
        self.parent = parent
        self.folder = parent / "sessions"
        (parent / "beside").write_text("untouched")
        (parent / "evil").mkdir()
        self.before = files_under(parent)

    def check(self, issued: set[str]) -> None:
        """Nothing new outside the folder, and in it only what the server gave out."""
        outside = {path for path in files_under(self.parent) if self.folder not in path.parents}
        assert outside - self.before <= {self.folder}
        assert self.before <= files_under(self.parent)
        assert (self.parent / "beside").read_text() == "untouched"
        stored = {path.name for path in self.folder.glob("?/?/*")}
        assert stored - {LEASE} == issued


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    return Watch(tmp_path)


def check_no_echo(answer: Answer, hostile: Hostile) -> None:
    """Neither the value nor a part of it that one would notice."""
    told = b"\n".join([answer.body, *(value for _, value in answer.headers)])
    for part in hostile.cookie.replace(b'"', b" ").replace(b"=", b" ").split():
        assert len(part) < 8 or part not in told
    assert b"evil" not in told
    assert not [name for name, _ in answer.headers if name.lower() not in KNOWN]


def token_in(value: bytes) -> str:
    """The token of a Set-Cookie, or of our header."""
    return value.decode().partition(";")[0].removeprefix("session=")


async def attack(site: Site, hostile: Iterator[Hostile], name: bytes, given: bytes) -> set[str]:
    """Send all of it; return the ids of the sessions that the server began for them."""
    issued = set[str]()
    for number, request in enumerate(hostile):
        path = "/write" if number % WRITES_EVERY == 0 else "/read"
        answer = await site.ask(path, [(name, request.cookie)])
        assert (answer.status, answer.body) == (200, b"hello nobody")
        check_no_echo(answer, request)
        trips = site.trips.taken()
        handed = answer.values(given)
        assert trips[: trips.count("read")] == ["read"] * request.most_reads
        assert trips[request.most_reads :] == (["create"] if path == "/write" else [])
        assert len(handed) == (path == "/write")
        for value in handed:
            token = token_in(value)
            assert token not in request.tokens
            issued.add(site.manager._life.id_of(token))
    return issued


@pytest.mark.parametrize("make", SITES)
async def test_hostile_cookies_do_nothing(make: type[Site], watch: Watch) -> None:
    site = make(watch.folder)
    issued = await attack(site, cookies(COUNT, seed=1), b"Cookie", b"Set-Cookie")
    assert len(issued) == COUNT / WRITES_EVERY
    watch.check(issued)


@pytest.mark.parametrize("make", SITES)
async def test_hostile_headers_do_nothing(make: type[Site], watch: Watch) -> None:
    site = make(watch.folder, header_name=HEADER)
    name = HEADER.encode()
    issued = await attack(site, header_values(COUNT, seed=2), name, name)
    assert len(issued) == COUNT / WRITES_EVERY
    watch.check(issued)


@pytest.mark.parametrize("make", SITES)
async def test_a_real_token_counts_among_hostile_ones(make: type[Site], watch: Watch) -> None:
    """Twice or fifty times, quoted, behind garbage: it is one session, and looked up once."""
    site = make(watch.folder)
    first = await site.ask("/write", [])
    [cookie] = first.values(b"Set-Cookie")
    real = token_in(cookie).encode()
    dice = random.Random(3)
    site.trips.taken()
    for request in cookies(300, seed=4):
        if request.tokens:
            continue
        copies = b"; ".join([b"session=" + real] * dice.choice([1, 2, 50]))
        for joined in (
            request.cookie + b"; " + copies,
            b'session="' + real + b'"; ' + request.cookie,
        ):
            answer = await site.ask("/write", [(b"Cookie", joined)])
            assert site.trips.taken() == ["read", "update"]
            assert answer.values(b"Set-Cookie") == []
    watch.check({site.manager._life.id_of(real.decode())})


# -- before real servers ---------------------------------------------------------------------

ON_THE_WIRE = 400
REFUSED = {400, 408, 413, 431}
"""What a server may say to a request that it does not even pass on."""


def ask(port: int, path: str, cookie: bytes) -> Answer | None:
    """Send it as it is; None if the server hung up."""
    head = f"GET {path} HTTP/1.0\r\nHost: localhost\r\nCookie: ".encode()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(head + cookie + b"\r\n\r\n")
            wire = b"".join(iter(lambda: connection.recv(65536), b""))
    except ConnectionError:
        return None
    return parsed(wire) if wire else None


def parsed(wire: bytes) -> Answer:
    head, _, body = wire.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    pairs = [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    return Answer(int(status.split()[1]), pairs, body)


@pytest.mark.parametrize("serve", [wsgiref, gunicorn, uvicorn])
def test_servers_take_hostile_cookies(serve: Callable[[Path], Process], watch: Watch) -> None:
    id_of = Manager(FileProvider(watch.folder))._life.id_of
    issued = set[str]()
    served = 0
    with serve(watch.parent) as process:
        watch.before = files_under(watch.parent)
        for number, request in enumerate(cookies(ON_THE_WIRE, seed=5, enormous_every=20)):
            path = "/count" if number % WRITES_EVERY == 1 else "/read"
            answer = ask(process.port, path, request.cookie)
            if answer is None or answer.status in REFUSED:
                continue
            served += 1
            assert (answer.status, answer.body) == (200, b"1" if path == "/count" else b"0")
            if b"\n" not in request.cookie:
                check_no_echo(answer, request)
            issued |= {id_of(token_in(value)) for value in answer.values(b"Set-Cookie")}
        watch.check(issued)
        assert "Traceback" not in process.log()
    assert served > ON_THE_WIRE / 2
