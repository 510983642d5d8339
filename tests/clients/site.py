"""A small site for real clients, in both colours: it keeps a word, and knows who is signed in.

A path names a kind of cookie and a deed: `/strict/put?word=tent`.  Each kind has a manager of its
own.  All of them, in every process, keep their sessions in the folder FOLDER, so that http, https
and the way through a proxy are doors of one site.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sojourn import AsyncManager, Manager, Session
from sojourn.providers.file import FileProvider
from sojourn.web import asgi, wsgi
from sojourn.web._lifespan import App, Receive, Scope, Send
from tests.clients.kinds import KINDS, name_of

FOLDER = os.environ["FOLDER"]
PATIENCE = 30.0  # seconds
POLL = 0.01  # seconds

Query = Mapping[str, str]


class Request(NamedTuple):
    deed: str
    query: Query
    cookies: str
    origin: str | None
    session: Session


def put(session: Session, query: Query) -> str:
    session["word"] = query["word"]
    return query["word"]


def login(session: Session, query: Query) -> None:
    remember = query.get("remember")
    session.login(query["user"], remember=None if remember is None else float(remember))


DEEDS: dict[str, Callable[[Session, Query], object]] = {
    "put": put,
    "slowly": put,
    "read": lambda session, query: session.get("word", "nothing"),
    "login": login,
    "who": lambda session, query: session.user or "nobody",
    "end": lambda session, query: session.destroy(),
}


def answer(request: Request) -> tuple[list[tuple[str, str]], bytes]:
    """The headers and the body.  `names` says which cookies came; every site may ask."""
    if request.deed == "names":
        pairs = request.cookies.split(";")
        body = " ".join(sorted(pair.partition("=")[0].strip() for pair in pairs))
    else:
        body = str(DEEDS[request.deed](request.session, request.query))
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    if request.origin is not None:
        headers.append(("Access-Control-Allow-Origin", request.origin))
        headers.append(("Access-Control-Allow-Credentials", "true"))
    return headers, body.encode()


def told_to_go_on(request: Request) -> Iterator[None]:
    """Let a request `slowly` wait until there is a file `until`; a file beside it says that it does."""
    if request.deed == "slowly":
        gate = Path(request.query["until"])
        gate.with_suffix(".reached").touch()
        deadline = time.monotonic() + PATIENCE
        while not gate.exists() and time.monotonic() < deadline:
            yield


def way(path: str) -> list[str]:
    """The kind and the deed."""
    return [*path.split("/"), ""][1:3]


def settings(kind: str) -> dict[str, object]:
    return {"cookie_name": name_of(kind), **KINDS[kind]}


# -- WSGI -------------------------------------------------------------------------------------


def pages(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    request = Request(
        way(environ["PATH_INFO"])[1],
        dict(parse_qsl(environ["QUERY_STRING"])),
        environ.get("HTTP_COOKIE", ""),
        environ.get("HTTP_ORIGIN"),
        environ["sojourn.session"],
    )
    for _ in told_to_go_on(request):
        time.sleep(POLL)
    headers, body = answer(request)
    start_response("200 OK", headers)
    return [body]


def with_wsgi(kind: str) -> WSGIApplication:
    return wsgi.SessionMiddleware(pages, Manager(FileProvider(FOLDER), settings(kind)))


def wsgi_app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    kind, _ = way(environ["PATH_INFO"])
    if kind in WSGI:
        return WSGI[kind](environ, start_response)
    start_response("404 Not Found", [("Content-Length", "0")])  # what browsers ask by themselves
    return []


WSGI = {kind: with_wsgi(kind) for kind in KINDS}


# -- ASGI -------------------------------------------------------------------------------------


async def async_pages(scope: Scope, receive: Receive, send: Send) -> None:
    came = {name.decode(): value.decode() for name, value in scope["headers"]}
    request = Request(
        way(scope["path"])[1],
        dict(parse_qsl(scope["query_string"].decode())),
        came.get("cookie", ""),
        came.get("origin"),
        scope["session"],
    )
    for _ in told_to_go_on(request):
        await asyncio.sleep(POLL)
    headers, body = answer(request)
    raw = [(name.encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": 200, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def with_asgi(kind: str) -> App:
    return asgi.SessionMiddleware(async_pages, AsyncManager(FileProvider(FOLDER), settings(kind)))


async def asgi_app(scope: Scope, receive: Receive, send: Send) -> None:
    kind, _ = way(scope["path"])
    if kind in ASGI:
        await ASGI[kind](scope, receive, send)
    else:
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})


ASGI = {kind: with_asgi(kind) for kind in KINDS}
