"""The probe in Falcon on ASGI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, cast

import falcon.asgi
from falcon import HTTP_302, HTTP_304, HTTP_418, WebSocketDisconnected
from falcon.asgi import Request, Response, SSEvent, WebSocket

from sojourn import AsyncManager, Session, SessionReleased
from sojourn.web._lifespan import App
from sojourn.web.asgi import SessionMiddleware
from tests.frameworks.probe import STAFF, Handled, Plan, do, keep, put


def session_of(request: Request, key: str = "session") -> Session:
    session: Session = request.scope[key]
    return session


def query_of(request: Request) -> dict[str, str]:
    return {name: str(value) for name, value in request.params.items()}


class Page:
    """GET and HEAD alike."""

    async def on_get(self, request: Request, response: Response, **rest: str) -> None:
        raise NotImplementedError

    async def on_head(self, request: Request, response: Response, **rest: str) -> None:
        await self.on_get(request, response, **rest)


class Deed(Page):
    def __init__(self, key: str = "session") -> None:
        self._key = key

    async def on_get(self, request: Request, response: Response, **rest: str) -> None:
        session = session_of(request, self._key)
        query = query_of(request)
        if "seconds" in query:
            session.get("x")
            await asyncio.sleep(float(query["seconds"]))
        response.text = json.dumps(do(rest["deed"], session, query))


class Quiet(Page):
    async def on_get(self, request: Request, response: Response, **_: str) -> None:
        response.text = "quiet"


class Stream(Page):
    async def on_get(self, request: Request, response: Response, **_: str) -> None:
        session = session_of(request)

        async def parts() -> AsyncIterator[bytes]:
            yield b"one"
            yield b"two"
            try:
                session["late"] = "yes"
            except SessionReleased as error:
                yield type(error).__name__.encode()

        put(session, query_of(request))
        response.content_type = "text/plain"
        response.stream = parts()


class Events(Page):
    async def on_get(self, request: Request, response: Response, **_: str) -> None:
        async def said() -> AsyncIterator[SSEvent]:
            yield SSEvent(data=b"one")
            yield SSEvent(data=b"two")

        put(session_of(request), query_of(request))
        response.sse = said()


class Fail(Page):
    def __init__(self, error: type[Exception]) -> None:
        self._error = error

    async def on_get(self, request: Request, response: Response, **_: str) -> None:
        put(session_of(request), query_of(request))
        raise self._error


async def handle(request: Request, response: Response, error: Exception, _: Any) -> None:
    session_of(request)["handled"] = "yes"
    response.status = HTTP_418


class Redirect(Page):
    async def on_get(self, request: Request, response: Response, **_: str) -> None:
        put(session_of(request), query_of(request))
        response.status, response.location = HTTP_302, "/do/everything"


class NotModified(Page):
    async def on_get(self, request: Request, response: Response, **_: str) -> None:
        session_of(request).get("x")
        response.status = HTTP_304


class Cached(Page):
    async def on_get(self, request: Request, response: Response, **_: str) -> None:
        session_of(request).get("x")
        response.set_headers({"Vary": "Accept", "Cache-Control": "public"})
        response.media = "cached"


class Managed(Page):
    def __init__(self, manager: AsyncManager) -> None:
        self._manager = manager


class After(Managed):
    async def on_get(self, request: Request, response: Response, **_: str) -> None:
        id, query = session_of(request).id, query_of(request)

        async def put_later() -> None:
            async with self._manager.open_id(id) as session:
                put(session, query)

        response.text = "after"
        response.schedule(put_later)


class Others(Managed):
    async def on_get(self, request: Request, response: Response, **_: str) -> None:
        sessions = self._manager.sessions(query_of(request)["user"])
        response.media = sorted([info.id async for info in sessions])


class EndOthers(Managed):
    async def on_get(self, request: Request, response: Response, **_: str) -> None:
        user, this = query_of(request)["user"], session_of(request).id
        response.media = await self._manager.destroy_user(user, keep=this)


class Conversation:
    def __init__(self, manager: AsyncManager) -> None:
        self._manager = manager

    async def on_websocket(self, request: Request, socket: WebSocket) -> None:
        session = session_of(request)
        session["socket"] = "open"
        await socket.accept()
        await socket.send_text("accepted")
        try:
            while True:
                word = await socket.receive_text()
                await socket.send_text(await keep(self._manager, session.id, word))
        except WebSocketDisconnected:
            pass


class Refuse:
    async def on_websocket(self, request: Request, socket: WebSocket, deed: str) -> None:
        do(deed, session_of(request), query_of(request))
        if request.params["how"] == "raise":
            raise RuntimeError("nobody handles this")
        await socket.close(1008)


def make(plan: Plan) -> App:
    manager = plan.async_manager()
    app = falcon.asgi.App()
    app.add_error_handler(Handled, handle)
    pages: dict[str, object] = {
        "/do/{deed}": Deed(),
        "/slow/{deed}": Deed(),
        "/quiet": Quiet(),
        "/stream": Stream(),
        "/events": Events(),
        "/raise": Fail(RuntimeError),
        "/handled": Fail(Handled),
        "/redirect": Redirect(),
        "/not-modified": NotModified(),
        "/cached": Cached(),
        "/after": After(manager),
        "/others": Others(manager),
        "/end-others": EndOthers(manager),
        "/staff/{deed}": Deed("staff"),
        "/ws": Conversation(manager),
        "/refuse/{deed}": Refuse(),
    }
    for path, page in pages.items():
        app.add_route(path, page)
    inner = SessionMiddleware(cast("App", app), manager)
    return SessionMiddleware(inner, plan.async_manager(**STAFF), key="staff")
