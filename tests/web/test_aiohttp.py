"""aiohttp: which responses carry a session, and what is saved when something goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from sojourn import AsyncManager, Session
from sojourn.providers.memory import MemoryProvider
from sojourn.web.aiohttp import get_session
from tests.web.aiohttp_site import application, count, running, stored, visit
from tests.web.stores import MERGED, READS, Pairs, cookie, values


@pytest.fixture
def manager() -> AsyncManager:
    return AsyncManager(MemoryProvider())


def put(request: web.Request) -> None:
    get_session(request)["late"] = True


# -- responses --------------------------------------------------------------------------------


async def test_a_visitor_is_known_again(manager: AsyncManager) -> None:
    async with running(application(manager, count)) as site:
        first = await site.ask()
        assert (first.status, first.body) == (200, b"1")
        assert values(first.headers, "Cache-Control") == ["no-store, private"]
        second = await site.ask(cookie=cookie(first.headers))
        assert second.body == b"2"
        assert values(second.headers, "Set-Cookie") == []
        assert values(second.headers, "Vary") == ["Cookie"]


async def text(request: web.Request) -> web.StreamResponse:
    put(request)
    return web.Response(text="abc")


async def with_a_cookie_of_its_own(request: web.Request) -> web.StreamResponse:
    put(request)
    response = web.Response(text="abc")
    response.set_cookie("theme", "dark")
    return response


async def not_modified(request: web.Request) -> web.StreamResponse:
    put(request)
    return web.Response(status=304)


async def raised_redirect(request: web.Request) -> web.StreamResponse:
    put(request)
    raise web.HTTPFound("/elsewhere")


async def raised_error(request: web.Request) -> web.StreamResponse:
    put(request)
    raise web.HTTPForbidden


async def unprepared_stream(request: web.Request) -> web.StreamResponse:
    put(request)
    return web.StreamResponse()


async def prepared_response(request: web.Request) -> web.StreamResponse:
    put(request)
    response = web.Response(text="abc")
    await response.prepare(request)
    return response


async def file(request: web.Request) -> web.StreamResponse:
    put(request)
    return web.FileResponse(Path(__file__))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("handler", "status"),
    [
        (text, 200),
        (with_a_cookie_of_its_own, 200),
        (not_modified, 304),
        (raised_redirect, 302),
        (raised_error, 403),
        (unprepared_stream, 200),
        (prepared_response, 200),
        (file, 200),
    ],
)
async def test_every_response_carries_the_cookie(
    manager: AsyncManager, handler: Handler, status: int, method: str
) -> None:
    async with running(application(manager, handler)) as site:
        answer = await site.ask(method=method)
    assert answer.status == status
    lines = values(answer.headers, "Set-Cookie")
    [ours] = [line for line in lines if line.startswith("session=")]
    assert len(lines) == 1 + (handler is with_a_cookie_of_its_own)
    assert await stored(manager, ours.partition(";")[0]) == {"late": True}


@pytest.mark.parametrize(("theirs", "vary", "cache_control"), MERGED)
async def test_our_headers_go_with_those_of_the_application(
    manager: AsyncManager, theirs: Pairs, vary: list[str], cache_control: list[str]
) -> None:
    async def handler(request: web.Request) -> web.Response:
        put(request)
        return web.Response(headers=theirs)

    async with running(application(manager, handler)) as site:
        answer = await site.ask()
    assert values(answer.headers, "Vary") == vary
    assert values(answer.headers, "Cache-Control") == cache_control


@pytest.mark.parametrize(("read", "depends"), READS)
async def test_who_only_reads_leaves_no_trace(
    manager: AsyncManager, read: Callable[[Session], object], depends: bool
) -> None:
    async def handler(request: web.Request) -> web.Response:
        read(get_session(request))
        return web.Response()

    async with running(application(manager, handler)) as site:
        answer = await site.ask()
    assert values(answer.headers, "Vary") == (["Cookie"] if depends else [])
    assert values(answer.headers, "Set-Cookie") == []
    assert await manager.active_count() == 0


async def test_the_token_may_travel_in_a_header() -> None:
    manager = AsyncManager("memory", header_name="X-Session", enable_set_cookie=False)
    async with running(application(manager, count)) as site:
        first = await site.ask()
        [token] = values(first.headers, "X-Session")
        second = await site.ask(X_Session=token)
    assert second.body == b"2"
    assert values(second.headers, "Vary") == ["X-Session"]


# -- errors -----------------------------------------------------------------------------------


def fail() -> NoReturn:
    raise LookupError("broken")


DEEDS: list[Callable[[Session], object]] = [
    lambda session: session.update(n=2),
    lambda session: session.login("ada"),
    lambda session: session.destroy(),
    lambda session: session.regenerate_id(),
]


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("error", [LookupError, TimeoutError, ConnectionResetError])
async def test_an_error_saves_nothing(
    manager: AsyncManager, deed: Callable[[Session], object], error: type[Exception]
) -> None:
    """Not when aiohttp prepares its own answer to it either."""

    async def handler(request: web.Request) -> web.Response:
        deed(get_session(request))
        raise error("broken")

    visitor = await visit(manager, n=1)
    async with running(application(manager, handler)) as site:
        answer = await site.ask(cookie=visitor)
    assert answer.status in (500, 504)
    assert values(answer.headers, "Set-Cookie") == []
    assert await stored(manager, visitor) == {"n": 1}


async def test_what_cannot_be_stored_is_an_error(manager: AsyncManager) -> None:
    async def handler(request: web.Request) -> web.Response:
        put(request)
        get_session(request)["list"].append(object())
        return web.Response(text="never sent")

    visitor = await visit(manager, list=[])
    async with running(application(manager, handler)) as site:
        answer = await site.ask(cookie=visitor)
    assert (answer.status, b"never sent" in answer.body) == (500, False)
    assert await stored(manager, visitor) == {"list": []}


async def test_a_handler_that_forgets_to_return_saves_nothing(manager: AsyncManager) -> None:
    async def handler(request: web.Request) -> Any:
        put(request)

    async with running(application(manager, handler)) as site:
        assert (await site.ask()).status == 500
    assert await manager.active_count() == 0


@web.middleware
async def sorry(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except LookupError:
        return web.Response(status=500, text="sorry")


async def broken(request: web.Request) -> web.Response:
    put(request)
    fail()


async def test_an_error_that_became_a_response_is_one(manager: AsyncManager) -> None:
    async with running(application(manager, broken, sorry)) as site:
        answer = await site.ask()
    assert answer.body == b"sorry"
    assert await stored(manager, cookie(answer.headers)) == {"late": True}


async def test_a_middleware_outside_of_ours_answers_without_the_session(
    manager: AsyncManager,
) -> None:
    app = application(manager, broken)
    app.middlewares.insert(0, sorry)
    async with running(app) as site:
        answer = await site.ask()
    assert (answer.body, values(answer.headers, "Set-Cookie")) == (b"sorry", [])
    assert await manager.active_count() == 0
