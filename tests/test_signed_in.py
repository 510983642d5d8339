"""`sojourn.testing.signed_in`: one line, for the test client of each framework."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp.web
import bottle
import falcon.testing
import httpx
import pytest
import webtest
from aiohttp.test_utils import TestClient as AioClient
from aiohttp.test_utils import TestServer as AioServer
from flask import Flask
from litestar import Litestar, Request, get
from litestar.testing import TestClient as LitestarClient
from quart import Quart
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from sojourn import AsyncManager, ConfigError, Manager
from sojourn.providers.memory import MemoryProvider
from sojourn.testing import FakeClock, async_signed_in, signed_in
from sojourn.web import aiohttp as web_aiohttp
from sojourn.web import asgi, litestar, wsgi
from sojourn.web import flask as web_flask
from sojourn.web import quart as web_quart


def asynchronous() -> Any:
    provider = MemoryProvider()

    class Store:
        def __getattr__(self, name: str) -> Any:
            return getattr(adapted, name)

        async def read(self, id: str) -> Any:
            return await adapted.read(id)

    adapted = AsyncManager(provider)._provider
    return Store()


def test_the_visitor_is_signed_in_and_has_the_fields() -> None:
    clock = FakeClock()
    manager = Manager(MemoryProvider(), clock=clock)
    ada = signed_in(manager, "ada", {"cart": ["tea"]})
    session = manager.start(ada.headers)
    assert (session.user, session["cart"], session.id) == ("ada", ["tea"], ada.id)
    assert session.authenticated_at == clock.now
    assert next(iter(ada.cookies.values())) not in repr(ada)
    nobody = signed_in(manager, None, {"cart": []})
    assert manager.start(nobody.headers).user is None
    with pytest.raises(ConfigError, match="an anonymous visitor of whom nothing is stored"):
        signed_in(manager, None)


def test_where_a_header_carries_the_token_so_does_the_visitor() -> None:
    manager = Manager(MemoryProvider(), header_name="X-Token", enable_set_cookie=False)
    ada = signed_in(manager, "ada")
    assert ada.cookies == {}
    assert manager.start(ada.headers).user == "ada"


async def test_an_async_manager_has_visitors_too() -> None:
    manager = AsyncManager(MemoryProvider())
    for ada in (await async_signed_in(manager, "ada"), signed_in(manager, "ada")):
        assert (await manager.start(ada.headers)).user == "ada"
    apart = AsyncManager(asynchronous())
    assert (await apart.start((await async_signed_in(apart, "ada")).headers)).user == "ada"
    with pytest.raises(ConfigError, match="Store needs an event loop: await async_signed_in"):
        signed_in(apart, "ada")


def test_neither_it_nor_the_clock_needs_pytest() -> None:
    code = """
import sys
sys.modules["pytest"] = sys.modules["_pytest"] = None
import sojourn.testing
from sojourn import Manager
from sojourn.testing import FakeClock, Trips, async_signed_in, signed_in
assert signed_in(Manager("memory", clock=FakeClock()), "ada").cookies
try:
    sojourn.testing.ProviderContract
except ImportError:
    pass
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


# -- the test client of each framework ------------------------------------------------------------


def in_starlette() -> str:
    manager = AsyncManager(MemoryProvider())

    async def view(request: Any) -> PlainTextResponse:
        return PlainTextResponse(request.session.user)

    app = asgi.SessionMiddleware(Starlette(routes=[Route("/", view)]), manager)
    return TestClient(app, cookies=signed_in(manager, "ada").cookies).get("/").text


def in_flask() -> str:
    app = Flask(__name__)
    manager = web_flask.install(app, MemoryProvider())
    app.add_url_rule("/", "user", lambda: str(web_flask.session.user))
    client = app.test_client()
    client.set_cookie(*signed_in(manager, "ada").cookie)
    return client.get("/").text


def in_litestar() -> str:
    manager = AsyncManager(MemoryProvider())

    @get("/")
    async def view(request: Request[Any, Any, Any]) -> str:
        session: Any = request.session
        return str(session.user)

    app = Litestar([view], plugins=[litestar.SessionPlugin(manager)])
    with LitestarClient(app, cookies=signed_in(manager, "ada").cookies) as client:
        return client.get("/").text


def in_bottle() -> str:
    manager, app = Manager(MemoryProvider()), bottle.Bottle()
    app.route("/", callback=lambda: bottle.request.environ["sojourn.session"].user)
    client = webtest.TestApp(wsgi.SessionMiddleware(app, manager))
    return str(client.get("/", headers=signed_in(manager, "ada").headers).text)


def in_falcon() -> str:
    class View:
        def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
            response.text = request.env["sojourn.session"].user

    manager, app = Manager(MemoryProvider()), falcon.App()
    app.add_route("/", View())
    client = falcon.testing.TestClient(
        wsgi.SessionMiddleware(app, manager), headers=signed_in(manager, "ada").headers
    )
    return client.simulate_get("/").text


@pytest.mark.parametrize("client", [in_starlette, in_flask, in_litestar, in_bottle, in_falcon])
def test_a_test_client_is_signed_in_by_one_line(client: Callable[[], str]) -> None:
    assert client() == "ada"


async def in_httpx() -> str:
    manager = AsyncManager(MemoryProvider())

    async def view(request: Any) -> PlainTextResponse:
        return PlainTextResponse(request.session.user)

    app: Any = asgi.SessionMiddleware(Starlette(routes=[Route("/", view)]), manager)
    cookies = (await async_signed_in(manager, "ada")).cookies
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://shop.test", cookies=cookies
    ) as client:
        return (await client.get("/")).text


async def in_quart() -> str:
    app = Quart(__name__)
    manager = web_quart.install(app, MemoryProvider())

    @app.get("/")
    async def view() -> str:
        return str(web_quart.session.user)

    headers = (await async_signed_in(manager, "ada")).headers
    response = await app.test_client().get("/", headers=headers)
    return str(await response.get_data(as_text=True))


async def in_aiohttp() -> str:
    async def view(request: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.Response(text=web_aiohttp.get_session(request).user)

    app, manager = aiohttp.web.Application(), AsyncManager(MemoryProvider())
    web_aiohttp.setup(app, manager)
    app.router.add_get("/", view)
    cookies = (await async_signed_in(manager, "ada")).cookies
    async with AioClient(AioServer(app), cookies=cookies) as client:
        return await (await client.get("/")).text()


@pytest.mark.parametrize("client", [in_httpx, in_quart, in_aiohttp])
async def test_an_async_test_client_is_signed_in_by_one_line(
    client: Callable[[], Awaitable[str]],
) -> None:
    assert await client() == "ada"
