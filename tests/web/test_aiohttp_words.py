"""aiohttp: code that was written against aiohttp-session runs as it stands."""

from __future__ import annotations

import aiohttp_session
import pytest
from aiohttp import web

from sojourn import AsyncManager, SessionReleased
from sojourn.testing import FakeClock
from sojourn.web.aiohttp import AiohttpSession, get_session, setup
from tests.web.aiohttp_site import running, stored
from tests.web.stores import cookie, values


def legacy(manager: AsyncManager) -> web.Application:
    """An application of somebody who used aiohttp-session; only its `setup` is ours."""
    app = web.Application()
    routes = web.RouteTableDef()

    @routes.get("/visit")
    async def visit(request: web.Request) -> web.Response:
        session = await aiohttp_session.get_session(request)
        session["visits"] = session["visits"] + 1 if "visits" in session else 1
        return web.json_response([session.new, session["visits"], session.identity])

    @routes.get("/basket")
    async def basket(request: web.Request) -> web.Response:
        session = await aiohttp_session.get_session(request)
        session.setdefault("basket", []).append("apple")
        session.changed()
        return web.Response()

    @routes.get("/leave")
    async def leave(request: web.Request) -> web.Response:
        session = await aiohttp_session.get_session(request)
        session.invalidate()
        assert session.empty
        raise web.HTTPFound("/")

    app.add_routes(routes)
    setup(app, manager, key="aiohttp_session")
    return app


async def test_code_against_aiohttp_session_runs() -> None:
    manager = AsyncManager("memory")
    async with running(legacy(manager)) as site:
        first = await site.ask("/visit")
        assert first.body == b"[true, 1, null]"
        visitor = cookie(first.headers)
        id = (await manager.start({"Cookie": visitor})).id
        assert (await site.ask("/visit", visitor)).body == b'[false, 2, "%s"]' % id.encode()
        assert id not in visitor
        for _ in range(2):
            await site.ask("/basket", visitor)
        assert await stored(manager, visitor) == {"visits": 2, "basket": ["apple", "apple"]}
        left = await site.ask("/leave", visitor)
        assert cookie(left.headers) == "session="
        assert (await site.ask("/visit", visitor)).body == b"[true, 1, null]"


async def test_a_session_that_is_left_may_begin_anew() -> None:
    async def handler(request: web.Request) -> web.Response:
        session = get_session(request)
        session.invalidate()
        session["n"] = 2
        return web.Response()

    app, manager = web.Application(), AsyncManager("memory")
    app.router.add_get("/", handler)
    setup(app, manager)
    async with running(app) as site:
        first = cookie((await site.ask()).headers)
        second = cookie((await site.ask(cookie=first)).headers)
    assert first != second
    assert await stored(manager, first) == {}
    assert await stored(manager, second) == {"n": 2}


async def new_session(manager: AsyncManager) -> AiohttpSession:
    return AiohttpSession.adopt(await manager.start({}))


async def test_created_is_in_whole_seconds() -> None:
    clock = FakeClock()
    clock.now = 1_700_000_000.75
    session = await new_session(AsyncManager("memory", clock=clock))
    assert (session.created, type(session.created)) == (1_700_000_000, int)


async def test_max_age_is_how_long_a_browser_may_be_closed() -> None:
    session = await new_session(AsyncManager("memory"))
    assert session.max_age is None
    session.max_age = 600
    assert (session.max_age, session.lifetime, session.persistent) == (600, 600, True)
    session.max_age = None
    assert (session.max_age, session.persistent) == (None, False)
    remembered = await new_session(AsyncManager("memory", cookie_lifetime=900, max_lifetime=900))
    assert remembered.max_age == 900


async def test_max_age_reaches_the_cookie_and_the_store() -> None:
    async def handler(request: web.Request) -> web.Response:
        get_session(request)["n"] = 1
        get_session(request).max_age = 600
        return web.Response()

    app, manager = web.Application(), AsyncManager("memory")
    app.router.add_get("/", handler)
    setup(app, manager)
    async with running(app) as site:
        [line] = values((await site.ask()).headers, "Set-Cookie")
    assert "; Max-Age=600;" in line
    [info] = [info async for info in manager.sessions()]
    assert info.expires_at - info.created_at == pytest.approx(600)


async def test_to_say_that_it_changed_changes_nothing_and_can_be_too_late() -> None:
    manager = AsyncManager("memory")
    session = await new_session(manager)
    session.changed()
    assert not session.modified
    await manager.release(session)
    with pytest.raises(SessionReleased):
        session.changed()
    assert await manager.active_count() == 0
