"""aiohttp while the store is down: a 503, whatever the handler was about to send."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiohttp import WSServerHandshakeError, web
from aiohttp.typedefs import Handler

from sojourn import AsyncManager, StoreError, StoreUnavailable
from sojourn.web._headers import UNAVAILABLE
from sojourn.web.aiohttp import get_session
from tests.web.aiohttp_site import Answer, application, count, running, stored, visit
from tests.web.stores import FAULTS, Failing, cookie, values

CLOSING = "GET / HTTP/1.1\nHost: localhost\nAccept-Encoding: gzip\nConnection: close\n"


def is_unavailable(answer: Answer) -> bool:
    return (
        answer.status == 503
        and answer.body == UNAVAILABLE
        and values(answer.headers, "Retry-After") == ["5"]
        and values(answer.headers, "Cache-Control") == ["no-store"]
        and values(answer.headers, "Set-Cookie") == []
    )


async def raising(request: web.Request) -> web.Response:
    await count(request)
    raise web.HTTPFound("/elsewhere")


async def reading_on(request: web.Request) -> web.Response:
    raise StoreUnavailable("out of the handler")


async def streaming(request: web.Request) -> web.StreamResponse:
    await count(request)
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"never sent")
    return response


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("verb", ["read", "update", "create"])
@pytest.mark.parametrize("handler", [count, raising, streaming])
async def test_the_answer_is_503(
    handler: Handler, verb: str, fault: type[StoreError], caplog: pytest.LogCaptureFixture
) -> None:
    store = Failing(fault)
    manager = AsyncManager(store)
    visitor = "" if verb == "create" else await visit(manager, n=1)
    store.down = {verb}
    async with running(application(manager, handler)) as site:
        assert is_unavailable(await site.ask(cookie=visitor))
        store.down.clear()
        assert (await site.ask(cookie=visitor)).status in (200, 302)
    assert f"answered 503: no {verb} today" in caplog.text
    assert visitor.partition("=")[2] not in caplog.text or not visitor


async def test_a_fault_that_leaves_the_handler_is_a_503() -> None:
    async with running(application(AsyncManager(Failing()), reading_on)) as site:
        assert is_unavailable(await site.ask())


async def test_a_503_to_head_has_no_body() -> None:
    store = Failing()
    store.down = {"create"}
    async with running(application(AsyncManager(store), count)) as site:
        answer = await site.ask(method="HEAD")
    assert (answer.status, answer.body) == (503, b"")


Shape = Callable[[web.StreamResponse], object]
SHAPES: list[Shape] = [
    lambda response: None,
    lambda response: response.enable_compression(),
    lambda response: response.enable_compression(web.ContentCoding.deflate),
    lambda response: setattr(response, "content_length", 3),
]


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_answer_in_place_of_a_stream_is_whole(shape: Shape) -> None:
    """Though the stream was to go in chunks, or compressed, or with another length."""

    async def stream(request: web.Request) -> web.StreamResponse:
        await count(request)
        response = web.StreamResponse()
        shape(response)
        await response.prepare(request)
        return response

    store = Failing()
    store.down = {"create"}
    async with running(application(AsyncManager(store), stream)) as site:
        head, _, body = (await site.raw(CLOSING + "\n")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nContent-Length: %d\r\n" % len(UNAVAILABLE) in head
    assert b"-Encoding" not in head
    assert body == UNAVAILABLE


async def test_what_cannot_be_stored_before_a_stream_is_a_whole_500() -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        get_session(request)["list"] = []
        get_session(request)["list"].append(object())
        response = web.StreamResponse()
        await response.prepare(request)
        return response

    async with running(application(AsyncManager("memory"), stream)) as site:
        head, _, body = (await site.raw(CLOSING + "\n")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 500 ")
    assert body.startswith(b"500 Internal Server Error")


async def test_a_handshake_is_answered_with_503() -> None:
    async def socket(request: web.Request) -> web.WebSocketResponse:
        await count(request)
        response = web.WebSocketResponse()
        await response.prepare(request)
        return response

    store = Failing()
    store.down = {"create"}
    async with running(application(AsyncManager(store), socket)) as site:
        with pytest.raises(WSServerHandshakeError) as refused:
            await site.talk()
    assert refused.value.status == 503


async def test_a_release_that_failed_is_not_tried_again() -> None:
    """A handler that goes on gets nothing sent: what it says might be untrue by then."""
    store = Failing()
    manager = AsyncManager(store)

    async def stubborn(request: web.Request) -> web.StreamResponse:
        await count(request)
        with pytest.raises(StoreUnavailable):
            await web.StreamResponse().prepare(request)
        store.down.clear()
        return web.Response(text="all the same")

    visitor = await visit(manager, n=1)
    store.down = {"update"}
    async with running(application(manager, stubborn)) as site:
        assert is_unavailable(await site.ask(cookie=visitor))
    assert await stored(manager, visitor) == {"n": 1}


async def test_after_the_first_byte_nothing_is_put_into_a_stream() -> None:
    store = Failing()
    manager = AsyncManager(store)

    async def stream(request: web.Request) -> web.StreamResponse:
        await count(request)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        raise StoreUnavailable("as by open_id")

    async with running(application(manager, stream)) as site:
        wire = await site.raw(CLOSING + "\n")
    assert wire.startswith(b"HTTP/1.1 200 OK")
    assert (wire.count(b"HTTP/1.1"), UNAVAILABLE in wire) == (1, False)


async def test_the_request_may_go_on_without_a_store() -> None:
    store = Failing()
    manager = AsyncManager(store, on_outage="anonymous")
    store.down = {"read", "create", "update"}
    async with running(application(manager, count)) as site:
        answer = await site.ask(cookie="session=" + "A" * 43)
    assert (answer.status, answer.body) == (200, b"1")
    assert values(answer.headers, "Set-Cookie") == []


async def test_a_response_that_was_given_up_takes_no_cookie_along() -> None:
    store = Failing()
    manager = AsyncManager(store)
    visitor = await visit(manager, n=1)

    async def sign_in(request: web.Request) -> web.Response:
        get_session(request).login("ada")
        return web.Response()

    store.down = {"update"}
    async with running(application(manager, sign_in)) as site:
        assert is_unavailable(await site.ask(cookie=visitor))
        store.down.clear()
        answer = await site.ask(cookie=visitor)
    assert cookie(answer.headers) != visitor
