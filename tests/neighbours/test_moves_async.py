"""A site moves from the own sessions of Quart, Litestar and aiohttp-session: who stays signed in.

The recipes are those of the pages; the one for Quart is Flask's, with the words that the page says.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp_session
import pytest
import quart
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from litestar import Litestar, Request, get
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.testing import TestClient as LitestarClient
from quart import Quart

from sojourn.providers.memory import MemoryProvider
from sojourn.web.aiohttp import get_session, setup
from sojourn.web.litestar import SessionPlugin
from sojourn.web.quart import install, session
from tests.architecture import pages


@pytest.fixture
def run_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a page, and returns what it defines."""

    def run(name: str) -> ModuleType:
        monkeypatch.chdir(tmp_path)
        monkeypatch.delitem(sys.modules, "page", raising=False)
        pages.run(pages.ROOT / "docs" / name)
        return sys.modules["page"]

    return run


# -- Quart ------------------------------------------------------------------------------------


def quart_site() -> Quart:
    app = Quart("shop")
    app.secret_key = "as before"

    @app.get("/in")
    async def sign_in() -> str:
        quart.session.update(user_id=7, cart=["tent"])
        return "signed in"

    @app.get("/")
    async def who() -> list[Any]:
        now: Any = quart.session
        return [now.get("user_id"), getattr(now, "user", None), now.get("cart")]

    return app


async def test_users_of_quart_stay_signed_in() -> None:
    [recipe] = [
        block.source
        for block in pages.blocks_of(pages.ROOT / "docs" / "flask.md", "python")
        if "def carry_over" in block.source
    ]
    words = {
        "from flask.sessions": "from quart.sessions",
        "def carry_over": "async def carry_over",
        "before := signed": "before := await signed",
    }
    for theirs, ours in words.items():
        assert theirs in recipe
        recipe = recipe.replace(theirs, ours)
    before = quart_site()
    names: dict[str, Any] = {
        "Flask": lambda _: quart_site(),
        "__name__": "page",
        "install": install,
        "session": session,
        "request": quart.request,
        "MemoryProvider": MemoryProvider,
    }
    exec(compile(recipe, "flask.md", "exec", dont_inherit=True), names)
    old, new = before.test_client(), names["site"].test_client()
    await old.get("/in")
    assert old.cookie_jar is not None
    [cookie] = old.cookie_jar
    new.set_cookie("localhost", "session", str(cookie.value))
    for _ in range(2):
        assert await (await new.get("/")).get_json() == [7, "7", ["tent"]]
    sessions = names["site"].extensions["sojourn"]
    assert [info.user async for info in sessions.sessions()] == ["7"]


# -- Litestar ---------------------------------------------------------------------------------


@get("/in")
async def sign_in(request: Request[Any, Any, Any]) -> None:
    request.session.update({"user_id": 7, "cart": ["tent"]})


@get("/")
async def who(request: Request[Any, Any, Any]) -> list[Any]:
    now: Any = request.session
    return [now.get("user_id"), getattr(now, "user", None), now.get("cart")]


@get("/fail")
async def fail() -> None:
    raise RuntimeError


def test_users_of_litestar_stay_signed_in(run_page: Any) -> None:
    page = run_page("litestar.md")
    theirs = ServerSideSessionConfig()
    old = Litestar(
        [sign_in, who], middleware=[theirs.middleware], stores={"sessions": page.old_sessions}
    )
    with LitestarClient(old) as client:
        client.get("/in")
        cookie = client.cookies["session"]
    new = Litestar(
        [who, fail], plugins=[SessionPlugin(page.manager)], before_request=page.carry_over
    )

    def visitor() -> Any:
        client = LitestarClient(new, raise_server_exceptions=False)
        client.cookies.set("session", cookie)
        return client

    first = visitor()
    for _ in range(2):
        assert first.get("/").json() == [7, "7", ["tent"]]
    assert visitor().get("/").json() == [None, None, None]  # a copy of the cookie


def test_a_handler_that_fails_loses_no_session_of_litestar(run_page: Any) -> None:
    page = run_page("litestar.md")
    old = Litestar(
        [sign_in],
        middleware=[ServerSideSessionConfig().middleware],
        stores={"sessions": page.old_sessions},
    )
    with LitestarClient(old) as client:
        client.get("/in")
        cookie = client.cookies["session"]
    app = Litestar(
        [who, fail], plugins=[SessionPlugin(page.manager)], before_request=page.carry_over
    )
    visitor: Any = LitestarClient(app, raise_server_exceptions=True)
    visitor.cookies.set("session", cookie)
    answer = visitor.get("/fail")
    assert answer.status_code == 500
    assert visitor.get("/").json() == [7, "7", ["tent"]]


# -- aiohttp ----------------------------------------------------------------------------------


async def of_before(request: web.Request) -> web.Response:
    now: Any = await aiohttp_session.get_session(request)
    now["user_id"], now["cart"] = 7, ["tent"]
    return web.Response()


async def of_now(request: web.Request) -> web.Response:
    now = get_session(request)
    return web.json_response([now.get("user_id"), now.user, now.get("cart")])


@pytest.mark.filterwarnings("ignore::aiohttp.web_exceptions.NotAppKeyWarning")  # theirs
def test_users_of_aiohttp_session_stay_signed_in(run_page: Any) -> None:
    page = run_page("aiohttp.md")

    async def move() -> None:
        old, new = web.Application(), web.Application(middlewares=[page.carry_over])
        aiohttp_session.setup(old, aiohttp_session.SimpleCookieStorage())
        old.router.add_get("/in", of_before)
        setup(new, page.AsyncManager("memory"))
        new.router.add_get("/", of_now)
        async with TestClient(TestServer(old)) as before, TestClient(TestServer(new)) as client:
            await before.get("/in")
            for cookie in before.session.cookie_jar:
                client.session.cookie_jar.update_cookies({cookie.key: cookie.value})
            for _ in range(2):
                assert await (await client.get("/")).json() == [7, "7", ["tent"]]

    asyncio.run(move())
