"""The session among other middlewares of Starlette, and in applications that are mounted."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware as SignedCookies
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from sojourn import AsyncManager, ConfigError
from sojourn.web.asgi import SessionMiddleware
from tests.web.stores import Failing


async def count(request: Request) -> Response:
    request.session["n"] = request.session.get("n", 0) + 1
    return PlainTextResponse(str(request.session["n"]) + " " * 1000)


async def show(request: Request) -> Response:
    return JSONResponse(dict(request.session))


ROUTES = [Route("/count", count), Route("/show", show)]


class Noting(BaseHTTPMiddleware):
    """Puts something before the endpoint, and something when its response has begun."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        request.session["before"] = "seen"
        response = await call_next(request)
        request.session["after"] = response.status_code
        return response


def sessions(manager: AsyncManager | None = None, **options: Any) -> Middleware:
    return Middleware(SessionMiddleware, manager=manager or AsyncManager("memory"), **options)


def test_a_middleware_inside_may_change_the_session_when_the_endpoint_is_done() -> None:
    client = TestClient(Starlette(routes=ROUTES, middleware=[sessions(), Middleware(Noting)]))
    client.get("/count")
    assert client.get("/show").json() == {"before": "seen", "n": 1, "after": 200}


def test_a_middleware_outside_has_no_session() -> None:
    found: list[bool] = []

    async def look(request: Request, call_next: RequestResponseEndpoint) -> Response:
        found.append("session" in request.scope)
        response = await call_next(request)
        found.append("session" in request.scope)
        return response

    outside = Middleware(BaseHTTPMiddleware, dispatch=look)
    client = TestClient(Starlette(routes=ROUTES, middleware=[outside, sessions()]))
    assert [client.get("/count").text.strip() for _ in range(2)] == ["1", "2"]
    assert found == [False] * 4


@pytest.mark.parametrize("order", ["outside", "inside"])
def test_the_headers_of_other_middlewares_stay(order: str) -> None:
    others = [
        Middleware(GZipMiddleware),
        Middleware(CORSMiddleware, allow_origins=["https://a.test"], allow_credentials=True),
    ]
    middleware = [*others, sessions()] if order == "outside" else [sessions(), *others]
    client = TestClient(Starlette(routes=ROUTES, middleware=middleware))
    answer = client.get("/count", headers={"Origin": "https://a.test"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["access-control-allow-origin"] == "https://a.test"
    vary = [name.strip() for name in answer.headers["vary"].split(",")]
    assert sorted(vary) == ["Accept-Encoding", "Cookie", "Origin"]
    assert client.get("/count").text.strip() == "2"


def test_an_outage_reaches_through_a_middleware_inside() -> None:
    store = Failing()
    middleware = [sessions(AsyncManager(store)), Middleware(Noting)]
    client = TestClient(Starlette(routes=ROUTES, middleware=middleware))
    store.down.add("create")
    assert client.get("/count").status_code == 503


# -- mounted applications ---------------------------------------------------------------------


def test_a_mounted_application_has_the_session_of_its_host() -> None:
    inner = Starlette(routes=ROUTES)
    client = TestClient(Starlette(routes=[*ROUTES, Mount("/in", inner)], middleware=[sessions()]))
    assert client.get("/count").text.strip() == "1"
    assert client.get("/in/count").text.strip() == "2"


def test_the_middleware_of_a_mount_reads_no_session_for_what_stands_beside_it() -> None:
    async def static(_: Request) -> Response:
        return PlainTextResponse("static")

    store = Failing()
    shop = Mount("/shop", routes=ROUTES, middleware=[sessions(AsyncManager(store))])
    client = TestClient(Starlette(routes=[Route("/static", static), shop]))
    client.get("/shop/count")
    store.down.add("read")
    assert [client.get(path).status_code for path in ("/static", "/shop/count")] == [200, 503]


def test_a_mounted_application_may_have_a_manager_of_its_own() -> None:
    async def staff(request: Request) -> Response:
        request.scope["staff"]["n"] = request.session["n"] + 10
        return JSONResponse(dict(request.scope["staff"]))

    manager = AsyncManager("memory", cookie_name="staff", cookie_path="/staff")
    own = sessions(manager, key="staff")
    inner = Starlette(routes=[Route("/", staff)], middleware=[own])
    routes = [*ROUTES, Mount("/staff", inner)]
    client = TestClient(Starlette(routes=routes, middleware=[sessions()]))
    client.get("/count")
    assert client.get("/staff/").json() == {"n": 11}
    assert client.get("/show").json() == {"n": 1}
    assert {(cookie.name, cookie.path) for cookie in client.cookies.jar} == {
        ("session", "/"),
        ("staff", "/staff"),
    }


def test_a_mounted_application_with_the_same_key_is_refused() -> None:
    inner = Starlette(routes=ROUTES, middleware=[sessions()])
    client = TestClient(Starlette(routes=[Mount("/in", inner)], middleware=[sessions()]))
    with pytest.raises(ConfigError, match="'session' already: the middleware is installed twice"):
        client.get("/in/count")


def test_starlettes_own_sessions_around_ours_are_refused() -> None:
    signed = Middleware(SignedCookies, secret_key="secret")
    client = TestClient(Starlette(routes=ROUTES, middleware=[signed, sessions()]))
    with pytest.raises(ConfigError, match="something stands under 'session' already"):
        client.get("/count")


def test_two_managers_live_as_long_as_the_application() -> None:
    managers = [AsyncManager("memory", cookie_name=name) for name in ("sid", "staff")]
    middleware = [sessions(managers[0]), sessions(managers[1], key="staff")]
    with TestClient(Starlette(routes=ROUTES, middleware=middleware)) as client:
        assert [manager._gc is not None for manager in managers] == [True, True]
        assert client.get("/count").text.strip() == "1"
    assert [manager._gc is None for manager in managers] == [True, True]
