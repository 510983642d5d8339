"""Starlette, with starsessions and Sojourn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starsessions import SessionMiddleware, load_session
from starsessions.stores.redis import RedisStore

from bench.serving.apps import OURS
from bench.serving.pages import OK, PAGES, QUIET, Page
from sojourn import AsyncManager
from sojourn.web import asgi

View = Callable[[Request], Awaitable[PlainTextResponse]]


def application(library: str, store: str) -> Starlette:
    """Return the application."""
    make = _loading if library == "starsessions" else _view
    routes = [Route(f"/{name}", make(page)) for name, page in PAGES.items()]
    return Starlette(
        routes=[Route(f"/{QUIET}", _quiet), *routes], middleware=_sessions(library, store)
    )


async def _quiet(_request: Request) -> PlainTextResponse:
    return PlainTextResponse(OK)


def _view(page: Page) -> View:
    async def view(request: Request) -> PlainTextResponse:
        return PlainTextResponse(page(request.session))

    return view


def _loading(page: Page) -> View:
    """Return a view that first loads the session, as the README of starsessions shows it."""

    async def view(request: Request) -> PlainTextResponse:
        await load_session(request)
        return PlainTextResponse(page(request.session))

    return view


def _sessions(library: str, store: str) -> list[Middleware]:
    if library == OURS:
        manager = AsyncManager(store)
        return [Middleware(asgi.SessionMiddleware, manager=manager, quiet=[f"/{QUIET}"])]
    if library == "starsessions":
        return [Middleware(SessionMiddleware, store=RedisStore(store), lifetime=3600)]
    return []
