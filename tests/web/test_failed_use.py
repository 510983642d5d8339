"""An error that follows the failed use of a session is answered with 503, as the use itself is.

An application or a library may catch the StoreError and raise another one, or fail soon after it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import flask
import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from sojourn import AsyncManager, Manager, StoreError
from sojourn.web import flask as sojourn_flask
from sojourn.web.aiohttp import get_session, setup
from sojourn.web.asgi import Receive, Scope, Send
from sojourn.web.asgi import SessionMiddleware as AsgiMiddleware
from sojourn.web.wsgi import SessionMiddleware
from tests.web.stores import Failing, cookie
from tests.web.test_wsgi import Environ, Start, ask, assert_unavailable, session_of


class WrappedError(Exception):
    """As libraries raise it in place of the error of their part."""


def use(session: Any) -> NoReturn:
    try:
        session["n"]
    except StoreError as error:
        raise WrappedError from error
    raise AssertionError("the store is not down")


def seen(manager: Manager, store: Failing) -> str:
    """The cookie of a visitor of whom something is stored; the store fails from now on."""
    session = manager.start({})
    session["n"] = 1
    header = cookie(manager.release(session).headers)
    store.down = {"read"}
    return header


def calling(environ: Environ, start_response: Start) -> Any:
    use(session_of(environ))


def iterating(environ: Environ, start_response: Start) -> Any:
    start_response("200 OK", [])
    yield use(session_of(environ))


@pytest.mark.parametrize("app", [calling, iterating])
def test_in_wsgi(app: Callable[..., Any]) -> None:
    store = Failing()
    manager = Manager(store)
    cookies = seen(manager, store)
    assert_unavailable(ask(SessionMiddleware(app, manager), HTTP_COOKIE=cookies))


def test_an_error_after_the_response_has_begun_is_raised_as_it_is() -> None:
    store = Failing()
    manager = Manager(store, touch_on="change")
    cookies = seen(manager, store)

    def app(environ: Environ, start_response: Start) -> Any:
        start_response("200 OK", [])(b"begun")
        use(session_of(environ))

    with pytest.raises(WrappedError):
        ask(SessionMiddleware(app, manager), HTTP_COOKIE=cookies)


@pytest.mark.parametrize("setting", ["TESTING", "DEBUG"])
def test_in_flask_where_errors_are_propagated(setting: str) -> None:
    app, store = flask.Flask("x"), Failing()
    app.config[setting] = True
    manager = sojourn_flask.install(app, store)
    app.add_url_rule("/", view_func=lambda: use(flask.session))
    client = app.test_client(use_cookies=False)
    headers = {"Cookie": seen(manager, store)}
    assert client.get("/", headers=headers).status_code == 503


async def async_seen(manager: AsyncManager, store: Failing) -> str:
    session = await manager.start({})
    session["n"] = 1
    header = cookie((await manager.release(session)).headers)
    store.down = {"read"}
    return header


async def async_use(session: Any) -> NoReturn:
    try:
        await session.load()
    except StoreError as error:
        raise WrappedError from error
    raise AssertionError("the store is not down")


async def test_in_asgi() -> None:
    store = Failing()
    manager = AsyncManager(store)
    headers = {"Cookie": await async_seen(manager, store)}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await async_use(scope["session"])

    transport = httpx.ASGITransport(AsgiMiddleware(app, manager, quiet=True))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        assert (await client.get("/", headers=headers)).status_code == 503


async def test_in_aiohttp() -> None:
    store = Failing()
    manager = AsyncManager(store)
    headers = {"Cookie": await async_seen(manager, store)}

    async def handler(request: web.Request) -> web.Response:
        await async_use(get_session(request))

    app = web.Application()
    app.router.add_get("/", handler)
    setup(app, manager, quiet=True)
    async with TestClient(TestServer(app)) as client:
        assert (await client.get("/", headers=headers)).status == 503
