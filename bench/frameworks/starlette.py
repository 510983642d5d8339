"""Starlette: its own signed cookie, starsessions, and Sojourn."""

# ruff: noqa: D102 - methods are documented in `Subject`

from __future__ import annotations

from pathlib import Path
from typing import Any

from redis.asyncio import Redis as Client
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware as OwnMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starsessions import InMemoryStore, SessionMiddleware, load_session
from starsessions.stores.base import SessionStore
from starsessions.stores.redis import RedisStore

from bench import servers
from bench.asgi import Asgi, done
from bench.frameworks.common import QUIET_PAGE, SECRET, Ours, Subjects, over
from bench.stores import managed
from bench.subject import QUIET, WORK
from sojourn import AsyncManager
from sojourn.web import asgi


async def _visited(request: Request) -> PlainTextResponse:
    await done(request.scope[WORK](request.session))
    return PlainTextResponse("ok")


async def _loaded(request: Request) -> PlainTextResponse:
    await load_session(request)
    return await _visited(request)


async def _plain(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


def _application(view: Any, *middleware: Middleware) -> Starlette:
    return Starlette(routes=[Route("/", view), Route(QUIET, _plain)], middleware=middleware)


class _Starlette(Asgi):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.without = _application(_plain)


class SignedCookie(_Starlette):
    """The built-in sessions of Starlette."""

    name = "Starlette"
    store = "cookie"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.with_session = _application(_visited, Middleware(OwnMiddleware, secret_key=SECRET))


class Memory(_Starlette):
    """starsessions; the view loads the session, as its README has it."""

    name = "starsessions"
    store = "memory"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        loading = Middleware(SessionMiddleware, store=self._open(), lifetime=3600)
        self.with_session = _application(_loaded, loading)

    def _open(self) -> SessionStore:
        return InMemoryStore()


class Redis(Memory):
    """Each session is stored as a Redis string."""

    store = "redis"

    def _open(self) -> SessionStore:
        self._client = Client.from_url(servers.empty_redis())
        return RedisStore(connection=self._client)

    def close(self) -> None:
        self.loop.run(self._client.aclose())
        super().close()


class Sojourn(Ours, _Starlette):
    """Sojourn provides `request.session`."""

    settings = f"quiet={QUIET_PAGE}"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.manager = managed(AsyncManager, self.store, folder)
        ours = Middleware(asgi.SessionMiddleware, manager=self.manager, quiet=QUIET_PAGE)
        self.with_session = _application(_visited, ours)


SUBJECTS: Subjects = (SignedCookie, Memory, Redis, *over(Sojourn, "memory", "redis"))
