"""What docs/pyramid.md and docs/bottle-falcon.md show works when it is put into an application."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pyramid.authentication import SessionAuthenticationHelper
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response
from webtest import TestApp

from sojourn import Manager, StoreUnavailable
from sojourn.web.pyramid import SessionFactory
from tests.architecture import pages
from tests.web.pyramid_site import ask, count, site
from tests.web.stores import cookie, values

ROUTES = {
    "/cart": "add_to_cart",
    "/login": "login",
    "/logout": "logout",
    "/end/{id}": "end_one",
    "/end-others": "end_all_others",
    "/report": "report",
}


def run(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What a page defines, in a folder of its own."""
    monkeypatch.chdir(folder)
    monkeypatch.delitem(sys.modules, "page", raising=False)
    pages.run(pages.ROOT / "docs" / name)
    return sys.modules["page"]


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return run("pyramid.md", tmp_path, monkeypatch)


def client_of(page: ModuleType, *includes: Any) -> TestApp:
    """A browser at an application with all views of the page."""
    with Configurator() as config:
        config.set_session_factory(SessionFactory(page.manager))
        config.set_security_policy(page.SecurityPolicy())
        config.include(page.includeme)
        config.include(page.include_staff)
        for path, view in ROUTES.items():
            config.add_route(path, path)
            config.add_view(getattr(page, view), route_name=path)
        config.add_route("sessions", "/sessions")
        config.add_view(page.list_sessions, route_name="sessions", renderer="json")
        for include in includes:
            config.include(include)
    return TestApp(config.make_wsgi_app(), lint=True)


def test_a_cart_and_a_sign_in(page: ModuleType) -> None:
    client = client_of(page)
    client.post("/cart", {"item": "pear"})
    client.post("/login", {"name": "ada"})
    stored = page.manager.start({"Cookie": f"session={client.cookies['session']}"})
    assert (stored["cart"], stored.user) == (["pear"], "ada")
    assert client.get("/report").text == "first, for ada"
    client.get("/logout")
    assert page.manager.active_count() == 0


def test_other_sessions_are_ended(page: ModuleType) -> None:
    here, there = client_of(page), client_of(page)
    for client in (here, there):
        client.post("/login", {"name": "ada"})
    listed = here.get("/sessions").json
    assert [about for _, about, _ in listed] == [{"device": "a browser"}] * 2
    [other] = [id for id, _, mine in listed if not mine]
    here.get(f"/end/{other}")
    assert there.get("/sessions").json == []
    there.post("/login", {"name": "ada"})
    here.get("/end-others")
    assert page.manager.active_count() == 1


def test_a_fault_in_a_view_is_answered_with_503(page: ModuleType) -> None:
    def fail(_: Request) -> Response:
        raise StoreUnavailable("down")

    def include(config: Configurator) -> None:
        config.add_route("fail", "/fail")
        config.add_view(fail, route_name="fail")

    answer = client_of(page, page.include_outage, include).get("/fail", status=503)
    assert answer.headers["Retry-After"] == "5"


def test_a_signed_cookie_is_carried_over_and_replaced(page: ModuleType) -> None:
    old, new = site(count, page.before), site(count, page.carry_over)
    before = cookie(ask(old).headerlist)
    first = ask(new, before)
    assert first.text == "2"
    [ours] = values(first.headerlist, "Set-Cookie")
    assert ours.startswith("session=")
    assert ask(new, ours.partition(";")[0]).text == "3"


def test_who_is_signed_in_stays_so(page: ModuleType) -> None:
    helper = SessionAuthenticationHelper()

    def sign_in(request: Request) -> Response:
        helper.remember(request, 7)
        return Response("signed in")

    def who(request: Request) -> Response:
        return Response(f"{helper.authenticated_userid(request)} {request.session.user}")

    visitor = cookie(ask(site(sign_in, page.before)).headerlist)
    new = site(who, page.carry_over)
    first = ask(new, visitor)
    assert first.text == "7 7"
    [ours] = values(first.headerlist, "Set-Cookie")
    assert ask(new, ours.partition(";")[0]).text == "7 7"
    assert [info.user for info in page.manager.sessions()] == ["7"]


def test_the_page_of_bottle_and_falcon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = run("bottle-falcon.md", tmp_path, monkeypatch)
    with Manager("memory").open({}) as session:
        page.sign_in(session, "ada", "a phone")
        assert session.user == "ada"
        page.sign_out(session)
        assert session.user is None
