"""Falcon under the WSGI middleware: what is particular about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import falcon
import pytest
from falcon import App, Request, Response
from falcon.testing import TestClient

from sojourn import EncodeError, Manager, Session, SessionReleased
from sojourn.web.wsgi import SessionMiddleware
from tests.web.pyramid_site import stored
from tests.web.stores import Failing

Responder = Callable[[Request, Response], None]


@pytest.fixture
def manager() -> Manager:
    return Manager("memory")


def session(req: Request) -> Session:
    found: Session = req.env["sojourn.session"]
    return found


def count(req: Request, resp: Response) -> None:
    session(req)["n"] = session(req).get("n", 0) + 1
    resp.media = session(req)["n"]


def site(responder: Responder, manager: Manager, *components: Any) -> TestClient:
    """One page, and who asks it."""
    app = App(middleware=components)
    app.add_route("/", type("Page", (), {"on_get": staticmethod(responder)})())
    return TestClient(SessionMiddleware(app, manager))


def redirected(req: Request, resp: Response) -> NoReturn:
    count(req, resp)
    raise falcon.HTTPFound("/elsewhere")


def refused(req: Request, resp: Response) -> NoReturn:
    count(req, resp)
    raise falcon.HTTPForbidden


def not_modified(req: Request, resp: Response) -> None:
    session(req)["n"] = 1
    resp.status = falcon.HTTP_304


def with_a_cookie(req: Request, resp: Response) -> None:
    count(req, resp)
    resp.set_cookie("theme", "dark")
    resp.append_header("Vary", "Accept")


@pytest.mark.parametrize(
    ("responder", "status"),
    [(count, 200), (redirected, 302), (refused, 403), (not_modified, 304), (with_a_cookie, 200)],
)
def test_every_response_carries_the_cookie(
    manager: Manager, responder: Responder, status: int
) -> None:
    answer = site(responder, manager).simulate_get("/")
    assert answer.status_code == status
    assert answer.cookies.keys() >= {"session"}
    assert stored(manager, f"session={answer.cookies['session'].value}") == {"n": 1}


def test_falcons_own_headers_stay(manager: Manager) -> None:
    answer = site(with_a_cookie, manager).simulate_get("/")
    assert answer.cookies.keys() == {"theme", "session"}
    assert answer.headers["Vary"] == "Accept, Cookie"
    assert answer.headers["Cache-Control"] == "no-store, private"


def test_falcon_makes_a_page_of_an_error_and_a_page_saves(manager: Manager) -> None:
    def broken(req: Request, resp: Response) -> NoReturn:
        count(req, resp)
        raise LookupError("broken")

    answer = site(broken, manager).simulate_get("/")
    assert answer.status_code == 500
    assert stored(manager, f"session={answer.cookies['session'].value}") == {"n": 1}


def test_a_component_may_change_the_session_after_the_responder(manager: Manager) -> None:
    class Component:
        def process_response(self, req: Request, resp: Response, _: object, ok: bool) -> None:
            session(req)["ok"] = ok

    answer = site(count, manager, Component()).simulate_get("/")
    assert stored(manager, f"session={answer.cookies['session'].value}") == {"n": 1, "ok": True}


def test_a_stream_makes_its_changes_before_its_first_part(manager: Manager) -> None:
    def stream(req: Request, resp: Response) -> None:
        def parts() -> Iterator[bytes]:
            yield b"one"
            with pytest.raises(SessionReleased):
                session(req)["n"] = 2
            yield b"two"

        count(req, resp)
        resp.media = None
        resp.stream = parts()

    answer = site(stream, manager).simulate_get("/")
    assert answer.text == "onetwo"
    assert stored(manager, f"session={answer.cookies['session'].value}") == {"n": 1}


def test_what_cannot_be_stored_goes_to_the_server(manager: Manager) -> None:
    def unstorable(req: Request, resp: Response) -> None:
        session(req)["list"] = []
        session(req)["list"].append(object())

    with pytest.raises(EncodeError, match="list"):
        site(unstorable, manager).simulate_get("/")
    assert manager.active_count() == 0


def test_an_outage_is_a_503_whatever_falcons_error_handlers_say() -> None:
    store = Failing()
    store.down = {"create"}
    answer = site(count, Manager(store)).simulate_get("/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "session" not in answer.cookies
