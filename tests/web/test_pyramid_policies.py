"""Pyramid's `remember` and `forget`, as the page prints the policies: the whole life of a sign-in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from pyramid.authentication import AuthTktCookieHelper, SessionAuthenticationHelper
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound
from pyramid.request import Request
from pyramid.response import Response
from pyramid.security import forget, remember
from webtest import TestApp

from sojourn import Manager
from sojourn.web.pyramid import SessionFactory
from tests.architecture import pages

HELPERS = {
    "none": None,
    "session": SessionAuthenticationHelper(),
    "ticket": AuthTktCookieHelper("the secret of the tickets", http_only=True),
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        patch.delitem(sys.modules, "page", raising=False)
        pages.run(pages.ROOT / "docs" / "pyramid.md")
        yield sys.modules["page"]


@pytest.fixture(params=HELPERS)
def policy(request: pytest.FixtureRequest, page: ModuleType) -> Any:
    if request.param == "none":
        return page.SecurityPolicy()
    policy = page.HelpedPolicy()
    policy.helper = HELPERS[request.param]
    return policy


@pytest.fixture
def manager() -> Manager:
    return Manager("memory")


def who(request: Request) -> Response:
    session = request.session
    return Response(repr((request.authenticated_userid, session.user, session.get("cart"))))


def cart(request: Request) -> Response:
    request.session["cart"] = ["tent"]
    return Response("put")


def sign_in(request: Request) -> Response:
    return HTTPFound("/", headers=remember(request, request.params["who"]))


def sign_out(request: Request) -> Response:
    raise HTTPFound("/", headers=forget(request))


def client_of(manager: Manager, policy: Any) -> TestApp:
    with Configurator() as config:
        config.set_session_factory(SessionFactory(manager))
        config.set_security_policy(policy)
        for path, view in {"/": who, "/cart": cart, "/in": sign_in, "/out": sign_out}.items():
            config.add_route(path, path)
            config.add_view(view, route_name=path)
    return TestApp(config.make_wsgi_app(), lint=True)


def said(client: TestApp) -> Any:
    return eval(client.get("/").text)


NOBODY = (None, None, None)


def test_a_sign_in_is_known_to_sojourn_and_renews_the_token(manager: Manager, policy: Any) -> None:
    client = client_of(manager, policy)
    client.get("/cart")
    before = client.cookies["session"]
    client.get("/in?who=ada")
    assert client.cookies["session"] != before
    assert said(client) == ("ada", "ada", ["tent"])
    assert [info.user for info in manager.sessions()] == ["ada"]
    client.get("/in?who=bob")
    assert said(client) == ("bob", "bob", None)
    assert [info.user for info in manager.sessions()] == ["bob"]


def test_a_sign_out_ends_the_session_and_what_the_helper_keeps(
    manager: Manager, policy: Any
) -> None:
    client = client_of(manager, policy)
    client.get("/in?who=ada")
    kept = dict(client.cookies)
    client.get("/out")
    assert said(client) == NOBODY
    assert manager.active_count() == 0
    assert not client.cookies.keys() & {"session", "auth_tkt"}
    for name, value in kept.items():
        client.set_cookie(name, value)
    assert said(client) == NOBODY


def test_a_user_is_signed_out_everywhere(manager: Manager, policy: Any) -> None:
    phone, laptop, bob = (client_of(manager, policy) for _ in range(3))
    for client, name in ((phone, "ada"), (laptop, "ada"), (bob, "bob")):
        client.get(f"/in?who={name}")
    assert manager.destroy_user("ada") == 2
    assert said(phone) == said(laptop) == NOBODY
    assert said(bob) == ("bob", "bob", None)


def test_an_attempt_to_sign_in_that_fails_stores_nothing(manager: Manager, policy: Any) -> None:
    client = client_of(manager, policy)
    with pytest.raises(KeyError):
        client.get("/in")
    assert said(client) == NOBODY
    assert manager.active_count() == 0
