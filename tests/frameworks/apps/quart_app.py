"""The probe in Quart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from quart import Quart, Response, jsonify, redirect, request, stream_with_context, websocket

from sojourn import AsyncManager, SessionReleased
from sojourn.web import asgi, quart
from sojourn.web.quart import session
from tests.frameworks.apps.flask_app import parted
from tests.frameworks.probe import STAFF, Handled, Plan, do, keep, put


def make(plan: Plan) -> Quart:
    app = Quart(__name__)
    theirs, ours = parted(plan.settings)
    app.config.update(theirs)
    sessions = quart.install(app, plan.provider, provider_config=plan.provider_config, **ours)
    served: Any = app  # for type checkers `asgi_app` is a method
    staff = plan.async_manager(**STAFF)
    served.asgi_app = asgi.SessionMiddleware(served.asgi_app, manager=staff, key="staff")

    @app.get("/do/<deed>")
    async def done(deed: str) -> Response:
        return jsonify(do(deed, session, request.args))

    @app.get("/slow/<deed>")
    async def slow(deed: str) -> Response:
        session.get("x")
        await asyncio.sleep(float(request.args["seconds"]))
        return jsonify(do(deed, session, request.args))

    @app.get("/staff/<deed>")
    async def of_staff(deed: str) -> Response:
        scope: Any = request.scope
        return jsonify(do(deed, scope["staff"], request.args))

    add_sessions(app, sessions)
    add_answers(app)
    return app


def add_sessions(app: Quart, sessions: AsyncManager) -> None:
    """The routes that ask the manager."""

    @app.get("/others")
    async def others() -> Response:
        return jsonify(sorted([info.id async for info in sessions.sessions(request.args["user"])]))

    @app.get("/end-others")
    async def end_others() -> Response:
        return jsonify(await sessions.destroy_user(request.args["user"], keep=session.id))

    async def put_later(id: str, query: dict[str, str]) -> None:
        async with sessions.open_id(id) as later:
            put(later, query)

    @app.get("/after")
    async def after() -> Response:
        app.add_background_task(put_later, session.id, request.args.to_dict())
        return jsonify("after")

    @app.websocket("/ws")
    async def converse() -> None:
        session["socket"] = "open"
        await websocket.accept()
        await websocket.send("accepted")
        while True:
            word = await websocket.receive()
            await websocket.send(await keep(sessions, session.id, str(word)))

    @app.websocket("/refuse/<deed>")
    async def refuse(deed: str) -> None:
        do(deed, session, websocket.args)
        if websocket.args["how"] == "raise":
            raise RuntimeError("nobody handles this")
        await websocket.close(1008)


def add_answers(app: Quart) -> None:
    """The routes that are about responses."""

    @app.get("/quiet")
    async def quiet() -> Response:
        return Response("quiet", mimetype="text/plain")

    @app.get("/stream")
    async def stream() -> Response:
        put(session, request.args)
        return Response(stream_with_context(parts)(), mimetype="text/plain")

    @app.get("/events")
    async def events() -> Response:
        put(session, request.args)
        return Response(said(), mimetype="text/event-stream")

    @app.get("/raise")
    async def fail() -> Response:
        put(session, request.args)
        raise RuntimeError("nobody handles this")

    @app.get("/handled")
    async def handled() -> Response:
        put(session, request.args)
        raise Handled

    @app.errorhandler(Handled)
    async def handle(_: Exception) -> tuple[str, int]:
        session["handled"] = "yes"
        return "handled", 418

    @app.get("/redirect")
    async def away() -> Any:
        put(session, request.args)
        return redirect("/do/everything")

    @app.get("/not-modified")
    async def not_modified() -> tuple[str, int]:
        session.get("x")
        return "", 304

    @app.get("/cached")
    async def cached() -> Response:
        session.get("x")
        answer = jsonify("cached")
        answer.headers.update({"Vary": "Accept", "Cache-Control": "public"})
        return answer


async def parts() -> AsyncIterator[str]:
    yield "one"
    yield "two"
    try:
        session["late"] = "yes"
    except SessionReleased as error:
        yield type(error).__name__


async def said() -> AsyncIterator[str]:
    yield "data: one\n\n"
    yield "data: two\n\n"
