"""Applications for real servers, with the same pages.  FOLDER in the environment is theirs, COOKIE
the name of their cookie.

As a program it serves on the port that is its argument, by wsgiref or by aiohttp's own server.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

from sojourn import AsyncManager, Manager, Session
from sojourn.providers.file import FileProvider
from sojourn.web import asgi, wsgi
from sojourn.web._lifespan import Receive, Scope, Send

FOLDER = Path(os.environ["FOLDER"])
PAUSE = 0.01


class Told(FileProvider):
    """Leaves word when it is closed."""

    def close(self) -> None:
        super().close()
        (FOLDER / "closed").touch()


def count(session: Session) -> bytes:
    session["n"] = session.get("n", 0) + 1
    return b"%d" % session["n"]


def unstorable(session: Session) -> bytes:
    session["list"] = []
    session["list"].append(object())
    return b"never sent"


def broken(session: Session) -> bytes:
    count(session)
    raise LookupError("broken")


PAGES = {
    "/count": count,
    "/read": lambda session: b"%d" % session.get("n", 0),
    "/pass": lambda session: b"hello",
    "/logout": lambda session: session.logout() or b"bye",
    "/empty": lambda session: count(session) and b"",
    "/unstorable": unstorable,
    "/broken": broken,
}


def pages(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    session, path = environ["sojourn.session"], environ["PATH_INFO"]
    if path == "/stream":
        return stream(session, start_response)
    data = PAGES[path](session)
    length = [("Content-Length", str(len(data)))] if data else []
    start_response("200 OK" if data else "204 No Content", length)
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else data]


def stream(session: Session, start_response: StartResponse) -> Iterable[bytes]:
    """Send one part, and the other when the client has asked for it."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b""
    yield b"first " + count(session)
    while not (FOLDER / "go").exists():
        time.sleep(PAUSE)
    yield b" second"


async def async_pages(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await socket(scope, receive, send)
    elif scope["path"] == "/stream":
        await async_stream(scope["session"], send)
    else:
        assert scope["type"] == "http"
        data = PAGES[scope["path"]](scope["session"])
        headers = [(b"content-length", b"%d" % len(data))] if data else []
        status = 200 if data else 204
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": data})


async def async_stream(session: Session, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200})
    first = b"first " + count(session)
    await send({"type": "http.response.body", "body": first, "more_body": True})
    while not (FOLDER / "go").exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(PAUSE)
    await send({"type": "http.response.body", "body": b" second"})


async def socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Count each message in the session of whoever connected."""
    session = scope["session"]
    await receive()
    count(session)
    if scope["path"] == "/denied":
        await send({"type": "websocket.close", "code": 4403})
        return
    await send({"type": "websocket.accept"})
    while (await receive())["type"] == "websocket.receive":
        async with async_manager.open_id(session.id) as later:
            data = count(later)
        await send({"type": "websocket.send", "bytes": data})


settings = {
    "max_lifetime": float(os.environ.get("LIFETIME", "3600")),
    "gc_interval": 0.05,
    "cookie_name": os.environ.get("COOKIE", "session"),
}
manager = Manager(FileProvider(FOLDER / "sessions"), settings)
async_manager = AsyncManager(Told(FOLDER / "sessions"), settings)
wsgi_app = wsgi.SessionMiddleware(pages, manager)
asgi_app = asgi.SessionMiddleware(async_pages, async_manager)

if __name__ == "__main__" and sys.argv[2:] == ["aiohttp"]:
    from aiohttp import web

    from sojourn.web.aiohttp import get_session, setup

    async def page(request: web.Request) -> web.Response:
        return web.Response(body=PAGES[request.path](get_session(request)))

    app = web.Application()
    app.router.add_get("/{page}", page)
    setup(app, async_manager)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]))
elif __name__ == "__main__":
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIServer, make_server

    class Threaded(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    make_server("127.0.0.1", int(sys.argv[1]), wsgi_app, Threaded).serve_forever()
