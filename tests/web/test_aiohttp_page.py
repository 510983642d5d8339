"""What docs/aiohttp.md shows works when it is put into an application."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp_session
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from sojourn.web.aiohttp import setup
from tests.architecture import pages
from tests.web.aiohttp_site import running
from tests.web.stores import cookie


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What the page defines, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "page", raising=False)
    pages.run(pages.ROOT / "docs" / "aiohttp.md")
    return sys.modules["page"]


async def everything(page: ModuleType) -> TestClient[Any, Any]:
    """A browser at an application with all routes of the page."""
    app = web.Application()
    app.add_routes(page.routes)
    setup(app, page.manager)
    setup(app, page.staff, key="staff")
    app.router.add_get("/staff", page.staff_page)
    return TestClient(TestServer(app))


async def stored(page: ModuleType, client: TestClient[Any, Any]) -> Any:
    token = client.session.cookie_jar.filter_cookies(client.make_url("/"))["session"].value
    return await page.manager.start({"Cookie": f"session={token}"})


async def post(client: TestClient[Any, Any], path: str, **form: str) -> int:
    response = await client.post(path, data=form, allow_redirects=False)
    return int(response.status)


async def test_a_cart_and_a_sign_in(page: ModuleType) -> None:
    async with await everything(page) as client:
        assert await post(client, "/cart", item="pear") == 303
        assert await post(client, "/login", name="ada") == 303
        session = await stored(page, client)
        assert (session["cart"], session.user) == (["pear"], "ada")
        assert await post(client, "/logout") == 303
        assert await page.manager.active_count() == 0
        assert await (await client.get("/staff")).text() == "stranger"


async def test_other_sessions_are_ended(page: ModuleType) -> None:
    async with await everything(page) as here, await everything(page) as there:
        for client in (here, there, here):
            await post(client, "/login", name="ada")
        listed = await (await here.get("/sessions")).json()
        assert sorted(mine for _, mine in listed) == [False, True]
        [other] = [id for id, mine in listed if not mine]
        await post(here, f"/sessions/{other}/end")
        assert (await stored(page, there)).user is None
        await post(there, "/login", name="ada")
        await post(here, "/sessions/end")
        assert len([info async for info in page.manager.sessions("ada")]) == 1


async def test_what_comes_after_the_head(page: ModuleType) -> None:
    async with await everything(page) as client:
        assert await (await client.get("/report")).text() == "first, too late"
        assert await (await client.post("/order")).text() == "Thank you."
        async with client.ws_connect("/chat") as socket:
            await socket.send_str("hello")
            await socket.send_str("again")
            await socket.close()
        session = await stored(page, client)
        assert (session["reports"], session["ordered"]) == (1, True)
        assert "finished" not in session
        assert session["confirmed"]
        assert session["said"] == ["hello", "again"]


@pytest.mark.filterwarnings("ignore:It is recommended to use web.RequestKey")  # aiohttp-session
async def test_an_old_session_is_carried_over_once(page: ModuleType) -> None:
    """With the cookie that aiohttp-session itself made."""

    async def visits(request: web.Request) -> web.Response:
        session = await aiohttp_session.get_session(request)
        session["visits"] = session.get("visits", 0) + 1
        return web.Response(text=str(session["visits"]))

    before = web.Application()
    before.router.add_get("/", visits)
    aiohttp_session.setup(before, page.before)
    async with running(before) as site:
        old = (await site.ask()).headers

    async def show(request: web.Request) -> web.Response:
        session = request["session"]
        session["visits"] = session["visits"] + 1
        return web.Response(text=str(session["visits"]))

    page.site.router.add_get("/", show)
    async with running(page.site) as site:
        jar = cookie(old)
        first = await site.ask(cookie=jar)
        assert first.body == b"2"
        assert (await site.ask(cookie=f"{jar}; {cookie(first.headers)}")).body == b"3"
