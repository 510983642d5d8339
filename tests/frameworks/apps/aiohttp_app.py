"""The probe in aiohttp."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.typedefs import Handler

from sojourn import AsyncManager, SessionReleased
from sojourn.web.aiohttp import get_session, setup
from tests.frameworks.probe import STAFF, Handled, Plan, do, keep, put

MANAGER = web.AppKey("manager", AsyncManager)

routes = web.RouteTableDef()


@routes.get("/do/{deed}")
async def do_deed(request: web.Request) -> web.Response:
    return web.json_response(do(request.match_info["deed"], get_session(request), request.query))


@routes.get("/slow/{deed}")
async def slow_deed(request: web.Request) -> web.Response:
    session = get_session(request)
    session.get("x")
    await asyncio.sleep(float(request.query["seconds"]))
    return web.json_response(do(request.match_info["deed"], session, request.query))


@routes.get("/staff/{deed}")
async def staff_deed(request: web.Request) -> web.Response:
    session = get_session(request, key="staff")
    return web.json_response(do(request.match_info["deed"], session, request.query))


@routes.get("/quiet")
async def quiet(request: web.Request) -> web.Response:
    return web.Response(text="quiet")


@routes.get("/stream")
async def stream(request: web.Request) -> web.StreamResponse:
    session = get_session(request)
    put(session, request.query)
    response = web.StreamResponse()
    response.content_type = "text/plain"
    await response.prepare(request)
    await response.write(b"one")
    await response.write(b"two")
    try:
        session["late"] = "yes"
    except SessionReleased as error:
        await response.write(type(error).__name__.encode())
    return response


@routes.get("/events")
async def events(request: web.Request) -> web.StreamResponse:
    put(get_session(request), request.query)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for word in ("one", "two"):
        await response.write(f"data: {word}\n\n".encode())
    return response


@routes.get("/raise")
async def fail(request: web.Request) -> web.Response:
    put(get_session(request), request.query)
    raise RuntimeError("nobody handles this")


@routes.get("/handled")
async def handled(request: web.Request) -> web.Response:
    put(get_session(request), request.query)
    raise Handled


@routes.get("/redirect")
async def redirect(request: web.Request) -> web.Response:
    put(get_session(request), request.query)
    raise web.HTTPFound("/do/everything")


@routes.get("/not-modified")
async def not_modified(request: web.Request) -> web.Response:
    get_session(request).get("x")
    raise web.HTTPNotModified


@routes.get("/cached")
async def cached(request: web.Request) -> web.Response:
    get_session(request).get("x")
    headers = {"Vary": "Accept", "Cache-Control": "public"}
    return web.json_response("cached", headers=headers)


@routes.get("/after")
async def after(request: web.Request) -> web.Response:
    session = get_session(request)
    response = web.json_response("after" if session.id else None)
    await response.prepare(request)
    await response.write_eof()
    async with request.app[MANAGER].open_id(session.id) as later:
        put(later, request.query)
    return response


@routes.get("/others")
async def others(request: web.Request) -> web.Response:
    sessions = request.app[MANAGER].sessions(request.query["user"])
    return web.json_response(sorted([info.id async for info in sessions]))


@routes.get("/end-others")
async def end_others(request: web.Request) -> web.Response:
    manager, user = request.app[MANAGER], request.query["user"]
    return web.json_response(await manager.destroy_user(user, keep=get_session(request).id))


@routes.get("/ws")
async def socket(request: web.Request) -> web.WebSocketResponse:
    session = get_session(request)
    session["socket"] = "open"
    response = web.WebSocketResponse()
    await response.prepare(request)
    await response.send_str("accepted")
    async for message in response:
        await response.send_str(await keep(request.app[MANAGER], session.id, message.data))
    return response


@routes.get("/refuse/{deed}")
async def refuse(request: web.Request) -> web.Response:
    do(request.match_info["deed"], get_session(request), request.query)
    if request.query["how"] == "raise":
        raise RuntimeError("nobody handles this")
    raise web.HTTPForbidden


@web.middleware
async def teapot(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Handled:
        get_session(request)["handled"] = "yes"
        return web.Response(status=418)


def make(plan: Plan) -> web.Application:
    app = web.Application(middlewares=[teapot])
    app[MANAGER] = plan.async_manager()
    app.add_routes(routes)
    setup(app, app[MANAGER])
    setup(app, plan.async_manager(**STAFF), key="staff")
    return app
