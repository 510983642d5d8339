"""aiohttp: aiohttp-session, in a cookie and in Redis, and Sojourn.

An application is called as aiohttp's own protocol does: route, middlewares, handler, then the
head and the end of the response, into a writer that keeps nothing.
"""

# ruff: noqa: D102 - methods are documented in `Subject` and in `AbstractStreamWriter`

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp_session
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.test_utils import make_mocked_request
from aiohttp_session import AbstractStorage
from aiohttp_session.cookie_storage import EncryptedCookieStorage
from aiohttp_session.redis_storage import RedisStorage
from redis.asyncio import Redis as Client

from bench import servers
from bench.asgi import Asgi, done
from bench.frameworks.common import SECRET, Ours, Subjects, over
from bench.stores import managed
from bench.subject import HEADERS, QUIET, WORK, Answer, Work
from sojourn import AsyncManager
from sojourn.web import aiohttp as ours


async def _visited(request: web.Request) -> web.Response:
    await done(request[WORK](await aiohttp_session.get_session(request)))
    return web.Response(text="ok")


async def _visited_ours(request: web.Request) -> web.Response:
    await done(request[WORK](await ours.get_session(request)))
    return web.Response(text="ok")


async def _plain(_request: web.Request) -> web.Response:
    return web.Response(text="ok")


def _application(view: Any) -> web.Application:
    app = web.Application()
    app.add_routes([web.get("/", view), web.get(QUIET, _plain)])
    return app


class _Nowhere(AbstractStreamWriter):
    """A writer that discards the response, with the attributes that aiohttp's own writer has."""

    chunked = False
    _compress = None

    async def write(self, chunk: Any) -> None:
        pass

    async def write_eof(self, chunk: bytes = b"") -> None:
        pass

    async def drain(self) -> None:
        pass

    def enable_compression(self, encoding: str = "deflate", strategy: int | None = None) -> None:
        pass

    def enable_chunking(self) -> None:
        pass

    async def write_headers(self, status_line: str, headers: Any) -> None:
        pass


_NOWHERE = _Nowhere()


class _Aiohttp(Asgi):
    with_session: web.Application
    without: web.Application

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.without = _application(_plain)
        self.without.freeze()

    def request(self, cookie: str | None) -> Any:
        headers = HEADERS if cookie is None else {**HEADERS, "Cookie": cookie}
        return make_mocked_request("GET", "/", headers, writer=_NOWHERE)

    def quiet(self, request: Any) -> Any:
        return request.clone(rel_url=QUIET)

    async def answer(self, request: Any, work: Work) -> Answer:
        response = await _served(self.with_session, request, work)
        return Answer(response.status, list(response.headers.items()))

    async def once(self, request: Any, work: Work) -> None:
        await _served(self.with_session, request, work)

    async def bare(self, request: Any, work: Work) -> None:
        await _served(self.without, request, work)


async def _served(app: web.Application, request: web.Request, work: Work) -> web.StreamResponse:
    """Serve a copy of the request, because a request keeps the session that it began."""
    copy = request.clone()
    copy[WORK] = work
    response = await app._handle(copy)  # noqa: SLF001 - what its server calls
    await response.prepare(copy)
    await response.write_eof()
    return response


class EncryptedCookie(_Aiohttp):
    """The encrypted cookie, which is the first choice in its documentation."""

    name = "aiohttp-session"
    store = "cookie"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.with_session = _application(_visited)
        aiohttp_session.setup(self.with_session, self._storage())
        self.with_session.freeze()

    def _storage(self) -> AbstractStorage:
        return EncryptedCookieStorage(SECRET[:32].encode())


class Redis(EncryptedCookie):
    """Each session is stored as a Redis string."""

    store = "redis"

    def _storage(self) -> AbstractStorage:
        self._client = Client.from_url(servers.empty_redis())
        return RedisStorage(self._client)

    def close(self) -> None:
        self.loop.run(self._client.aclose())
        super().close()


class Sojourn(Ours, _Aiohttp):
    """Sojourn provides `get_session(request)`."""

    settings = "quiet=True, and the view calls `await get_session(request)`"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.manager = managed(AsyncManager, self.store, folder)
        self.with_session = _application(_visited_ours)
        ours.setup(self.with_session, self.manager, quiet=True)
        self.with_session.freeze()


SUBJECTS: Subjects = (EncryptedCookie, Redis, *over(Sojourn, "memory", "redis"))
