"""Law 5 through the middlewares: a logout is answered while a hundred requests are under way."""

from __future__ import annotations

import asyncio
import http.client
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from sojourn import AsyncManager, Manager, Provider, ReleaseOutcome, Session
from sojourn.web import asgi, wsgi
from tests.parallel.slow import EVERYTHING, SLOW, visitor
from tests.parallel.visits import PATIENCE, at_once, set_cookies

LATE = ReleaseOutcome.LATE


class ThreadedServer(ThreadingMixIn, WSGIServer):
    """A thread for each request, and room for all of them to knock at once."""

    daemon_threads = True
    request_queue_size = 2 * SLOW


class QuietHandler(WSGIRequestHandler):
    """Writes no line for each request."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class SlowSite:
    """`/logout` is answered once all others have loaded the session, these once it is answered."""

    def __init__(self) -> None:
        self.all_loaded = threading.Barrier(SLOW + 1, timeout=PATIENCE)
        self.logged_out = threading.Event()
        self.sessions = list[Session]()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session: Session = environ["sojourn.session"]
        page = environ["PATH_INFO"].removeprefix("/")
        if page == "logout":
            session.logout()
            self.all_loaded.wait()
        else:
            EVERYTHING[int(page) % len(EVERYTHING)](session, int(page))
            self.sessions.append(session)
            self.all_loaded.wait()
            assert self.logged_out.wait(PATIENCE)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"done"]


@pytest.fixture
def manager(provider: Provider) -> Manager:
    return Manager(provider, touch_interval=0, cookie_lifetime=3600)


@pytest.fixture
def site() -> SlowSite:
    return SlowSite()


@pytest.fixture
def port(manager: Manager, site: SlowSite) -> Iterator[int]:
    with ThreadedServer(("127.0.0.1", 0), QuietHandler) as server:
        server.set_app(wsgi.SessionMiddleware(site, manager))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_logout_during_slow_requests_of_a_threaded_server(
    provider: Provider, manager: Manager, site: SlowSite, port: int
) -> None:
    jar = visitor(manager, "ada")
    stale = jar.copy()
    ended = manager.start(jar.headers).id

    def ask(number: int) -> list[tuple[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        page = "logout" if number == SLOW else str(number)
        connection.request("GET", f"/{page}", headers=stale.headers)
        response = connection.getresponse()
        assert (response.status, response.read()) == (HTTPStatus.OK, b"done")
        connection.close()
        if number == SLOW:
            site.logged_out.set()
        return response.getheaders()

    *answers, logout = at_once(ask, SLOW + 1)
    jar.take(logout)
    assert jar.headers == {}
    assert [set_cookies(headers) for headers in answers] == [[]] * SLOW
    assert [outcome_of(session) for session in site.sessions] == [LATE] * SLOW
    assert manager.active_count() == 0
    assert manager.start(stale.headers).is_new
    assert provider.read(ended) is None


def outcome_of(session: Session) -> ReleaseOutcome:
    assert session.released is not None
    return session.released.outcome


Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]


async def test_a_logout_during_slow_requests_of_an_event_loop(provider: Provider) -> None:
    jar = visitor(Manager(provider), "ada")
    manager = AsyncManager(provider, touch_interval=0, cookie_lifetime=3600)
    all_loaded, logged_out = asyncio.Semaphore(0), asyncio.Event()
    sessions = list[Session]()

    async def site(
        scope: Scope,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        session, page = scope["session"], scope["path"].removeprefix("/")
        if page == "logout":
            session.logout()
            for _ in range(SLOW):
                await all_loaded.acquire()
        else:
            EVERYTHING[int(page) % len(EVERYTHING)](session, int(page))
            sessions.append(session)
            all_loaded.release()
            await logged_out.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    served = asgi.SessionMiddleware(site, manager)

    async def ask(page: str) -> list[tuple[str, str]]:
        answer = list[Message]()

        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            answer.append(message)

        cookie = [(b"cookie", jar.headers["Cookie"].encode())]
        await served({"type": "http", "path": f"/{page}", "headers": cookie}, receive, send)
        if page == "logout":
            logged_out.set()
        return [(name.decode(), value.decode()) for name, value in answer[0]["headers"]]

    pages = [*map(str, range(SLOW)), "logout"]
    *answers, logout = await asyncio.wait_for(asyncio.gather(*map(ask, pages)), PATIENCE)
    stale = jar.copy()
    jar.take(logout)
    assert jar.headers == {}
    assert [set_cookies(headers) for headers in answers] == [[]] * SLOW
    assert [outcome_of(session) for session in sessions] == [LATE] * SLOW
    assert await manager.active_count() == 0
    assert (await manager.start(stale.headers)).is_new
