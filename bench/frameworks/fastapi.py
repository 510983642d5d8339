"""FastAPI: Starlette's signed cookie, fastapi-redis-sdk, and Sojourn."""

# ruff: noqa: D102 - methods are documented in `Subject`

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from redis.asyncio import Redis as Client
from redis_fastapi import RedisSessionStore, SessionMiddleware
from starlette.middleware.sessions import SessionMiddleware as CookieMiddleware

from bench import servers
from bench.asgi import Asgi, done
from bench.frameworks.common import QUIET_PAGE, SECRET, Ours, Subjects, over
from bench.stores import managed
from bench.subject import QUIET, WORK
from sojourn import AsyncManager
from sojourn.web import asgi
from sojourn.web.fastapi import CurrentSession


async def _visited(request: Request) -> PlainTextResponse:
    await done(request.scope[WORK](request.session))
    return PlainTextResponse("ok")


async def _asked(request: Request, session: CurrentSession) -> PlainTextResponse:
    await done(request.scope[WORK](session))
    return PlainTextResponse("ok")


async def _plain(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


def _application(view: Any) -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.get("/")(view)
    app.get(QUIET)(_plain)
    return app


class SignedCookie(Asgi):
    """The signed cookie of Starlette."""

    name = "Starlette"
    store = "cookie"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.without = _application(_plain)
        self.with_session = _application(_visited)
        self.with_session.add_middleware(CookieMiddleware, secret_key=SECRET)


class Redis(Asgi):
    """fastapi-redis-sdk, which stores each session in a Redis hash."""

    name = "fastapi-redis-sdk"
    store = "redis"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._client = Client.from_url(servers.empty_redis())
        self._store = RedisSessionStore(self._client, idle_ttl=3600)
        self.without = _application(_plain)
        self.with_session = _application(_visited)
        self.with_session.add_middleware(SessionMiddleware, store_factory=self._opened)

    async def _opened(self, _request: Request) -> RedisSessionStore:
        return self._store

    def close(self) -> None:
        self.loop.run(self._client.aclose())
        super().close()


class Sojourn(Ours, Asgi):
    """Sojourn provides `request.session`."""

    settings = f"quiet={QUIET_PAGE}"
    quiet_pages: Any = QUIET_PAGE
    view: Any = staticmethod(_visited)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.without = _application(_plain)
        self.manager = managed(AsyncManager, self.store, folder)
        self.with_session = _application(self.view)
        self.with_session.add_middleware(
            asgi.SessionMiddleware, manager=self.manager, quiet=self.quiet_pages
        )


class Asked(Sojourn):
    """The view gets Sojourn's session as a parameter."""

    name = "Sojourn, CurrentSession"
    settings = "quiet=True"
    quiet_pages = True
    view: Any = staticmethod(_asked)


SUBJECTS: Subjects = (
    SignedCookie,
    Redis,
    *over(Sojourn, "memory", "redis"),
    *over(Asked, "memory", "redis"),
)
