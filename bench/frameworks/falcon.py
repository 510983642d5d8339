"""Falcon, which has no sessions of its own, and Sojourn: by WSGI and by ASGI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import falcon
import falcon.asgi

from bench.asgi import Asgi, done
from bench.frameworks.common import QUIET_PAGE, Ours, Subjects, over
from bench.stores import managed
from bench.subject import QUIET, WORK
from bench.wsgi import Wsgi
from sojourn import AsyncManager, Manager
from sojourn.web import asgi, wsgi


class _Visited:
    def on_get(self, request: Any, response: Any) -> None:
        request.env[WORK](request.env["sojourn.session"])
        response.text = "ok"


class _Plain:
    def on_get(self, _request: Any, response: Any) -> None:
        response.text = "ok"


class _VisitedAsync:
    async def on_get(self, request: Any, response: Any) -> None:
        await done(request.scope[WORK](request.scope["session"]))
        response.text = "ok"


class _PlainAsync:
    async def on_get(self, _request: Any, response: Any) -> None:
        response.text = "ok"


def _application(page: Any) -> Any:
    return _routed(falcon.App(), page, _Plain())


def _application_async(page: Any) -> Any:
    return _routed(falcon.asgi.App(), page, _PlainAsync())


def _routed(app: Any, page: Any, quiet: Any) -> Any:
    app.add_route("/", page)
    app.add_route(QUIET, quiet)
    return app


class Sojourn(Ours, Wsgi):
    """`request.env["sojourn.session"]`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.without = _application(_Plain())
        self.manager = managed(Manager, self.store, folder)
        self.with_session = wsgi.SessionMiddleware(_application(_Visited()), self.manager)


class SojournAsync(Ours, Asgi):
    """`request.scope["session"]`."""

    settings = f"quiet={QUIET_PAGE}"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.without = _application_async(_PlainAsync())
        self.manager = managed(AsyncManager, self.store, folder)
        app = _application_async(_VisitedAsync())
        self.with_session = asgi.SessionMiddleware(app, self.manager, quiet=QUIET_PAGE)


SUBJECTS: Subjects = over(Sojourn, "memory", "redis")
SUBJECTS_ASYNC: Subjects = over(SojournAsync, "memory", "redis")
