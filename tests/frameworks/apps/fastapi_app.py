"""The probe in FastAPI: sessions are dependencies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Request, WebSocket
from fastapi.responses import (
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocketDisconnect

from sojourn import AsyncManager, Session, SessionReleased
from sojourn.web.asgi import SessionMiddleware
from sojourn.web.fastapi import CurrentSession, session_from
from tests.frameworks.probe import STAFF, Handled, Plan, Query, do, keep, put

try:
    from fastapi.sse import EventSourceResponse, ServerSentEvent
except ImportError:
    HAS_EVENTS = False  # FastAPI has them since 0.135
else:
    HAS_EVENTS = True

METHODS = ["GET", "HEAD"]
router = APIRouter()


async def query_of(request: Request) -> Query:
    return request.query_params


async def manager_of(connection: HTTPConnection) -> AsyncManager:
    manager: AsyncManager = connection.app.state.manager
    return manager


Asked = Annotated[Query, Depends(query_of)]
Sessions = Annotated[AsyncManager, Depends(manager_of)]
StaffSession = Annotated[Session, Depends(session_from("staff"))]


@router.api_route("/do/{deed}", methods=METHODS)
async def one_deed(deed: str, session: CurrentSession, query: Asked) -> Any:
    return do(deed, session, query)


@router.api_route("/slow/{deed}", methods=METHODS)
async def slow(deed: str, session: CurrentSession, query: Asked) -> Any:
    session.get("x")
    await asyncio.sleep(float(query["seconds"]))
    return do(deed, session, query)


@router.api_route("/quiet", methods=METHODS)
async def quiet(session: CurrentSession) -> Response:
    """The session is asked for, and not touched."""
    return PlainTextResponse("quiet")


@router.api_route("/stream", methods=METHODS)
async def stream(session: CurrentSession, query: Asked) -> Response:
    async def parts() -> AsyncIterator[str]:
        yield "one"
        yield "two"
        try:
            session["late"] = "yes"
        except SessionReleased as error:
            yield type(error).__name__

    put(session, query)
    return StreamingResponse(parts(), media_type="text/plain")


if HAS_EVENTS:

    @router.api_route("/events", methods=METHODS, response_class=EventSourceResponse)
    async def events(session: CurrentSession, query: Asked) -> AsyncIterator[ServerSentEvent]:
        put(session, query)
        yield ServerSentEvent(raw_data="one")
        yield ServerSentEvent(raw_data="two")

else:

    @router.api_route("/events", methods=METHODS)
    async def written_events(session: CurrentSession, query: Asked) -> Response:
        put(session, query)
        return StreamingResponse(
            iter(["data: one\n\n", "data: two\n\n"]), media_type="text/event-stream"
        )


@router.api_route("/raise", methods=METHODS)
async def fail(session: CurrentSession, query: Asked) -> None:
    put(session, query)
    raise RuntimeError("nobody handles this")


@router.api_route("/handled", methods=METHODS)
async def fail_handled(session: CurrentSession, query: Asked) -> None:
    put(session, query)
    raise Handled


async def handle(request: Request, _: Exception) -> Response:
    request.session["handled"] = "yes"
    return Response(status_code=418)


@router.api_route("/redirect", methods=METHODS)
async def redirect(session: CurrentSession, query: Asked) -> Response:
    put(session, query)
    return RedirectResponse("/do/everything", 302)


@router.api_route("/not-modified", methods=METHODS)
async def not_modified(session: CurrentSession) -> Response:
    session.get("x")
    return Response(status_code=304)


@router.api_route("/cached", methods=METHODS)
async def cached(session: CurrentSession) -> Response:
    session.get("x")
    return JSONResponse("cached", headers={"Vary": "Accept", "Cache-Control": "public"})


@router.api_route("/after", methods=METHODS)
async def after(
    session: CurrentSession, query: Asked, manager: Sessions, tasks: BackgroundTasks
) -> str:
    tasks.add_task(put_later, manager, session.id, query)
    return "after"


async def put_later(manager: AsyncManager, id: str, query: Query) -> None:
    async with manager.open_id(id) as session:
        put(session, query)


@router.api_route("/others", methods=METHODS)
async def others(user: str, manager: Sessions) -> list[str]:
    return sorted([info.id async for info in manager.sessions(user)])


@router.api_route("/end-others", methods=METHODS)
async def end_others(user: str, session: CurrentSession, manager: Sessions) -> int:
    return await manager.destroy_user(user, keep=session.id)


@router.api_route("/staff/{deed}", methods=METHODS)
async def staff(deed: str, session: StaffSession, query: Asked) -> Any:
    return do(deed, session, query)


@router.websocket("/ws")
async def converse(websocket: WebSocket, session: CurrentSession, manager: Sessions) -> None:
    session["socket"] = "open"
    await websocket.accept()
    await websocket.send_text("accepted")
    try:
        while True:
            word = await websocket.receive_text()
            await websocket.send_text(await keep(manager, session.id, word))
    except WebSocketDisconnect:
        pass


@router.websocket("/refuse/{deed}")
async def refuse(websocket: WebSocket, deed: str, session: CurrentSession) -> None:
    do(deed, session, websocket.query_params)
    if websocket.query_params["how"] == "raise":
        raise RuntimeError("nobody handles this")
    await websocket.close(1008)


def make(plan: Plan) -> FastAPI:
    app = FastAPI(exception_handlers={Handled: handle})
    app.include_router(router)
    app.state.manager = plan.async_manager()
    app.add_middleware(SessionMiddleware, manager=app.state.manager)
    app.add_middleware(SessionMiddleware, manager=plan.async_manager(**STAFF), key="staff")
    return app
