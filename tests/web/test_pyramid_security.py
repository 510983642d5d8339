"""Pyramid: forged requests, and who it is."""

from __future__ import annotations

from typing import Any

import pytest
from pyramid.authentication import SessionAuthenticationHelper
from pyramid.config import Configurator
from pyramid.csrf import (
    LegacySessionCSRFStoragePolicy,
    SessionCSRFStoragePolicy,
    get_csrf_token,
    new_csrf_token,
)
from pyramid.httpexceptions import HTTPFound
from pyramid.request import Request
from pyramid.response import Response
from pyramid.security import forget, remember
from webtest import TestApp

from sojourn import Manager
from sojourn.web.pyramid import SessionFactory
from tests.web.pyramid_site import begin, end


@pytest.fixture
def manager() -> Manager:
    return Manager("memory")


# -- against forged requests ------------------------------------------------------------------


@pytest.mark.parametrize("policy", [SessionCSRFStoragePolicy, LegacySessionCSRFStoragePolicy])
def test_forged_requests_are_refused(manager: Manager, policy: Any) -> None:
    with Configurator() as config:
        config.set_session_factory(SessionFactory(manager))
        config.set_csrf_storage_policy(policy())
        config.set_default_csrf_options(require_csrf=True)
        config.add_route("page", "/")
        config.add_view(lambda request: Response(get_csrf_token(request)), route_name="page")
        config.add_route("renew", "/renew")
        config.add_view(lambda request: Response(new_csrf_token(request)), route_name="renew")
    app = TestApp(config.make_wsgi_app(), lint=True)
    token = app.get("/").text
    assert app.get("/").text == token
    assert app.post("/", {"csrf_token": token}).status_int == 200
    assert app.post("/", {"csrf_token": "forged"}, expect_errors=True).status_int == 400
    assert app.post("/", expect_errors=True).status_int == 400
    renewed = app.get("/renew").text
    assert renewed != token
    assert app.post("/", {"csrf_token": token}, expect_errors=True).status_int == 400
    assert app.post("/", headers={"X-CSRF-Token": renewed}).status_int == 200


def test_a_csrf_token_cannot_be_guessed_and_stays(manager: Manager) -> None:
    session = begin(manager)
    token = session.get_csrf_token()
    assert len(token) >= 32
    visitor = end(manager, session)
    session = begin(manager, visitor)
    assert session.get_csrf_token() == token
    assert not session.modified
    assert session.new_csrf_token() != token


# -- who it is --------------------------------------------------------------------------------


class Helped:
    """A security policy that keeps the user where Pyramid's helper does."""

    def __init__(self) -> None:
        self.helper = SessionAuthenticationHelper()

    def identity(self, request: Request) -> Any:
        return self.helper.authenticated_userid(request)

    authenticated_userid = identity

    def remember(self, request: Request, userid: str, **options: Any) -> Any:
        request.session.regenerate_id()
        return self.helper.remember(request, userid, **options)

    def forget(self, request: Request, **options: Any) -> Any:
        return self.helper.forget(request, **options)


class Signed:
    """A security policy on the words of Sojourn."""

    def identity(self, request: Request) -> str | None:
        user: str | None = request.session.user
        return user

    authenticated_userid = identity

    def remember(self, request: Request, userid: str, **_: Any) -> list[Any]:
        request.session.login(userid)
        return []

    def forget(self, request: Request, **_: Any) -> list[Any]:
        request.session.logout()
        return []


def sign_in(request: Request) -> Response:
    raise HTTPFound("/", headers=remember(request, "ada"))


def sign_out(request: Request) -> Response:
    raise HTTPFound("/", headers=forget(request))


@pytest.mark.parametrize("policy", [Helped, Signed])
def test_a_security_policy_knows_who_it_is(manager: Manager, policy: Any) -> None:
    with Configurator() as config:
        config.set_session_factory(SessionFactory(manager))
        config.set_security_policy(policy())
        for path, view in {
            "/": lambda request: Response(str(request.authenticated_userid)),
            "/in": sign_in,
            "/out": sign_out,
        }.items():
            config.add_route(path, path)
            config.add_view(view, route_name=path)
    app = TestApp(config.make_wsgi_app(), lint=True)
    assert app.get("/").text == "None"
    app.get("/in")
    before = app.cookies["session"]
    assert app.get("/").text == "ada"
    app.get("/in")
    assert app.cookies["session"] != before
    app.get("/out")
    assert app.get("/").text == "None"
    assert manager.active_count() == 0
