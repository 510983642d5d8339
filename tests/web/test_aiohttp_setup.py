"""aiohttp: how the sessions get into an application, and what is wrong with how."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from sojourn import AsyncManager, ConfigError, Manager
from sojourn.providers.memory import MemoryProvider
from sojourn.web import _versions
from sojourn.web.aiohttp import AiohttpSession, get_session, setup
from tests.web.aiohttp_site import application, count, running, stored, visit
from tests.web.stores import cookie, values


class Told(MemoryProvider):
    """Notes when it is swept and closed."""

    def __init__(self, notes: list[str]) -> None:
        super().__init__()
        self.notes = notes
        self.swept = asyncio.Event()

    def gc(self, now: float, limit: int) -> int:
        self.swept.set()
        return super().gc(now, limit)

    def close(self) -> None:
        self.notes.append("closed")


async def test_the_manager_lives_with_the_application() -> None:
    """What stands behind it in `cleanup_ctx` is gone before it, and may use it to the end."""
    notes: list[str] = []
    store = Told(notes)
    manager = AsyncManager(store, gc_interval=0.01)

    async def work(_: web.Application) -> AsyncIterator[None]:
        notes.append("begun")
        yield
        assert await manager.active_count() == 0
        notes.append("ended")

    app = application(manager, count)
    app.cleanup_ctx.append(work)

    async def clean_up(_: web.Application) -> None:
        notes.append("cleaned up")

    app.on_cleanup.append(clean_up)
    assert notes == []
    async with running(app):
        await asyncio.wait_for(store.swept.wait(), 10)
        assert notes == ["begun"]
    assert notes == ["begun", "ended", "closed", "cleaned up"]


# -- several ----------------------------------------------------------------------------------


def with_a_part(app: web.Application, part: web.Application) -> web.Application:
    part.router.add_get("/count", count)
    app.add_subapp("/part", part)
    return app


async def test_sub_applications_have_the_session() -> None:
    manager = AsyncManager("memory")
    async with running(outer(with_a_part(web.Application(), web.Application()), manager)) as site:
        visitor = cookie((await site.ask("/part/count")).headers)
        assert (await site.ask("/part/count", visitor)).body == b"2"


def outer(app: web.Application, manager: AsyncManager) -> web.Application:
    setup(app, manager)
    return app


async def test_a_sub_application_may_have_sessions_of_its_own() -> None:
    part = web.Application()
    setup(part, AsyncManager("memory"))
    app = with_a_part(web.Application(), part)
    app.router.add_get("/", count)
    async with running(app) as site:
        visitor = cookie((await site.ask("/part/count")).headers)
        assert (await site.ask("/part/count", visitor)).body == b"2"
        assert (await site.ask("/", visitor)).status == 500


async def test_two_managers_have_two_cookies() -> None:
    async def both(request: web.Request) -> web.StreamResponse:
        get_session(request)["name"] = "shop"
        get_session(request, key="staff")["name"] = "staff"
        response = web.StreamResponse()
        if request.path == "/stream":
            await response.prepare(request)
        return response

    shop, staff = AsyncManager("memory"), AsyncManager("memory", cookie_name="staff")
    app = application(shop, both)
    setup(app, staff, key="staff")
    async with running(app) as site:
        for path in ("/", "/stream"):
            lines = values((await site.ask(path)).headers, "Set-Cookie")
            cookies = "; ".join(line.partition(";")[0] for line in lines)
            assert await stored(shop, cookies) == {"name": "shop"}
            assert await stored(staff, cookies) == {"name": "staff"}


@pytest.mark.skipif(not hasattr(web, "RequestKey"), reason="aiohttp has it since 3.14")
async def test_a_key_may_have_a_type() -> None:
    session = web.RequestKey("session", AiohttpSession)

    async def handler(request: web.Request) -> web.Response:
        request[session]["n"] = 1
        assert get_session(request, key=session) is request[session]
        return web.Response()

    app, manager = web.Application(), AsyncManager("memory")
    app.router.add_get("/", handler)
    setup(app, manager, key=session)
    async with running(app) as site:
        assert await stored(manager, cookie((await site.ask()).headers)) == {"n": 1}


# -- bad input --------------------------------------------------------------------------------


async def test_the_same_key_twice_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    part = web.Application()
    setup(part, AsyncManager("memory"))
    app = outer(with_a_part(web.Application(), part), AsyncManager("memory"))
    async with running(app) as site:
        assert (await site.ask("/part/count")).status == 500
    assert "something stands under 'session' already" in caplog.text
    assert "another key" in caplog.text


def test_a_sync_manager_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs an AsyncManager, not Manager"):
        setup(web.Application(), Manager("memory"))  # type: ignore[arg-type]


async def test_a_setup_that_comes_too_late_is_refused() -> None:
    manager = AsyncManager("memory")
    part, app = web.Application(), web.Application()
    app.add_subapp("/part", part)
    with pytest.raises(ConfigError, match="call it before"):
        setup(part, manager)
    async with running(app):
        with pytest.raises(ConfigError, match="call it before"):
            setup(app, manager)


def test_an_old_aiohttp_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_versions, "version", lambda _: "3.10.11")
    with pytest.raises(ConfigError, match=r"aiohttp 3\.10\.11 is too old"):
        setup(web.Application(), AsyncManager("memory"))


@pytest.mark.parametrize("key", ["session", "staff"])
async def test_a_request_without_a_session_says_what_to_do(
    key: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(request: web.Request) -> web.Response:
        get_session(request, key=key)
        return web.Response()

    app = web.Application()
    app.router.add_get("/", handler)
    async with running(app) as site:
        assert (await site.ask()).status == 500
    assert f"no session under '{key}'" in caplog.text
    assert f"setup(app, manager, key='{key}')" in caplog.text


async def test_the_session_is_there_in_every_middleware_but_those_outside() -> None:
    manager = AsyncManager("memory")

    @web.middleware
    async def counting(request: web.Request, handler: Handler) -> web.StreamResponse:
        await count(request)
        return await handler(request)

    app = application(manager, count, counting)
    app.middlewares.append(counting)
    async with running(app) as site:
        assert (await site.ask(cookie=await visit(manager, n=1))).body == b"4"


async def test_what_takes_the_place_of_a_session_is_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And the session itself is stored all the same."""

    async def replace(request: web.Request) -> web.Response:
        get_session(request)["a"] = 1
        request._state["session"] = {"b": 2}
        return web.Response()

    manager = AsyncManager(MemoryProvider())
    async with running(application(manager, replace)) as site:
        answer = await site.ask()
        assert await stored(manager, cookie(answer.headers)) == {"a": 1}
    assert "something else was put under 'session'" in caplog.text
