"""The probe in Starlette."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import (
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from sojourn import AsyncManager, SessionReleased
from sojourn.web.asgi import SessionMiddleware
from tests.frameworks.probe import STAFF, Handled, Plan, Query, do, keep, put


async def deed(request: Request) -> Response:
    result = do(request.path_params["deed"], request.session, request.query_params)
    return JSONResponse(result)


async def slow(request: Request) -> Response:
    request.session.get("x")
    await asyncio.sleep(float(request.query_params["seconds"]))
    return await deed(request)


async def quiet(_: Request) -> Response:
    return PlainTextResponse("quiet")


async def stream(request: Request) -> Response:
    async def parts() -> AsyncIterator[str]:
        yield "one"
        yield "two"
        try:
            request.session["late"] = "yes"
        except SessionReleased as error:
            yield type(error).__name__

    put(request.session, request.query_params)
    return StreamingResponse(parts(), media_type="text/plain")


async def events(request: Request) -> Response:
    async def said() -> AsyncIterator[str]:
        yield "data: one\n\n"
        yield "data: two\n\n"

    put(request.session, request.query_params)
    return StreamingResponse(said(), media_type="text/event-stream")


async def fail(request: Request) -> Response:
    put(request.session, request.query_params)
    raise RuntimeError("nobody handles this")


async def fail_handled(request: Request) -> Response:
    put(request.session, request.query_params)
    raise Handled


async def handle(request: Request, _: Exception) -> Response:
    request.session["handled"] = "yes"
    return Response(status_code=418)


async def redirect(request: Request) -> Response:
    put(request.session, request.query_params)
    return RedirectResponse("/do/everything", 302)


async def not_modified(request: Request) -> Response:
    request.session.get("x")
    return Response(status_code=304)


async def cached(request: Request) -> Response:
    request.session.get("x")
    return JSONResponse("cached", headers={"Vary": "Accept", "Cache-Control": "public"})


async def after(request: Request) -> Response:
    task = BackgroundTask(
        put_later, manager_of(request), request.scope["session"].id, request.query_params
    )
    return PlainTextResponse("after", background=task)


async def put_later(manager: AsyncManager, id: str, query: Query) -> None:
    async with manager.open_id(id) as session:
        put(session, query)


async def others(request: Request) -> Response:
    sessions = manager_of(request).sessions(request.query_params["user"])
    return JSONResponse(sorted([info.id async for info in sessions]))


async def end_others(request: Request) -> Response:
    user, this = request.query_params["user"], request.scope["session"].id
    return JSONResponse(await manager_of(request).destroy_user(user, keep=this))


async def staff(request: Request) -> Response:
    session = request.scope["staff"]
    return JSONResponse(do(request.path_params["deed"], session, request.query_params))


async def converse(websocket: WebSocket) -> None:
    session, manager = websocket.scope["session"], websocket.app.state.manager
    session["socket"] = "open"
    await websocket.accept()
    await websocket.send_text("accepted")
    try:
        while True:
            word = await websocket.receive_text()
            await websocket.send_text(await keep(manager, session.id, word))
    except WebSocketDisconnect:
        pass


async def refuse(websocket: WebSocket) -> None:
    do(websocket.path_params["deed"], websocket.session, websocket.query_params)
    if websocket.query_params["how"] == "raise":
        raise RuntimeError("nobody handles this")
    await websocket.close(1008)


def manager_of(request: Request) -> AsyncManager:
    manager: AsyncManager = request.app.state.manager
    return manager


ROUTES = [
    Route("/do/{deed}", deed),
    Route("/slow/{deed}", slow),
    Route("/quiet", quiet),
    Route("/stream", stream),
    Route("/events", events),
    Route("/raise", fail),
    Route("/handled", fail_handled),
    Route("/redirect", redirect),
    Route("/not-modified", not_modified),
    Route("/cached", cached),
    Route("/after", after),
    Route("/others", others),
    Route("/end-others", end_others),
    Route("/staff/{deed}", staff),
    WebSocketRoute("/ws", converse),
    WebSocketRoute("/refuse/{deed}", refuse),
]


def make(plan: Plan) -> Starlette:
    manager = plan.async_manager()
    middleware = [
        Middleware(SessionMiddleware, manager=manager),
        Middleware(SessionMiddleware, manager=plan.async_manager(**STAFF), key="staff"),
    ]
    app = Starlette(routes=ROUTES, middleware=middleware, exception_handlers={Handled: handle})
    app.state.manager = manager
    return app
