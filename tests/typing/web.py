"""The modules of the web as a type checker sees them: checked by mypy, never run."""

from __future__ import annotations

from typing import Any, assert_type

import aiohttp.web
import fastapi
import flask
import quart
from litestar import Litestar

from sojourn import AsyncManager, Manager, Session
from sojourn.providers.file import FileProvider
from sojourn.providers.memory import MemoryProvider
from sojourn.web import aiohttp as in_aiohttp
from sojourn.web import asgi, django, wsgi
from sojourn.web import flask as in_flask
from sojourn.web import flask_login as in_flask_login
from sojourn.web import quart as in_quart
from sojourn.web.fastapi import CurrentSession
from sojourn.web.litestar import SessionPlugin
from sojourn.web.pyramid import PyramidSession, SessionFactory


def of_flask(app: flask.Flask) -> None:
    assert_type(in_flask.install(app, MemoryProvider(), gc_interval=60), Manager)
    assert_type(in_flask.install(app, "file", provider_config="./sessions"), Manager)
    in_flask_login.install(app)
    assert_type(in_flask.session, in_flask.FlaskSession)
    assert_type(in_flask.session.permanent, bool)
    in_flask.session.permanent = True
    in_flask.session.modified = True


def of_quart(app: quart.Quart) -> None:
    assert_type(in_quart.install(app, FileProvider("./sessions")), AsyncManager)
    assert_type(in_quart.session, in_quart.QuartSession)


def of_django() -> None:
    assert_type(django.manager(), Manager)
    assert_type(django.async_manager(), AsyncManager)
    assert_type(django.SessionStore().user, str | None)
    assert_type(django.SessionStore("...").apply("visits", lambda n: n + 1, 0), Any)


def of_fastapi(app: fastapi.FastAPI, manager: AsyncManager) -> None:
    app.add_middleware(asgi.SessionMiddleware, manager=manager, key="staff")

    @app.get("/")
    async def home(session: CurrentSession) -> str | None:
        assert_type(session, Session)
        return session.user


def of_litestar(manager: AsyncManager) -> None:
    Litestar([], plugins=[SessionPlugin(manager), SessionPlugin(manager, key="staff")])


def of_aiohttp(
    app: aiohttp.web.Application, request: aiohttp.web.Request, manager: AsyncManager
) -> None:
    in_aiohttp.setup(app, manager)
    session = in_aiohttp.get_session(request, key="staff")
    assert_type(session, in_aiohttp.AiohttpSession)
    assert_type(session.identity, str | None)
    assert_type(session.max_age, int | None)
    session.max_age = 600


def of_pyramid(manager: Manager, request: Any) -> None:
    session = SessionFactory(manager)(request)
    assert_type(session, PyramidSession)
    assert_type(session.created, int)
    assert_type(session.pop_flash("q"), list[Any])
    assert_type(session.get_csrf_token(), str)


def of_wsgi(app: Any, manager: Manager) -> None:
    wsgi.SessionMiddleware(app, manager, key="staff")
