"""Starlette once the response has begun: streams, background tasks and WebSockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.background import BackgroundTask
from starlette.exceptions import WebSocketException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocket, WebSocketDisconnect

from sojourn import AsyncManager, SessionGone, SessionReleased
from tests.web.stores import Pairs, cookie
from tests.web.test_starlette import app_of


def test_a_stream_makes_its_changes_before_its_first_part() -> None:
    async def stream(request: Request) -> Response:
        async def parts() -> AsyncIterator[str]:
            request.session["in time"] = True
            yield "first "
            try:
                request.session["late"] = True
            except SessionReleased as error:
                yield type(error).__name__

        return StreamingResponse(parts())

    client = TestClient(app_of(AsyncManager("memory"), Route("/", stream)))
    assert client.get("/").text == "first SessionReleased"
    assert client.get("/show").json() == {"in time": True}


def test_a_background_task_opens_the_session_by_its_id() -> None:
    manager, refused = AsyncManager("memory"), []

    async def work(request: Request, id: str) -> None:
        try:
            request.session["late"] = True
        except SessionReleased as error:
            refused.append(str(error))
        async with manager.open_id(id) as session:
            session["done"] = True

    async def begin(request: Request) -> Response:
        request.session["begun"] = True
        task = BackgroundTask(work, request, request.scope["session"].id)
        return PlainTextResponse("begun", background=task)

    client = TestClient(app_of(manager, Route("/", begin)))
    assert client.get("/").text == "begun"
    assert client.get("/show").json() == {"begun": True, "done": True}
    assert "manager.open_id(session.id)" in refused[0]


# -- WebSockets -------------------------------------------------------------------------------


def test_a_websocket_has_the_session_until_it_accepts_and_then_its_id() -> None:
    manager = AsyncManager("memory")

    async def talk(websocket: WebSocket) -> None:
        websocket.session["socket"] = "open"
        await websocket.accept()
        id = websocket.scope["session"].id
        with contextlib.suppress(SessionGone, WebSocketDisconnect):
            async for word in websocket.iter_text():
                async with manager.open_id(id) as session:
                    session.setdefault("words", []).append(word)
                await websocket.send_text("kept")
        await websocket.close(4401)

    client = TestClient(app_of(manager, WebSocketRoute("/", talk)))
    with client.websocket_connect("/") as socket:
        client.cookies.set(*cookie(headers_of(socket)).split("="))
        socket.send_text("hello")
        assert socket.receive_text() == "kept"
        assert client.get("/show").json() == {"socket": "open", "words": ["hello"]}
        [id] = [info.id for info in asyncio.run(everyone(manager))]
        asyncio.run(manager.destroy(id))
        socket.send_text("too late")
        with pytest.raises(WebSocketDisconnect) as gone:
            socket.receive_text()
    assert gone.value.code == 4401


def headers_of(socket: WebSocketTestSession) -> Pairs:
    pairs: list[tuple[bytes, bytes]] = socket.extra_headers or []
    return [(name.decode(), value.decode()) for name, value in pairs]


async def everyone(manager: AsyncManager) -> list[Any]:
    return [info async for info in manager.sessions()]


@pytest.mark.parametrize("way", ["close", "raise", "answer"])
def test_a_websocket_may_be_denied(way: str) -> None:
    async def deny(websocket: WebSocket) -> None:
        websocket.session["denied"] = True
        if way == "raise":
            raise WebSocketException(1008)
        if way == "close":
            await websocket.close()
        else:
            await websocket.send_denial_response(PlainTextResponse("no", status_code=403))

    manager = AsyncManager("memory")
    client = TestClient(app_of(manager, WebSocketRoute("/", deny)))
    with pytest.raises(WebSocketDisconnect) as denied, client.websocket_connect("/"):
        pass
    headers = getattr(denied.value, "headers", {})
    assert ("set-cookie" in headers) == (way == "answer")
    # A close has no headers, so no session begins with it.
    assert len(asyncio.run(everyone(manager))) == (way == "answer")
