"""`request.session` of Starlette: visitors, errors, an outage, and the application's life."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient

from sojourn import AsyncManager, ConfigError, Manager
from sojourn.providers.memory import MemoryProvider
from sojourn.testing import FakeClock
from sojourn.web._lifespan import App
from sojourn.web.asgi import SessionMiddleware
from tests.web.stores import Failing


def app_of(manager: AsyncManager, *routes: Route | WebSocketRoute, **options: Any) -> Starlette:
    """An application with the session middleware, and with a page that shows what is stored."""
    middleware = [Middleware(SessionMiddleware, manager=manager)]
    return Starlette(routes=[*routes, Route("/show", show)], middleware=middleware, **options)


async def show(request: Request) -> Response:
    return JSONResponse(dict(request.session))


async def put(request: Request) -> Response:
    request.session.setdefault("items", []).append("apple")
    return PlainTextResponse("put")


def test_a_visitor_is_known_again() -> None:
    client = TestClient(app_of(AsyncManager("memory"), Route("/put", put)))
    first = client.get("/put")
    assert (first.headers["vary"], first.headers["cache-control"]) == (
        "Cookie",
        "no-store, private",
    )
    assert "set-cookie" not in client.get("/put").headers
    assert client.get("/show").json() == {"items": ["apple", "apple"]}


def test_a_secure_cookie_comes_back_over_https_alone() -> None:
    manager = AsyncManager("memory", cookie_name="__Host-sid")
    for base, known in [("http://testserver", {}), ("https://testserver", {"items": ["apple"]})]:
        client = TestClient(app_of(manager, Route("/put", put)), base_url=base)
        assert "Secure" in client.get("/put").headers["set-cookie"]
        assert client.get("/show").json() == known


def test_a_test_may_sign_a_visitor_in() -> None:
    manager = AsyncManager("memory")

    async def sign_in() -> str:
        async with manager.open({}) as session:
            session.login("ada")
        assert session.released is not None
        return session.released.token or ""

    async def me(request: Request) -> Response:
        return PlainTextResponse(request.scope["session"].user)

    client = TestClient(app_of(manager, Route("/me", me)))
    client.cookies.set("session", asyncio.run(sign_in()))
    assert client.get("/me").text == "ada"


# -- errors -----------------------------------------------------------------------------------


async def put_and_raise(request: Request) -> Response:
    request.session["before"] = "the error"
    raise {"http": HTTPException(403), "own": LookupError()}.get(
        request.query_params["as"], OSError()
    )


async def handle(request: Request, _: Exception) -> Response:
    request.session["handled"] = "yes"
    return PlainTextResponse("handled", status_code=400)


@pytest.mark.parametrize(
    ("error", "status", "stored"),
    [
        ("http", 403, {"before": "the error"}),
        ("own", 400, {"before": "the error", "handled": "yes"}),
        ("other", 500, {}),
    ],
)
def test_what_is_handled_is_a_response_and_saves(
    error: str, status: int, stored: dict[str, str]
) -> None:
    route, handlers = Route("/", put_and_raise), {LookupError: handle}
    app = app_of(AsyncManager("memory"), route, exception_handlers=handlers)
    client = TestClient(app, raise_server_exceptions=False)
    assert client.get("/", params={"as": error}).status_code == status
    assert client.get("/show").json() == stored


async def say_sorry(request: Request, _: Exception) -> Response:
    known = "session" in request.scope
    return PlainTextResponse(f"sorry, session: {known}", status_code=500)


def test_a_handler_of_everything_stands_outside_of_all_middlewares() -> None:
    """Unless the session middleware goes around the whole application."""
    route, handlers = Route("/", put_and_raise), {Exception: say_sorry}
    manager = AsyncManager("memory")
    inside = app_of(manager, route, exception_handlers=handlers)
    around = Starlette(routes=[route, Route("/show", show)], exception_handlers=handlers)
    apps: list[tuple[App, bool]] = [(inside, False), (SessionMiddleware(around, manager), True)]
    for app, known in apps:
        client = TestClient(app, raise_server_exceptions=False)
        assert client.get("/?as=other").text == f"sorry, session: {known}"
        assert bool(client.get("/show").json()) is known  # a page is a response, and saves


@pytest.mark.parametrize("verb", ["read", "create"])
def test_an_outage_is_503(verb: str) -> None:
    store = Failing()
    client = TestClient(app_of(AsyncManager(store), Route("/put", put)))
    client.cookies.set("session", "A" * 43)
    store.down.add(verb)
    answer = client.get("/put")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


# -- the application's life -------------------------------------------------------------------


class Told(MemoryProvider):
    closed = False

    def close(self) -> None:
        self.closed = True
        super().close()


def test_the_manager_lives_as_long_as_the_application() -> None:
    clock, store = FakeClock(), Told()
    manager = AsyncManager(store, clock=clock, gc_interval=0.01)
    found: list[bool] = []

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        found.append(store.closed)

    with TestClient(app_of(manager, Route("/put", put), lifespan=lifespan)) as client:
        client.get("/put")
        assert len(list(store.find(None, 0))) == 1
        clock.advance(3601)
        client.portal.call(asyncio.sleep, 0.2) if client.portal else None
        assert list(store.find(None, 0)) == []
    assert (found, store.closed) == ([False], True)


def test_a_manager_for_wsgi_is_refused() -> None:
    app = Starlette()
    app.add_middleware(SessionMiddleware, manager=Manager("memory"))  # type: ignore[arg-type]
    with pytest.raises(
        ConfigError, match=r"needs an AsyncManager, not Manager.*sojourn\.web\.wsgi"
    ):
        TestClient(app).get("/")
