"""FastAPI, with fastapi-redis-sdk and Sojourn: both give the session to a view as a parameter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from redis_fastapi import FastAPIRedis, SessionDep, get_settings

from bench.serving.apps import OURS
from bench.serving.pages import OK, PAGES, QUIET, Page
from sojourn import AsyncManager
from sojourn.web import asgi
from sojourn.web.fastapi import CurrentSession

View = Callable[..., Awaitable[PlainTextResponse]]


def application(library: str, store: str) -> FastAPI:
    """Return the application."""
    app = FastAPI()
    app.get(f"/{QUIET}")(_quiet)
    make = _ours if library == OURS else _theirs
    for name, page in PAGES.items():
        app.get(f"/{name}")(make(page))
    if library == OURS:
        app.add_middleware(asgi.SessionMiddleware, manager=AsyncManager(store), quiet=True)
    elif library == "fastapi-redis-sdk":
        get_settings().url = store
        FastAPIRedis(app).lifespan().sessions(idle_ttl=3600)
    return app


async def _quiet() -> PlainTextResponse:
    return PlainTextResponse(OK)


def _ours(page: Page) -> View:
    async def view(session: CurrentSession) -> PlainTextResponse:
        return PlainTextResponse(page(session))

    return view


def _theirs(page: Page) -> View:
    async def view(session: SessionDep) -> PlainTextResponse:
        return PlainTextResponse(page(session))

    return view
