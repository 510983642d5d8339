"""aiohttp: a release that fails, whatever the error, ends the response of the handler."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from sojourn import AsyncManager, SessionReleased
from sojourn.record import Record
from sojourn.web._headers import UNAVAILABLE
from sojourn.web.aiohttp import get_session, setup
from tests.web.aiohttp_site import application, running, stored, visit
from tests.web.stores import cookie
from tests.web.test_asgi import oversized, unencodable
from tests.web.test_hostile_async_order import Slow

CLOSING = "{} / HTTP/1.1\nHost: localhost\nConnection: close\n\n"


class Broken(Slow):
    """A store with a bug: it takes its time, and raises what no store may raise."""

    async def create(self, record: Record) -> bool:
        await super().create(record)
        raise ZeroDivisionError("a bug")


class Down(Slow):
    """A store that cannot write."""

    def __init__(self) -> None:
        super().__init__()
        self.down = True


def put(session: Any) -> None:
    session["n"] = 1


Change = Callable[[Any], None]
FAULTS: dict[str, tuple[Change, type[Slow], int]] = {
    "what cannot be encoded": (unencodable, Slow, 500),
    "too much": (oversized, Slow, 500),
    "a bug": (put, Broken, 500),
    "an outage": (put, Down, 503),
}


# -- handlers that go on ----------------------------------------------------------------------


def writes_on(change: Change) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        change(get_session(request))
        response = web.StreamResponse()
        with suppress(Exception):
            await response.prepare(request)
        with pytest.raises(SessionReleased):
            get_session(request)["late"] = True
        for _ in range(2):
            with suppress(Exception):
                await response.write(b"body")
        with suppress(Exception):
            await response.write_eof(b"end")
        return response

    return handler


def answers_otherwise(change: Change) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        change(get_session(request))
        with suppress(Exception):
            await web.StreamResponse().prepare(request)
        return web.Response(text="body")

    return handler


def raises_otherwise(change: Change) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        change(get_session(request))
        with suppress(Exception):
            await web.StreamResponse().prepare(request)
        raise web.HTTPFound("/body")

    return handler


def prepares_another(change: Change) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        change(get_session(request))
        responses = [web.StreamResponse() for _ in range(3)]
        for response in responses:
            with suppress(Exception):
                await response.prepare(request)
                await response.write(b"body")
        return responses[0]

    return handler


def sends_from_three_tasks(change: Change) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        change(get_session(request))
        response = web.StreamResponse()

        async def send() -> None:
            await response.prepare(request)
            await response.write(b"body")

        tasks = [send(), send(), response.write(b"body"), send()]
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(Exception):
            await response.write(b"body")
        return response

    return handler


HANDLERS = [
    writes_on,
    answers_otherwise,
    raises_otherwise,
    prepares_another,
    sends_from_three_tasks,
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("make", HANDLERS)
@pytest.mark.parametrize("fault", FAULTS)
async def test_one_whole_error_is_all_that_is_sent(
    fault: str, make: Callable[[Change], Handler], method: str
) -> None:
    change, store, status = FAULTS[fault]
    manager = AsyncManager(store())
    async with running(application(manager, make(change))) as site:
        wire = await site.raw(CLOSING.format(method))
    head, _, body = wire.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert (head.count(b"HTTP/1.1"), b"Set-Cookie" in head) == (1, False)
    if method == "HEAD":
        assert body == b""
    elif status == 503:
        assert body == UNAVAILABLE
    else:
        assert body.startswith(b"500 Internal Server Error")
    assert b"HTTP/1.1" not in body


async def test_a_release_that_is_cancelled_ends_the_response() -> None:
    """Such as by a deadline of the handler's own."""

    async def handler(request: web.Request) -> web.StreamResponse:
        put(get_session(request))
        with suppress(TimeoutError):
            async with asyncio.timeout(0.005):
                await web.StreamResponse().prepare(request)
        return web.Response(text="body")

    async with running(application(AsyncManager(Slow()), handler)) as site:
        answer = await site.ask()
    assert (answer.status, b"body" in answer.body) == (500, False)


# -- what is sent at the same time ------------------------------------------------------------


async def test_no_part_of_a_stream_overtakes_its_head() -> None:
    """aiohttp takes a response for prepared while its signal is at work."""
    refused: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        put(get_session(request))
        response = web.StreamResponse()

        async def beat() -> None:
            await asyncio.sleep(0.005)
            try:
                await response.write(b"too early")
            except RuntimeError as error:
                refused.append(str(error))

        await asyncio.gather(response.prepare(request), beat())
        await response.write(b"body")
        return response

    manager = AsyncManager(Slow())
    async with running(application(manager, handler)) as site:
        answer = await site.ask()
    assert (answer.status, answer.body) == (200, b"body")
    assert refused == ["Cannot call write() before prepare()"]
    assert await stored(manager, cookie(answer.headers)) == {"n": 1}


async def test_a_second_head_waits_for_the_first_and_is_refused() -> None:
    refused: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        put(get_session(request))
        response = web.StreamResponse()

        async def again(other: web.StreamResponse) -> None:
            await asyncio.sleep(0.005)
            try:
                await other.prepare(request)
            except RuntimeError as error:
                refused.append(str(error))

        await asyncio.gather(
            response.prepare(request), again(response), again(web.StreamResponse())
        )
        await response.write(b"body")
        return response

    async with running(application(AsyncManager(Slow()), handler)) as site:
        wire = await site.raw(CLOSING.format("GET"))
    assert wire.startswith(b"HTTP/1.1 200 OK")
    assert (wire.count(b"HTTP/1.1"), wire.count(b"body")) == (1, 1)
    assert len(refused) == 2
    assert "another task" in refused[0]


# -- two managers -----------------------------------------------------------------------------


@pytest.mark.parametrize("failing", ["session", "staff"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_of_two_managers_either_may_fail(fault: str, failing: str) -> None:
    change, store, status = FAULTS[fault]

    async def handler(request: web.Request) -> web.StreamResponse:
        for key in ("session", "staff"):
            (change if key == failing else put)(get_session(request, key=key))
        with suppress(Exception):
            await web.StreamResponse().prepare(request)
        return web.Response(text="body")

    stores = {key: store() if key == failing else Slow() for key in ("session", "staff")}
    app = application(AsyncManager(stores["session"]), handler)
    setup(app, AsyncManager(stores["staff"], cookie_name="staff"), key="staff")
    async with running(app) as site:
        answer = await site.ask()
    assert (answer.status, b"body" in answer.body) == (status, False)


async def test_a_session_of_an_earlier_request_changes_nothing() -> None:
    manager = AsyncManager(Slow())
    visitor = await visit(manager, n=1)

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/bad":
            unencodable(get_session(request))
        return web.Response(text="body")

    async with running(application(manager, handler)) as site:
        for _ in range(20):
            assert (await site.ask("/bad", visitor)).status == 500
            assert (await site.ask("/", visitor)).status == 200
