"""A site that fails while Sentry's SDK watches it, and what the SDK would have sent.

The SDK patches the frameworks for good, so this is a program.  Its arguments are a framework and,
as JSON, the ways to try: the name of each, the code that sets the SDK up, and the cookie's name.  It
prints, for each way, the token of the visitor and the envelopes.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import ModuleType
from typing import Any

import django
import sentry_sdk
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path
from flask import Flask, request
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from sojourn import AsyncManager
from sojourn.providers.memory import MemoryProvider
from sojourn.record import Record
from sojourn.web.asgi import SessionMiddleware
from sojourn.web.flask import install, session

ORIGIN = "https://shop.example"
log = logging.getLogger("shop")


class Collecting(Transport):
    """Keeps what another transport would send."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.sent.append(envelope.serialize().decode())


class Burning(MemoryProvider):
    """A store that can fail beneath Sojourn, so that Sojourn's own functions are on the stack."""

    burns = False

    def read(self, id: str) -> Record | None:
        if self.burns:
            raise RuntimeError("the disk is on fire")
        return super().read(id)


def flask_site(name: str) -> str:
    app, store = Flask(__name__), Burning()
    app.config["SESSION_COOKIE_NAME"] = name
    install(app, store)

    @app.post("/login")
    def login() -> str:
        session.login("ada")
        return ""

    @app.get("/fail")
    def fail() -> str:
        cookies, headers = request.cookies, dict(request.headers)
        log.warning("%s has %d cookies", session.id, len(cookies))
        raise ValueError(len(headers))

    client = app.test_client()
    client.post("/login", base_url=ORIGIN)
    client.set_cookie("theme", "dark", domain="shop.example")
    found = client.get_cookie(name, domain="shop.example")
    assert found is not None
    client.get("/fail", base_url=ORIGIN)
    store.burns = True
    with suppress(RuntimeError):
        client.get("/fail", base_url=ORIGIN)
    return found.value


def starlette_site(name: str) -> str:
    async def login(request: Request) -> Response:
        request.scope["session"].login("ada")
        return PlainTextResponse("")

    async def fail(request: Request) -> Response:
        cookies, headers = request.cookies, dict(request.headers)
        log.warning("%s has %d cookies", request.scope["session"].id, len(cookies))
        raise ValueError(len(headers))

    store = Burning()
    app = Starlette(routes=[Route("/login", login, methods=["POST"]), Route("/fail", fail)])
    app.add_middleware(SessionMiddleware, manager=AsyncManager(store, cookie_name=name))
    client = TestClient(app, base_url=ORIGIN, raise_server_exceptions=False)
    client.post("/login")
    client.cookies.set("theme", "dark")
    client.get("/fail")
    store.burns = True
    client.get("/fail")
    return str(client.cookies[name])


def django_site(name: str) -> str:
    def login(request: HttpRequest) -> HttpResponse:
        request.session.login("ada")  # type: ignore[attr-defined]  # Sojourn's own word
        return HttpResponse("")

    def fail(request: HttpRequest) -> HttpResponse:
        cookies, headers, meta = request.COOKIES, dict(request.headers), request.META
        log.warning("%s has %d cookies", request.session.session_key, len(cookies))
        raise ValueError(len(headers), len(meta))

    if not settings.configured:
        settings.configure(
            SECRET_KEY="of nobody",
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF="urls_of_the_site",
            INSTALLED_APPS=["sojourn.web.django"],
            MIDDLEWARE=["sojourn.web.django.SessionMiddleware"],
            SESSION_ENGINE="sojourn.web.django",
            SOJOURN={"provider": "memory"},
        )
        django.setup()
    urls: Any = ModuleType("urls_of_the_site")
    urls.urlpatterns = [path("login", login), path("fail", fail)]
    sys.modules["urls_of_the_site"] = urls
    store = Burning()
    with override_settings(SESSION_COOKIE_NAME=name, SOJOURN={"provider": store}):
        client = Client(raise_request_exception=False)
        client.post("/login", secure=True)
        client.cookies["theme"] = "dark"
        client.get("/fail", secure=True)
        store.burns = True
        client.get("/fail", secure=True)
        return client.cookies[name].value


SITES: dict[str, Callable[[str], str]] = {
    "flask": flask_site,
    "starlette": starlette_site,
    "django": django_site,
}


def watched(set_up: str, visit: Callable[[], str]) -> tuple[str, list[str]]:
    """The visitor's token, and what the SDK sends of the visit."""
    exec(set_up, {})
    transport = Collecting()
    sentry_sdk.get_client().transport = transport
    return visit(), transport.sent


def main(framework: str, ways: str) -> None:
    answers = {}
    for way, set_up, name in json.loads(ways):
        answers[way] = watched(set_up, partial(SITES[framework], name))
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
