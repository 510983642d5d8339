"""aiohttp-session: its middleware around a handler of aiohttp, called with a request."""

# ruff: noqa: D102 - methods are documented in `Subject`

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from aiohttp_session import get_session, session_middleware
from aiohttp_session.redis_storage import RedisStorage
from redis.asyncio import Redis as Client

from bench import servers
from bench.asgi import Asgi, done
from bench.subject import HEADERS, WORK, Answer, Work


async def _with(request: web.Request) -> web.Response:
    await done(request[WORK](await get_session(request)))
    return web.Response(text="ok")


async def _without(_request: web.Request) -> web.Response:
    return web.Response(text="ok")


def _again(request: web.Request, work: Work) -> web.Request:
    """Return a copy of the request, because a request keeps the session that it began."""
    copy = request.clone()
    copy[WORK] = work
    return copy


class Redis(Asgi):
    """Each session is stored as a Redis string."""

    name = "aiohttp-session"
    store = "redis"
    settings = "its middleware called with a request, without a server or a router"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._client = Client.from_url(servers.empty_redis())
        self._middleware = session_middleware(RedisStorage(self._client))

    def close(self) -> None:
        self.loop.run(self._client.aclose())
        super().close()

    def request(self, cookie: str | None) -> Any:
        headers = HEADERS if cookie is None else {**HEADERS, "Cookie": cookie}
        return make_mocked_request("GET", "/", headers)

    async def answer(self, request: Any, work: Work) -> Answer:
        response = await self.once(request, work)
        sent = response.cookies.values()
        return Answer(response.status, [("Set-Cookie", cookie.OutputString()) for cookie in sent])

    async def once(self, request: Any, work: Work) -> Any:
        return await self._middleware(_again(request, work), _with)

    async def bare(self, request: Any, work: Work) -> Any:
        return await _without(_again(request, work))

    def stored(self) -> int:
        return servers.keys()
