"""A session in whose place the application puts something else."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware as SignedCookies
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from sojourn import AsyncManager
from sojourn.web.asgi import SessionMiddleware


async def put(request: Request) -> Response:
    request.session["n"] = 1
    return PlainTextResponse("")


async def replace(request: Request) -> Response:
    request.session["n"] = 1
    request.scope["session"] = {"secret": "payload"}
    return PlainTextResponse("")


async def take_away(request: Request) -> Response:
    del request.scope["session"]
    return PlainTextResponse("")


ROUTES = [Route("/put", put), Route("/replace", replace), Route("/away", take_away)]


def client_of(*inside: Middleware) -> TestClient:
    ours = Middleware(SessionMiddleware, manager=AsyncManager("memory"))
    return TestClient(Starlette(routes=ROUTES, middleware=[ours, *inside]))


@pytest.mark.parametrize("path", ["/replace", "/away"])
def test_what_takes_its_place_is_warned_of(path: str, caplog: pytest.LogCaptureFixture) -> None:
    assert client_of().get(path).status_code == 200
    [said] = [record for record in caplog.records if record.name == "sojourn"]
    assert said.levelname == "WARNING"
    assert "something else was put under 'session', and nothing stores it" in said.getMessage()
    assert "payload" not in said.getMessage()


def test_what_the_session_itself_holds_is_stored_all_the_same() -> None:
    client = client_of()
    client.get("/replace")
    assert "session" in client.cookies


def test_other_sessions_inside_of_ours_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """They hide ours, and their data stand in a cookie."""
    client_of(Middleware(SignedCookies, secret_key="key")).get("/put")
    assert "another make needs another key" in caplog.text


def test_a_session_that_stays_is_not_spoken_of(caplog: pytest.LogCaptureFixture) -> None:
    client_of().get("/put")
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []
