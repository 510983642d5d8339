"""aiohttp: responses that are on their way before the handler returns."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError, web
from aiohttp.typedefs import Handler

from sojourn import AsyncManager, SessionGone, SessionReleased
from sojourn.providers.memory import MemoryProvider
from sojourn.web.aiohttp import get_session
from tests.web.aiohttp_site import application, running, stored, visit
from tests.web.stores import cookie, values


@pytest.fixture
def manager() -> AsyncManager:
    return AsyncManager(MemoryProvider())


# -- streams ----------------------------------------------------------------------------------


async def test_a_stream_takes_the_cookie_along_and_stays_a_stream(manager: AsyncManager) -> None:
    """Its first part comes, and with it the cookie, while the second is not yet there."""
    go = asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        get_session(request)["n"] = 1
        response = web.StreamResponse(headers={"Vary": "Accept"})
        await response.prepare(request)
        await response.write(b"first")
        await go.wait()
        with pytest.raises(SessionReleased):
            get_session(request)["n"] = 2
        await response.write(b" second")
        return response

    async with running(application(manager, stream)) as site, site.open() as response:
        assert await response.content.readexactly(5) == b"first"
        headers = [*response.headers.items()]
        assert values(headers, "Vary") == ["Accept, Cookie"]
        assert values(headers, "Cache-Control") == ["no-store, private"]
        assert await stored(manager, cookie(headers)) == {"n": 1}
        go.set()
        assert await response.read() == b" second"
    assert await manager.active_count() == 1


async def test_a_handler_of_the_signal_comes_too_late(manager: AsyncManager) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        get_session(request)["n"] = 1
        response = web.StreamResponse() if request.path == "/stream" else web.Response()
        if request.path == "/stream":
            await response.prepare(request)
        return response

    late: list[str] = []

    async def signalled(request: web.Request, _: web.StreamResponse) -> None:
        with pytest.raises(SessionReleased):
            get_session(request)["n"] = 2
        late.append(request.path)

    app = application(manager, handler)
    app.on_response_prepare.append(signalled)
    async with running(app) as site:
        for path in ("/", "/stream"):
            assert await stored(manager, cookie((await site.ask(path)).headers)) == {"n": 1}
    assert late == ["/", "/stream"]


async def test_a_request_that_a_middleware_cloned_has_the_same_session(
    manager: AsyncManager,
) -> None:
    @web.middleware
    async def cloning(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await handler(request.clone(host="example.com"))

    async def stream(request: web.Request) -> web.StreamResponse:
        get_session(request)["n"] = 1
        response = web.StreamResponse()
        await response.prepare(request)
        return response

    async with running(application(manager, stream, cloning)) as site:
        answer = await site.ask()
    assert await stored(manager, cookie(answer.headers)) == {"n": 1}


async def test_a_stream_that_breaks_was_saved(manager: AsyncManager) -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        get_session(request)["n"] = 2
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        raise LookupError("broken")

    visitor = await visit(manager, n=1)
    async with running(application(manager, stream)) as site:
        wire = await site.raw(f"GET / HTTP/1.1\nHost: localhost\nCookie: {visitor}\n\n")
    assert wire.startswith(b"HTTP/1.1 200 OK")
    assert wire.count(b"HTTP/1.1") == 1
    assert await stored(manager, visitor) == {"n": 2}


async def test_work_after_the_response_opens_the_session_by_its_id(manager: AsyncManager) -> None:
    async def work_on(request: web.Request) -> web.StreamResponse:
        session = get_session(request)
        session["n"] = 1
        response = web.Response(text="done")
        await response.prepare(request)
        await response.write_eof()
        async with manager.open_id(session.id) as later:
            later["n"] += 1
        return response

    async with running(application(manager, work_on)) as site:
        answer = await site.ask()
    assert answer.body == b"done"
    assert await stored(manager, cookie(answer.headers)) == {"n": 2}


# -- the client is gone -----------------------------------------------------------------------


async def abandoned(manager: AsyncManager, **options: Any) -> dict[Any, Any]:
    """What is stored after a request whose client did not wait for the answer."""
    visitor, begun, over = await visit(manager, n=1), asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        begun.set()
        try:
            await asyncio.sleep(0.1)
            get_session(request)["late"] = True
            return web.Response()
        finally:
            over.set()

    runner = web.AppRunner(application(manager, handler), **options)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    [(_, port)] = [address[:2] for address in runner.addresses]
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: {visitor}\r\n\r\n".encode())
    await asyncio.wait_for(begun.wait(), 10)
    writer.close()
    await asyncio.wait_for(over.wait(), 10)
    await asyncio.sleep(0.05)
    await runner.cleanup()
    return await stored(manager, visitor)


async def test_what_the_handler_did_counts_though_the_client_is_gone(manager: AsyncManager) -> None:
    assert await abandoned(manager) == {"n": 1, "late": True}


async def test_a_handler_that_is_cancelled_saves_nothing(manager: AsyncManager) -> None:
    assert await abandoned(manager, handler_cancellation=True) == {"n": 1}


# -- WebSockets -------------------------------------------------------------------------------


async def test_a_websocket_works_on_the_session_of_its_visitor(manager: AsyncManager) -> None:
    async def socket(request: web.Request) -> web.WebSocketResponse:
        session = get_session(request)
        session["n"] = 1
        response = web.WebSocketResponse()
        await response.prepare(request)
        async for _ in response:
            try:
                async with manager.open_id(session.id) as current:
                    current["n"] += 1
            except SessionGone:
                await response.close(code=4401)
            else:
                await response.send_str("counted")
        return response

    async with running(application(manager, socket)) as site:
        line = await site.talk()
        visitor = cookie([*line._response.headers.items()])
        await line.send_str("once")
        assert await line.receive_str() == "counted"
        assert await stored(manager, visitor) == {"n": 2}
        await manager.destroy((await manager.start({"Cookie": visitor})).id)
        await line.send_str("again")
        assert (await line.receive()).data == 4401
        await line.close()


async def test_a_handshake_that_is_refused_is_a_response(manager: AsyncManager) -> None:
    async def socket(request: web.Request) -> web.WebSocketResponse:
        get_session(request)["refused"] = True
        raise web.HTTPForbidden

    async with running(application(manager, socket)) as site:
        with pytest.raises(WSServerHandshakeError) as refused:
            await site.talk()
    assert refused.value.status == 403
    assert refused.value.headers
    visitor = cookie([*refused.value.headers.items()])
    assert await stored(manager, visitor) == {"refused": True}
