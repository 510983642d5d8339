"""The probe in Litestar."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from litestar import Litestar, Request, Response, WebSocket, route, websocket
from litestar.background_tasks import BackgroundTask
from litestar.di import NamedDependency, Provide
from litestar.enums import HttpMethod
from litestar.exceptions import WebSocketDisconnect
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, ServerSentEvent, Stream

from sojourn import AsyncManager, SessionReleased
from sojourn.web.litestar import CurrentSession, SessionPlugin
from tests.frameworks.probe import STAFF, Handled, Plan, Query, do, keep, put

METHODS = [HttpMethod.GET, HttpMethod.HEAD]
Sessions = NamedDependency[AsyncManager]
Asked = Request[Any, Any, Any]


def answer(result: Any) -> Response[bytes]:
    """JSON for whatever it is; Litestar itself makes none of text."""
    return Response(json.dumps(result).encode(), media_type="application/json")


@route("/do/{deed:str}", http_method=METHODS)
async def one_deed(deed: FromPath[str], session: CurrentSession, request: Asked) -> Response[bytes]:
    return answer(do(deed, session, dict(request.query_params)))


@route("/slow/{deed:str}", http_method=METHODS)
async def slow(deed: FromPath[str], session: CurrentSession, request: Asked) -> Response[bytes]:
    session.get("x")
    await asyncio.sleep(float(request.query_params["seconds"]))
    return answer(do(deed, session, dict(request.query_params)))


@route("/quiet", http_method=METHODS, media_type="text/plain")
async def quiet(session: CurrentSession) -> str:
    """The session is asked for, and not touched."""
    return "quiet"


@route("/stream", http_method=METHODS, media_type="text/plain")
async def stream(session: CurrentSession, request: Asked) -> Stream:
    async def parts() -> AsyncIterator[str]:
        yield "one"
        yield "two"
        try:
            session["late"] = "yes"
        except SessionReleased as error:
            yield type(error).__name__

    put(session, dict(request.query_params))
    return Stream(parts())


@route("/events", http_method=METHODS)
async def events(session: CurrentSession, request: Asked) -> ServerSentEvent:
    async def said() -> AsyncIterator[str]:
        yield "one"
        yield "two"

    put(session, dict(request.query_params))
    return ServerSentEvent(said())


@route("/raise", http_method=METHODS)
async def fail(session: CurrentSession, request: Asked) -> None:
    put(session, dict(request.query_params))
    raise RuntimeError("nobody handles this")


@route("/handled", http_method=METHODS)
async def fail_handled(session: CurrentSession, request: Asked) -> None:
    put(session, dict(request.query_params))
    raise Handled


def handle(request: Asked, _: Exception) -> Response[None]:
    request.session["handled"] = "yes"
    return Response(None, status_code=418)


@route("/redirect", http_method=METHODS, status_code=302)
async def redirect(session: CurrentSession, request: Asked) -> Redirect:
    put(session, dict(request.query_params))
    return Redirect("/do/everything")


@route("/not-modified", http_method=METHODS, status_code=304)
async def not_modified(session: CurrentSession) -> None:
    session.get("x")


@route("/cached", http_method=METHODS)
async def cached(session: CurrentSession) -> Response[str]:
    session.get("x")
    return Response("cached", headers={"Vary": "Accept", "Cache-Control": "public"})


@route("/after", http_method=METHODS)
async def after(session: CurrentSession, request: Asked, manager: Sessions) -> Response[str]:
    task = BackgroundTask(put_later, manager, session.id, dict(request.query_params))
    return Response("after", background=task)


async def put_later(manager: AsyncManager, id: str, query: Query) -> None:
    async with manager.open_id(id) as session:
        put(session, query)


@route("/others", http_method=METHODS)
async def others(user: FromQuery[str], manager: Sessions) -> list[str]:
    return sorted([info.id async for info in manager.sessions(user)])


@route("/end-others", http_method=METHODS)
async def end_others(user: FromQuery[str], session: CurrentSession, manager: Sessions) -> int:
    return await manager.destroy_user(user, keep=session.id)


@route("/staff/{deed:str}", http_method=METHODS)
async def in_staff(deed: FromPath[str], staff: CurrentSession, request: Asked) -> Response[bytes]:
    return answer(do(deed, staff, dict(request.query_params)))


@websocket("/ws")
async def converse(
    socket: WebSocket[Any, Any, Any], session: CurrentSession, manager: Sessions
) -> None:
    session["socket"] = "open"
    await socket.accept()
    await socket.send_text("accepted")
    try:
        while True:
            word = await socket.receive_text()
            await socket.send_text(await keep(manager, session.id, word))
    except WebSocketDisconnect:
        pass


@websocket("/refuse/{deed:str}")
async def refuse(
    deed: FromPath[str], socket: WebSocket[Any, Any, Any], session: CurrentSession
) -> None:
    do(deed, session, dict(socket.query_params))
    if socket.query_params["how"] == "raise":
        raise RuntimeError("nobody handles this")
    await socket.close(1008)


ROUTES = [
    one_deed,
    slow,
    quiet,
    stream,
    events,
    fail,
    fail_handled,
    redirect,
    not_modified,
    cached,
    after,
    others,
    end_others,
    in_staff,
    converse,
    refuse,
]


def make(plan: Plan) -> Litestar:
    manager, staff = plan.async_manager(), plan.async_manager(**STAFF)

    async def provide() -> AsyncManager:
        return manager

    return Litestar(
        ROUTES,
        plugins=[SessionPlugin(manager), SessionPlugin(staff, key="staff")],
        dependencies={"manager": Provide(provide)},
        exception_handlers={Handled: handle},
        logging_config=None,  # Litestar's own would take the place of the suite's
    )
