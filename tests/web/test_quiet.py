"""Pages that never use their session, in asynchronous frameworks: `quiet` and `session.load()`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from fastapi import FastAPI, Request
from litestar import Litestar, get
from litestar import Request as LitestarRequest
from quart import Quart
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from sojourn import AsyncManager, ConfigError, NotLoaded, Session
from sojourn.testing import FakeClock, Trips
from sojourn.web import aiohttp, asgi, litestar, quart
from sojourn.web._quiet import Quiet
from sojourn.web.fastapi import CurrentSession
from tests.web.stores import Failing, values

Ask = Callable[[str], Any]


Site = Callable[[Trips, Quiet], Any]
"""Makes an application with three pages, and yields a function that asks for one of them.

`/ignore` never uses the session, `/use` uses it without loading, and `/load` loads it and counts in
it.
"""


def counted(session: Session) -> str:
    session["n"] = session.get("n", 0) + 1
    return str(session["n"])


@asynccontextmanager
async def asked(app: Any) -> AsyncIterator[Ask]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
        yield client.get


@asynccontextmanager
async def in_starlette(store: Trips, quiet: Quiet) -> AsyncIterator[Ask]:
    def ignore(_: StarletteRequest) -> PlainTextResponse:
        return PlainTextResponse("-")

    async def use(request: StarletteRequest) -> PlainTextResponse:
        return PlainTextResponse(counted(request.session))  # type: ignore[arg-type]

    async def load(request: StarletteRequest) -> PlainTextResponse:
        await request.scope["session"].load()
        return await use(request)

    pages = (("/ignore", ignore), ("/use", use), ("/load", load))
    app = Starlette(routes=[Route(path, page) for path, page in pages])
    app.add_middleware(asgi.SessionMiddleware, manager=managed(store), quiet=quiet)
    async with asked(app) as ask:
        yield ask


@asynccontextmanager
async def in_fastapi(store: Trips, quiet: Quiet) -> AsyncIterator[Ask]:
    app = FastAPI()
    app.add_middleware(asgi.SessionMiddleware, manager=managed(store), quiet=quiet)

    @app.get("/ignore")
    async def ignore() -> str:
        return "-"

    @app.get("/use")
    async def use(request: Request) -> str:
        return counted(request.session)  # type: ignore[arg-type]

    @app.get("/load")
    def load(session: CurrentSession) -> PlainTextResponse:
        return PlainTextResponse(counted(session))

    async with asked(app) as ask:
        yield ask


@asynccontextmanager
async def in_litestar(store: Trips, quiet: Quiet) -> AsyncIterator[Ask]:
    @get("/ignore", sync_to_thread=False)
    def ignore() -> str:
        return "-"

    @get("/use", sync_to_thread=False)
    def use(request: LitestarRequest[Any, Any, Any]) -> str:
        return counted(request.session)  # type: ignore[arg-type]

    @get("/load", sync_to_thread=False)
    def load(session: litestar.CurrentSession) -> str:
        return counted(session)

    plugin = litestar.SessionPlugin(managed(store), quiet=quiet)
    async with asked(Litestar([ignore, use, load], plugins=[plugin], logging_config=None)) as ask:
        yield ask


@asynccontextmanager
async def in_quart(store: Trips, quiet: Quiet) -> AsyncIterator[Ask]:
    app = Quart(__name__)
    quart.install(app, store, clock=CLOCK, quiet=quiet)

    @app.get("/ignore")
    async def ignore() -> str:
        return "-"

    @app.get("/use")
    async def use() -> str:
        return counted(quart.session)

    @app.get("/load")
    async def load() -> str:
        await quart.session.load()
        return counted(quart.session)

    async with asked(app) as ask:
        yield ask


@asynccontextmanager
async def in_aiohttp(store: Trips, quiet: Quiet) -> AsyncIterator[Ask]:
    async def ignore(_: web.Request) -> web.Response:
        return web.Response(text="-")

    async def use(request: web.Request) -> web.Response:
        return web.Response(text=counted(aiohttp.get_session(request)))

    async def load(request: web.Request) -> web.Response:
        return web.Response(text=counted(await aiohttp.get_session(request)))

    app = web.Application()
    app.add_routes([web.get("/ignore", ignore), web.get("/use", use), web.get("/load", load)])
    aiohttp.setup(app, managed(store), quiet=quiet)
    async with (
        TestServer(app, host="127.0.0.1") as server,
        httpx.AsyncClient(base_url=str(server.make_url("/"))) as client,
    ):
        yield client.get


CLOCK = FakeClock()
SITES: dict[str, Site] = {
    "starlette": in_starlette,
    "fastapi": in_fastapi,
    "litestar": in_litestar,
    "quart": in_quart,
    "aiohttp": in_aiohttp,
}


def managed(store: Trips) -> AsyncManager:
    return AsyncManager(store, clock=CLOCK)


@pytest.fixture(params=SITES)
def site(request: pytest.FixtureRequest) -> Site:
    return SITES[request.param]


@pytest.fixture
def store() -> Trips:
    return Trips(Failing())


async def test_a_page_asks_the_store_only_if_it_loads_its_session(site: Site, store: Trips) -> None:
    async with site(store, True) as ask:
        assert (await ask("/load")).text == "1"
        assert store.taken() == ["create"]
        for _ in range(3):
            answer = await ask("/ignore")
            assert (answer.status_code, values(answer.headers.items(), "Vary")) == (200, [])
        assert store.taken() == []
        assert (await ask("/load")).text == "2"
        assert store.taken() == ["read", "update"]


async def test_a_use_without_loading_is_an_error_of_the_application(
    site: Site, store: Trips, caplog: pytest.LogCaptureFixture
) -> None:
    async with site(store, True) as ask:
        await ask("/load")
        await ask("/ignore")
        store.taken()
        assert (await ask("/use")).status_code == 500
        assert store.taken() == []
        assert (await ask("/load")).text == "2"


@pytest.mark.parametrize(
    "quiet", [["/ignore"], ["/elsewhere", "/ign*"], lambda of: path_of(of) == "/ignore"]
)
async def test_pages_are_named_quiet(site: Site, store: Trips, quiet: Quiet) -> None:
    async with site(store, quiet) as ask:
        for number in "123":
            assert (await ask("/use")).text.strip('"') == number
        await ask("/ignore")
        store.taken()
        assert (await ask("/ignore")).status_code == 200
        assert store.taken() == []


def path_of(request: Any) -> str:
    path: str = request["path"] if isinstance(request, dict) else request.path
    return path


async def test_a_failure_to_load_is_answered_with_503(site: Site) -> None:
    failing = Failing()
    store = Trips(failing)
    async with site(store, True) as ask:
        await ask("/load")
        await ask("/ignore")
        failing.down = {"read"}
        assert (await ask("/load")).status_code == 503
        assert (await ask("/ignore")).status_code == 200
        CLOCK.advance(60)
        # A touch is due, so this page needs the store, as any other does.
        assert (await ask("/ignore")).status_code == 503
        failing.down = set()
        assert (await ask("/load")).text == "2"


@pytest.mark.parametrize("quiet", ["/health", 1, ["health"], ["/a*b"], [b"/health"], None])
def test_a_wrong_rule_is_refused(quiet: Any) -> None:
    with pytest.raises(ConfigError, match="quiet"):
        asgi.SessionMiddleware(lambda *_: None, AsyncManager("memory"), quiet=quiet)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="quiet"):
        litestar.SessionPlugin(AsyncManager("memory"), quiet=quiet)
    with pytest.raises(ConfigError, match="quiet"):
        aiohttp.setup(web.Application(), AsyncManager("memory"), quiet=quiet)
    with pytest.raises(ConfigError, match="quiet"):
        quart.install(Quart(__name__), "memory", quiet=quiet)


def test_an_async_rule_is_refused() -> None:
    async def rule(_: Any) -> bool:
        return False

    with pytest.raises(ConfigError, match="async"):
        asgi.SessionMiddleware(lambda *_: None, AsyncManager("memory"), quiet=rule)  # type: ignore[arg-type]


def test_the_error_names_both_ways_out() -> None:
    session = AsyncManager("memory").start_lazily({"Cookie": "session=" + "A" * 43})
    with pytest.raises(NotLoaded, match=r"await session\.load\(\).*quiet"):
        session.get("a")
