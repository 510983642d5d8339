"""The probe without a framework: what ASGI alone gives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple
from urllib.parse import parse_qsl

from sojourn import AsyncManager, Session, SessionReleased
from sojourn.web._lifespan import App, Receive, Scope, Send
from sojourn.web.asgi import SessionMiddleware
from tests.frameworks.probe import STAFF, Handled, Plan, Query, do, keep, put

JSON, TEXT, EVENTS = "application/json", "text/plain", "text/event-stream"


class Reply(NamedTuple):
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    parts: tuple[bytes, ...] | AsyncIterator[bytes] = ()


Page = Callable[[Session, Query], Reply]


def answer(result: object, *headers: tuple[str, str]) -> Reply:
    return Reply(200, (("content-type", JSON), *headers), (json.dumps(result).encode(),))


def stream(session: Session, query: Query) -> Reply:
    put(session, query)
    return Reply(200, (("content-type", TEXT),), parts(session))


async def parts(session: Session) -> AsyncIterator[bytes]:
    yield b"one"
    yield b"two"
    try:
        session["late"] = "yes"
    except SessionReleased as error:
        yield type(error).__name__.encode()


def events(session: Session, query: Query) -> Reply:
    put(session, query)
    said = tuple(f"data: {word}\n\n".encode() for word in ("one", "two"))
    return Reply(200, (("content-type", EVENTS),), said)


def fail(session: Session, query: Query) -> Reply:
    put(session, query)
    raise RuntimeError("nobody handles this")


def handled(session: Session, query: Query) -> Reply:
    put(session, query)
    raise Handled


def redirect(session: Session, query: Query) -> Reply:
    put(session, query)
    return Reply(302, (("location", "/do/everything"),))


def not_modified(session: Session, query: Query) -> Reply:
    session.get("x")
    return Reply(304)


def cached(session: Session, query: Query) -> Reply:
    session.get("x")
    return answer("cached", ("vary", "Accept"), ("cache-control", "public"))


PAGES: dict[str, Page] = {
    "/quiet": lambda session, query: Reply(200, (("content-type", TEXT),), (b"quiet",)),
    "/stream": stream,
    "/events": events,
    "/raise": fail,
    "/handled": handled,
    "/redirect": redirect,
    "/not-modified": not_modified,
    "/cached": cached,
    "/after": lambda session, query: answer("after" if session.id else None),
}


class Probe:
    """The application behind both middlewares."""

    def __init__(self, manager: AsyncManager) -> None:
        self._manager = manager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            talk = self.converse if scope["path"] == "/ws" else refuse
            await talk(scope, receive, send)
        elif scope["type"] == "http":
            await self.respond(scope, send)
        else:
            raise NotImplementedError("it has no part in the lifespan")

    async def respond(self, scope: Scope, send: Send) -> None:
        query = dict(parse_qsl(scope["query_string"].decode()))
        try:
            reply = await self.reply(scope, query)
        except Handled:
            scope["session"]["handled"] = "yes"
            reply = Reply(418)
        headers = [(name.encode(), value.encode()) for name, value in reply.headers]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        if scope["method"] != "HEAD":
            async for part in each(reply.parts):
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})
        if scope["path"] == "/after":
            async with self._manager.open_id(scope["session"].id) as later:
                put(later, query)

    async def reply(self, scope: Scope, query: Query) -> Reply:
        session = scope["session"]
        match scope["path"].split("/")[1:]:
            case ["do", deed]:
                return answer(do(deed, session, query))
            case ["slow", deed]:
                session.get("x")
                await asyncio.sleep(float(query["seconds"]))
                return answer(do(deed, session, query))
            case ["staff", deed]:
                return answer(do(deed, scope["staff"], query))
            case ["others"]:
                ids = [info.id async for info in self._manager.sessions(query["user"])]
                return answer(sorted(ids))
            case ["end-others"]:
                return answer(await self._manager.destroy_user(query["user"], keep=session.id))
        return PAGES[scope["path"]](session, query)

    async def converse(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        session = scope["session"]
        session["socket"] = "open"
        id = session.id
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "accepted"})
        while (message := await receive())["type"] == "websocket.receive":
            answer = await keep(self._manager, id, message["text"])
            await send({"type": "websocket.send", "text": answer})


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    query = dict(parse_qsl(scope["query_string"].decode()))
    do(scope["path"].rpartition("/")[2], scope["session"], query)
    if query["how"] == "raise":
        raise RuntimeError("nobody handles this")
    await send({"type": "websocket.close", "code": 1008})


async def each(parts: tuple[bytes, ...] | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if isinstance(parts, tuple):
        for part in parts:
            yield part
    else:
        async for part in parts:
            yield part


def make(plan: Plan) -> App:
    manager = plan.async_manager()
    app = SessionMiddleware(Probe(manager), plan.async_manager(**STAFF), key="staff")
    return SessionMiddleware(app, manager)
