"""A site, over WSGI and over ASGI, that counts the visits of each of its visitors.

SOJOURN_SITE in the environment is JSON: the provider, and its configuration.  Over WSGI the store
is used as the module is imported, which is before the fork where a server forks its workers.
"""

from __future__ import annotations

import asyncio
import json
import os
import time

from flask import Flask, session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from sojourn import AsyncManager
from sojourn.web.asgi import SessionMiddleware
from sojourn.web.flask import install

SITE = json.loads(os.environ["SOJOURN_SITE"])
PROVIDER, CONFIG = SITE["provider"], SITE["config"]


def until_together() -> float:
    """Seconds to a moment that comes for all workers at once, so that they meet in the store."""
    return -time.time() % 0.002


def one_more(visits: int) -> int:
    return visits + 1


# -- over WSGI --------------------------------------------------------------------------------


def wsgi() -> Flask:
    app = Flask(__name__)
    sessions = install(app, PROVIDER, provider_config=CONFIG)
    sessions.check()
    with sessions.open({}) as before:
        before["stored"] = "before the fork"
    for path, view in (("/begin/<name>", begin), ("/visit", visit), ("/visits", visits)):
        app.add_url_rule(path, view_func=view)
    return app


def begin(name: str) -> str:
    session["name"] = name
    return name


def visit() -> str:
    """Count the visit, and say whose session it is and which worker has answered."""
    time.sleep(until_together())
    session.apply("visits", one_more, 0)  # type: ignore[attr-defined]
    time.sleep(until_together())
    return f"{session.get('name')} {os.getpid()}"


def visits() -> str:
    return str(session.get("visits"))


# -- over ASGI --------------------------------------------------------------------------------


def asgi() -> SessionMiddleware:
    routes = {"/begin/{name}": async_begin, "/visit": async_visit, "/visits": async_visits}
    app = Starlette(routes=[Route(path, view) for path, view in routes.items()])
    return SessionMiddleware(app, AsyncManager(PROVIDER, provider_config=CONFIG))


async def async_begin(request: Request) -> PlainTextResponse:
    request.session["name"] = request.path_params["name"]
    return PlainTextResponse(request.path_params["name"])


async def async_visit(request: Request) -> PlainTextResponse:
    await asyncio.sleep(until_together())
    request.session.apply("visits", one_more, 0)  # type: ignore[attr-defined]
    await asyncio.sleep(until_together())
    return PlainTextResponse(f"{request.session.get('name')} {os.getpid()}")


async def async_visits(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(request.session.get("visits")))


app = asgi() if SITE["asgi"] else wsgi()
