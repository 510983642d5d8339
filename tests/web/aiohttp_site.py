"""An aiohttp application on a port of this machine, and somebody who asks it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiohttp import ClientResponse, ClientSession, ClientWebSocketResponse, DummyCookieJar, web
from aiohttp.test_utils import BaseTestServer, TestServer
from aiohttp.typedefs import Handler

from sojourn import AsyncManager, Session
from sojourn.web.aiohttp import get_session, setup
from tests.web.stores import Pairs, cookie


class Answer(NamedTuple):
    status: int
    headers: Pairs
    body: bytes


class Site:
    """A running application."""

    def __init__(self, server: BaseTestServer, client: ClientSession) -> None:
        self.server = server
        self._client = client

    async def ask(
        self, path: str = "/", cookie: str = "", method: str = "GET", **headers: str
    ) -> Answer:
        sent = {name.replace("_", "-"): text for name, text in headers.items()}
        url = self.server.make_url(path)
        call = self._client.request(method, url, headers=_with(cookie, sent), allow_redirects=False)
        async with call as response:
            return Answer(response.status, [*response.headers.items()], await response.read())

    @asynccontextmanager
    async def open(self, path: str = "/", cookie: str = "") -> AsyncIterator[ClientResponse]:
        """A response whose body is still to come."""
        async with self._client.get(self.server.make_url(path), headers=_with(cookie)) as response:
            yield response

    async def talk(self, path: str = "/", cookie: str = "") -> ClientWebSocketResponse:
        return await self._client.ws_connect(self.server.make_url(path), headers=_with(cookie))

    async def raw(self, request: str) -> bytes:
        """What goes over the wire, until the server has nothing more to say."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        writer.write(request.replace("\n", "\r\n").encode())
        try:
            return await asyncio.wait_for(reader.read(), 10)
        finally:
            writer.close()


def _with(cookie: str, headers: Mapping[str, str] | None = None) -> dict[str, str]:
    return {**(headers or {}), **({"Cookie": cookie} if cookie else {})}


@asynccontextmanager
async def running(app: web.Application) -> AsyncIterator[Site]:
    """The application while it runs.  The client keeps no cookies."""
    async with TestServer(app) as server, ClientSession(cookie_jar=DummyCookieJar()) as client:
        yield Site(server, client)


def application(manager: AsyncManager, handler: Handler, *middlewares: Any) -> web.Application:
    """One page, at any path and for any method."""
    app = web.Application(middlewares=middlewares)
    app.router.add_route("*", "/{path:.*}", handler)
    setup(app, manager)
    return app


async def visit(manager: AsyncManager, **data: Any) -> str:
    """The cookie of a visitor for whom `data` is stored."""
    async with manager.open({}) as session:
        session.update(data)
    assert session.released is not None
    return cookie(session.released.headers)


async def stored(manager: AsyncManager, visitor: str) -> dict[Any, Any]:
    """What the visitor finds who comes again."""
    return dict(await manager.start({"Cookie": visitor}))


async def count(request: web.Request) -> web.Response:
    session: Session = get_session(request)
    session["n"] = session.get("n", 0) + 1
    return web.Response(text=str(session["n"]))
