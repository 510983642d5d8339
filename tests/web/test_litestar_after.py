"""Litestar once the response has begun: streams, tasks, sockets; and the application's life."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from litestar import Litestar, Request, Response, WebSocket, asgi, get, websocket
from litestar.background_tasks import BackgroundTask
from litestar.exceptions import WebSocketDisconnect
from litestar.handlers import websocket_listener
from litestar.response import ServerSentEvent, Stream
from litestar.testing import TestClient
from litestar.types import Receive, Scope, Send

from sojourn import AsyncManager, SessionGone, SessionReleased
from sojourn.providers.memory import MemoryProvider
from sojourn.testing import FakeClock
from sojourn.web.litestar import CurrentSession
from tests.web.stores import Failing
from tests.web.test_litestar import Asked, app_of, client_of

Socket = WebSocket[Any, Any, Any]


async def parts_of(session: Any) -> AsyncIterator[str]:
    session["in time"] = True
    yield "first"
    try:
        session["late"] = True
    except SessionReleased as error:
        yield type(error).__name__


@get("/stream")
async def stream(session: CurrentSession) -> Stream:
    return Stream(parts_of(session))


@get("/events")
async def events(session: CurrentSession) -> ServerSentEvent:
    return ServerSentEvent(parts_of(session))


@pytest.mark.parametrize("path", ["/stream", "/events"])
def test_a_stream_makes_its_changes_before_its_first_part(path: str) -> None:
    client = client_of(stream, events)
    text = client.get(path).text
    assert text.index("first") < text.index("SessionReleased")
    assert client.get("/show").json() == {"in time": True}


def test_a_background_task_opens_the_session_by_its_id() -> None:
    manager, refused = AsyncManager("memory"), []

    async def work(request: Asked, id: str) -> None:
        for change in (request.clear_session, lambda: request.set_session({"late": True})):
            try:
                change()
            except SessionReleased as error:
                refused.append(str(error))
        async with manager.open_id(id) as session:
            session["done"] = True

    @get("/")
    async def begin(request: Asked, session: CurrentSession) -> Response[str]:
        session["begun"] = True
        return Response("begun", background=BackgroundTask(work, request, session.id))

    client = client_of(begin, manager=manager)
    assert client.get("/").text == "begun"
    assert client.get("/show").json() == {"begun": True, "done": True}
    assert ["manager.open_id(session.id)" in text for text in refused] == [True, True]


def test_hooks_before_the_response_count_and_hooks_after_it_come_too_late() -> None:
    late: list[str] = []

    async def before(request: Asked) -> None:
        request.session["before"] = True

    async def between(request: Asked) -> None:
        try:
            request.session["after"] = True
        except SessionReleased as error:
            late.append(type(error).__name__)

    @get("/", before_request=before, after_response=between)
    async def read() -> str:
        return "read"

    client = client_of(read)
    assert client.get("/").text == "read"
    assert client.get("/show").json() == {"before": True}
    assert late == ["SessionReleased"]


# -- WebSockets -------------------------------------------------------------------------------


def test_a_websocket_has_the_session_until_it_accepts_and_then_its_id() -> None:
    manager = AsyncManager("memory")

    @websocket("/ws")
    async def talk(socket: Socket, session: CurrentSession) -> None:
        session["socket"] = "open"
        await socket.accept()
        try:
            while True:
                word = await socket.receive_text()
                async with manager.open_id(session.id) as later:
                    later.setdefault("words", []).append(word)
                    await socket.send_json(dict(later))
        except SessionGone:
            await socket.close(4401)
        except WebSocketDisconnect:
            pass

    client = client_of(talk, manager=manager)
    client.get("/count")
    with client.websocket_connect("/ws") as socket:
        socket.send_text("hello")
        assert socket.receive_json() == {"n": 1, "socket": "open", "words": ["hello"]}
        asyncio.run(manager.destroy(asyncio.run(only(manager))))
        socket.send_text("too late")
        with pytest.raises(WebSocketDisconnect) as gone:
            socket.receive_json()
    assert gone.value.code == 4401


async def only(manager: AsyncManager) -> str:
    [id] = [info.id async for info in manager.sessions()]
    return id


def test_a_listener_may_read_the_session_of_its_visitor() -> None:
    @websocket_listener("/listen")
    async def listen(data: str, socket: Socket) -> str:
        with pytest.raises(SessionReleased):
            socket.session["late"] = True
        return f"{data}: {socket.session['n']}"

    client = client_of(listen)
    client.get("/count")
    with client.websocket_connect("/listen") as socket:
        socket.send_text("n")
        assert socket.receive_text() == "n: 1"


def test_a_websocket_is_refused_while_the_store_is_down() -> None:
    @websocket("/ws")
    async def talk(socket: Socket, session: CurrentSession) -> None:
        session["socket"] = "open"
        await socket.accept()

    store = Failing()
    client = client_of(talk, manager=AsyncManager(store))
    store.down.add("create")
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/ws"):
        pass
    assert refused.value.code == 1013


# -- the application --------------------------------------------------------------------------


def test_an_application_of_asgi_that_is_mounted_finds_the_session_in_its_scope() -> None:
    @asgi("/mounted", is_mount=True, copy_scope=True)
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"]["mounted"] = True  # type: ignore[index]
        await Response("").to_asgi_response(None, Request(scope))(scope, receive, send)

    client = client_of(mounted)
    assert client.get("/mounted/anywhere").status_code == 200
    assert client.get("/show").json() == {"mounted": True}


class Told(MemoryProvider):
    closed = False

    def close(self) -> None:
        self.closed = True
        super().close()


def test_the_manager_lives_as_long_as_the_application() -> None:
    clock, store, found = FakeClock(), Told(), list[bool]()

    async def leave(_: Litestar) -> None:
        found.append(store.closed)

    manager = AsyncManager(store, clock=clock, gc_interval=0.01)
    with TestClient(app_of(manager=manager, on_shutdown=[leave])) as client:
        client.get("/count")
        assert len(list(store.find(None, 0))) == 1
        clock.advance(3601)
        client.blocking_portal.call(asyncio.sleep, 0.2)
        assert list(store.find(None, 0)) == []
    assert (found, store.closed) == ([False], True)
