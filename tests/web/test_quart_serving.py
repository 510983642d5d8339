"""Quart's WebSockets, tasks, lifespan and test client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from quart import Quart, Response, websocket

from sojourn import AsyncManager, ConfigError, SessionGone, SessionReleased
from sojourn.providers.memory import MemoryProvider
from sojourn.web.quart import QuartSession, install, session
from tests.web.pallets import Told, async_page, async_put, cookies, sent_back
from tests.web.stores import values


@pytest.fixture
def app() -> Quart:
    return Quart(__name__)


@pytest.fixture
def manager(app: Quart) -> AsyncManager:
    return install(app, MemoryProvider())


# -- WebSockets and tasks ---------------------------------------------------------------------


async def test_what_is_put_before_a_socket_is_accepted_is_stored(
    app: Quart, manager: AsyncManager
) -> None:
    @app.websocket("/ws")
    async def talk() -> None:
        session["socket"] = "open"
        await websocket.accept()
        await websocket.send(repr(dict(session)))

    async with app.test_client().websocket("/ws") as line:
        assert await line.receive() == "{'socket': 'open'}"
    assert await manager.active_count() == 1


async def test_an_open_socket_works_on_the_session_by_its_id(
    app: Quart, manager: AsyncManager
) -> None:
    @app.websocket("/ws")
    async def talk() -> None:
        while True:
            word = await websocket.receive()
            with pytest.raises(SessionReleased):
                session["word"] = word
            try:
                async with manager.open_id(session.id) as later:
                    later["word"] = word
                    await websocket.send("kept")
            except SessionGone:
                await websocket.send("gone")

    async_page(app, "/put", async_put("n", 1))
    async_page(app, "/", lambda: sorted(session.items()))
    async_page(app, "/logout", lambda: session.logout())  # noqa: PLW0108 - of the request
    client = app.test_client()
    await client.get("/put")
    async with client.websocket("/ws") as line:
        await line.send("hello")
        assert await line.receive() == "kept"
        seen = await (await client.get("/")).get_data(as_text=True)
        assert seen == "[('n', 1), ('word', 'hello')]"
        await client.get("/logout")
        await line.send("too late")
        assert await line.receive() == "gone"


async def test_a_task_works_on_the_session_by_its_id(app: Quart, manager: AsyncManager) -> None:
    done = asyncio.Event()

    async def work(id: str) -> None:
        async with manager.open_id(id) as later:
            later["result"] = "ready"
        done.set()

    async_page(app, "/put", async_put("n", 1))
    order = async_put("report", "ordered")
    async_page(app, "/order", order, lambda: app.add_background_task(work, session.id))
    async with app.test_app() as served:
        client = served.test_client()
        cookie = sent_back(await client.get("/put"))
        await client.get("/order")
        await asyncio.wait_for(done.wait(), 5)
    assert dict(await manager.start(cookie)) == {"n": 1, "report": "ordered", "result": "ready"}


# -- the server's life ------------------------------------------------------------------------


async def test_sweeping_and_closing_go_with_the_server(app: Quart) -> None:
    store = Told()
    app.config["PERMANENT_SESSION_LIFETIME"] = 0.05
    install(app, store, gc_interval=0.01)
    async_page(app, "/", async_put("n", 1))
    async with app.test_app() as served:
        await served.test_client().get("/")
        assert sum(map(len, store._frames)) == 1
        while any(store._frames):  # noqa: ASYNC110 - the sweep tells nobody
            await asyncio.sleep(0.01)
        assert not store.closed
    assert store.closed


async def test_while_the_application_is_served_it_is_too_late(app: Quart) -> None:
    async with app.test_app():
        with pytest.raises(ConfigError, match="is served already"):
            install(app, MemoryProvider())


# -- the test client --------------------------------------------------------------------------


async def test_a_transaction_and_the_application_see_one_session(
    app: Quart, manager: AsyncManager
) -> None:
    async_page(app, "/", lambda: session["cart"].append("plum"), lambda: session.user)
    client = app.test_client()
    async with client.session_transaction() as prepared:
        assert isinstance(prepared, QuartSession)
        prepared["cart"] = ["pear"]
    async with client.session_transaction() as prepared:
        prepared.login("ada")  # type: ignore[attr-defined]  # typed as Quart's own
    assert await (await client.get("/")).get_data(as_text=True) == "'ada'"
    async with client.session_transaction() as found:
        assert found["cart"] == ["pear", "plum"]
        found.clear()
    assert await manager.active_count() == 1  # of whom signed in
    async with client.session_transaction() as found:
        found.destroy()  # type: ignore[attr-defined]
    assert client.cookie_jar is not None
    assert [*client.cookie_jar] == []
    assert await manager.active_count() == 0


async def test_a_transaction_that_does_nothing_leaves_no_trace(
    app: Quart, manager: AsyncManager
) -> None:
    client = app.test_client()
    async with client.session_transaction() as prepared:
        assert prepared.get("n") is None
    assert client.cookie_jar is not None
    assert [*client.cookie_jar] == []


async def test_the_session_can_be_read_after_the_response(
    app: Quart, manager: AsyncManager
) -> None:
    async_page(app, "/", async_put("n", 1))
    async with app.test_client() as client:
        await client.get("/")
        assert session["n"] == 1


async def test_a_test_context_releases_into_the_response_that_is_saved(
    app: Quart, manager: AsyncManager
) -> None:
    async with app.test_request_context("/", scheme="https"):
        session["n"] = 1
        answer = Response("", headers={"Vary": "Accept"})
        found: Any = session
        await app.session_interface.save_session(app, found._get_current_object(), answer)
    assert "; Secure" in cookies(answer)[0]
    assert values(answer.headers.items(), "Vary") == ["Accept, Cookie"]
    assert await manager.active_count() == 1
