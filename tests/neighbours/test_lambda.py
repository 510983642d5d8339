"""AWS Lambda, whose events aws-wsgi hands to a WSGI application and Mangum to an ASGI one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import awsgi
import pytest
from flask import Flask
from mangum import Mangum
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sojourn import AsyncManager
from sojourn.providers.base import Provider
from sojourn.providers.file import FileProvider
from sojourn.providers.memory import MemoryProvider
from sojourn.web.asgi import SessionMiddleware
from sojourn.web.flask import install, session

HEADERS = {"Host": "example.org", "X-Forwarded-Proto": "https"}
ENDED = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax"


@pytest.fixture(params=[FileProvider, MemoryProvider])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Provider:
    provider: Provider = request.param(*[tmp_path] * (request.param is FileProvider))
    return provider


@pytest.fixture
def _loop() -> Iterator[None]:
    """The event loop of a function's process, which Mangum takes and never closes."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


def event(path: str, cookie: str) -> dict[str, Any]:
    """Return what API Gateway sends for a request (version 1.0 of its payload)."""
    return {
        "resource": path,
        "path": path,
        "httpMethod": "GET",
        "headers": {**HEADERS, **({"Cookie": cookie} if cookie else {})},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "requestContext": {"identity": {"sourceIp": "192.0.2.1"}},
        "body": None,
        "isBase64Encoded": False,
    }


def event_of_version_2(path: str, *cookies: str) -> dict[str, Any]:
    """Return what an HTTP API or a function's URL sends."""
    http = {"method": "GET", "path": path, "sourceIp": "192.0.2.1", "protocol": "HTTP/1.1"}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "cookies": list(cookies),
        "headers": {name.lower(): value for name, value in HEADERS.items()},
        "requestContext": {"http": http},
        "isBase64Encoded": False,
    }


def test_aws_wsgi_keeps_a_session_from_its_beginning_to_its_end(store: Provider) -> None:
    """It reads the headers before it reads the body, and of several cookies it keeps the last."""
    app = Flask(__name__)
    manager = install(app, store)

    @app.get("/count")
    def count() -> Any:
        session["n"] = session.get("n", 0) + 1
        response = app.make_response(str(session["n"]))
        response.set_cookie("theme", "dark")
        return response

    @app.get("/out")
    def out() -> str:
        session.logout()
        return "bye"

    def ask(path: str, cookie: str = "") -> tuple[str, str]:
        answer = awsgi.response(app, event(path, cookie), None)
        assert answer["statusCode"] == "200"
        return answer["body"], answer["headers"].get("Set-Cookie", "")

    said, sent = ask("/count")
    cookie, _, attributes = sent.partition("; ")
    assert (said, attributes) == ("1", "Path=/; HttpOnly; Secure; SameSite=Lax")
    assert ask("/count", cookie)[0] == "2"
    assert ask("/out", cookie) == ("bye", f"session=; Path=/; {ENDED}")
    assert ask("/count", cookie)[0] == "1"
    assert manager.active_count() == 1


@pytest.mark.usefixtures("_loop")
@pytest.mark.parametrize("make", [event, event_of_version_2])
def test_mangum_keeps_a_session_from_its_beginning_to_its_end(store: Provider, make: Any) -> None:
    """It begins and ends the lifespan of the application with each event."""

    async def count(request: Request) -> Response:
        request.session["n"] = request.session.get("n", 0) + 1
        response = PlainTextResponse(str(request.session["n"]))
        response.set_cookie("theme", "dark")
        return response

    async def out(request: Request) -> Response:
        request.session.logout()  # type: ignore[attr-defined]
        return PlainTextResponse("bye")

    site = Starlette(routes=[Route("/count", count), Route("/out", out)])
    handler = Mangum(SessionMiddleware(site, AsyncManager(store)))

    def ask(path: str, cookie: str = "") -> tuple[str, list[str]]:
        answer: dict[str, Any] = handler(make(path, cookie), cast("Any", None))
        assert answer["statusCode"] == 200
        cookies = answer.get("cookies") or answer["multiValueHeaders"].get("set-cookie", [])
        one = answer["headers"].get("set-cookie")
        return answer["body"], [
            each for each in [*cookies, one or ""] if each.startswith("session=")
        ]

    said, [sent] = ask("/count")
    cookie, _, attributes = sent.partition("; ")
    assert (said, attributes) == ("1", "Path=/; HttpOnly; Secure; SameSite=Lax")
    assert ask("/count", cookie) == ("2", [])
    assert ask("/out", cookie) == ("bye", [f"session=; Path=/; {ENDED}"])
    assert ask("/count", cookie)[0] == "1"
