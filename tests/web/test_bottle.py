"""Bottle under the WSGI middleware: what is particular about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bottle import Bottle, HTTPError, HTTPResponse, abort, redirect, request, response, static_file
from webtest import TestApp

from sojourn import Manager, Session, SessionReleased
from sojourn.web.wsgi import SessionMiddleware
from tests.web.pyramid_site import stored, visit
from tests.web.stores import cookie, values


@pytest.fixture
def manager() -> Manager:
    return Manager("memory")


def session() -> Session:
    found: Session = request.environ["sojourn.session"]
    return found


def count() -> str:
    session()["n"] = session().get("n", 0) + 1
    return str(session()["n"])


def site(page: Callable[[], Any], manager: Manager, *, catchall: bool = True) -> TestApp:
    """One page, and who asks it: a client that keeps the cookies."""
    app = Bottle()
    app.config["catchall"] = catchall
    app.route("/", callback=page)
    return TestApp(SessionMiddleware(app, manager), lint=True)


def redirected() -> str:
    count()
    redirect("/elsewhere")
    return "never sent"


def aborted() -> str:
    count()
    abort(403)
    return "never sent"


def returned() -> HTTPResponse:
    count()
    return HTTPResponse(status=304)


def file() -> HTTPResponse:
    count()
    return static_file(Path(__file__).name, root=str(Path(__file__).parent))


def nothing() -> None:
    count()


@pytest.mark.parametrize(
    ("page", "status"),
    [(count, 200), (redirected, 302), (aborted, 403), (returned, 304), (file, 200), (nothing, 200)],
)
def test_every_response_carries_the_cookie(
    manager: Manager, page: Callable[[], Any], status: int
) -> None:
    """Also those that Bottle raises, and that are no `bottle.response`."""
    answer = site(page, manager).get("/", expect_errors=True)
    assert answer.status_int == status
    assert stored(manager, cookie(answer.headerlist)) == {"n": 1}


def test_bottles_own_cookies_stay(manager: Manager) -> None:
    def page() -> str:
        response.set_cookie("theme", "dark")
        response.add_header("Vary", "Accept")
        return count()

    answer = site(page, manager).get("/")
    names = {line.partition("=")[0] for line in values(answer.headerlist, "Set-Cookie")}
    assert names == {"theme", "session"}
    assert values(answer.headerlist, "Vary") == ["Accept, Cookie"]


def broken() -> str:
    count()
    raise LookupError("broken")


def test_bottle_makes_a_page_of_an_error_and_a_page_saves(manager: Manager) -> None:
    answer = site(broken, manager).get("/", expect_errors=True)
    assert answer.status_int == 500
    assert stored(manager, cookie(answer.headerlist)) == {"n": 1}


def test_an_error_that_bottle_lets_through_saves_nothing(manager: Manager) -> None:
    with pytest.raises(LookupError):
        site(broken, manager, catchall=False).get("/")
    assert manager.active_count() == 0


def test_an_error_page_may_use_the_session(manager: Manager) -> None:
    app = Bottle()

    def sorry(_: HTTPError) -> str:
        return f"sorry, {session().get('name')}"

    app.error_handler[404] = sorry
    visitor = visit(manager, name="ada")
    client = TestApp(SessionMiddleware(app, manager), lint=True)
    answer = client.get("/", headers={"Cookie": visitor}, expect_errors=True)
    assert answer.text == "sorry, ada"


def test_a_stream_makes_its_changes_before_its_first_part(manager: Manager) -> None:
    """Bottle runs a generator up to its first part before it starts the response."""

    def page() -> Iterator[str]:
        count()
        yield ""
        yield "one"
        with pytest.raises(SessionReleased):
            session()["n"] = 2
        yield "two"

    answer = site(page, manager).get("/")
    assert answer.text == "onetwo"
    assert stored(manager, cookie(answer.headerlist)) == {"n": 1}


def test_a_mounted_application_has_the_session(manager: Manager) -> None:
    inner, outer = Bottle(), Bottle()
    inner.route("/", callback=count)
    outer.mount("/inner/", inner)
    client = TestApp(SessionMiddleware(outer, manager), lint=True)
    assert [client.get("/inner/").text for _ in range(3)] == ["1", "2", "3"]
