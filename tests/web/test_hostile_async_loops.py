"""One manager that is served in two event loops: two clients of a test, or one test after another."""

from __future__ import annotations

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from sojourn import AsyncManager
from sojourn.providers.memory import MemoryProvider
from sojourn.web.asgi import SessionMiddleware


class Told(MemoryProvider):
    closed = 0

    def close(self) -> None:
        self.closed += 1


async def count(request: Request) -> Response:
    request.session["n"] = request.session.get("n", 0) + 1
    return PlainTextResponse(str(request.session["n"]))


def app_of(store: Told) -> Starlette:
    ours = Middleware(SessionMiddleware, manager=AsyncManager(store))
    return Starlette(routes=[Route("/", count)], middleware=[ours])


def test_two_clients_of_one_application_come_to_an_end() -> None:
    store = Told()
    app = app_of(store)
    with TestClient(app) as ada:
        with TestClient(app) as bob:
            assert [ada.get("/").text, bob.get("/").text, ada.get("/").text] == ["1", "1", "2"]
        assert ada.get("/").text == "3"
    assert store.closed == 2


def test_a_client_without_a_lifespan_has_a_loop_for_each_request() -> None:
    client = TestClient(app_of(Told()))
    assert [client.get("/").text for _ in range(3)] == ["1", "2", "3"]


def test_one_life_follows_another() -> None:
    store = Told()
    app = app_of(store)
    for lives in (1, 2):
        with TestClient(app) as client:
            assert client.get("/").text == "1"
        assert store.closed == lives


@pytest.mark.parametrize("ended", [True, False])
def test_a_sweeper_of_a_loop_that_is_gone_is_no_hindrance(*, ended: bool) -> None:
    """Its loop was closed, or only left."""
    store = Told()
    manager = AsyncManager(store)
    before = asyncio.new_event_loop()

    async def start() -> None:
        manager.start_gc()

    before.run_until_complete(start())
    if ended:
        [sweeper] = asyncio.all_tasks(before)
        sweeper.cancel()
        before.run_until_complete(asyncio.wait([sweeper]))
        before.close()
    asyncio.run(asyncio.wait_for(manager.close(), 5))
    assert store.closed == 1
    if not ended:
        before.run_until_complete(asyncio.sleep(0.01))
        assert not asyncio.all_tasks(before)
        before.close()
