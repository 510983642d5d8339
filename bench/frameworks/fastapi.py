"""FastAPI: Starlette's signed cookie, and Sojourn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from starlette.middleware.sessions import SessionMiddleware

from bench.asgi import Asgi, done
from bench.frameworks.common import SECRET, Ours, Subjects, over
from bench.stores import managed
from bench.subject import QUIET, WORK
from sojourn import AsyncManager
from sojourn.web import asgi
from sojourn.web.fastapi import CurrentSession


async def _visited(request: Request) -> PlainTextResponse:
    await done(request.scope[WORK](request.session))
    return PlainTextResponse("ok")


async def _asked(request: Request, session: CurrentSession) -> PlainTextResponse:
    await done(request.scope[WORK](session))
    return PlainTextResponse("ok")


async def _plain(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


def _application(view: Any) -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.get("/")(view)
    app.get(QUIET)(_plain)
    return app


class SignedCookie(Asgi):
    """The signed cookie of Starlette."""

    name = "Starlette"
    store = "cookie"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.without = _application(_plain)
        self.with_session = _application(_visited)
        self.with_session.add_middleware(SessionMiddleware, secret_key=SECRET)


class Sojourn(Ours, Asgi):
    """Sojourn provides `request.session`."""

    view: Any = staticmethod(_visited)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.without = _application(_plain)
        self.manager = managed(AsyncManager, self.store, folder)
        self.with_session = _application(self.view)
        self.with_session.add_middleware(asgi.SessionMiddleware, manager=self.manager)


class Asked(Sojourn):
    """The view gets Sojourn's session as a parameter."""

    name = "Sojourn, CurrentSession"
    view: Any = staticmethod(_asked)


SUBJECTS: Subjects = (
    SignedCookie,
    *over(Sojourn, "memory", "redis"),
    *over(Asked, "memory", "redis"),
)
