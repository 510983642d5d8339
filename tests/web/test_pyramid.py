"""Pyramid: when a session is started and released, and what is saved when something goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from pyramid.config import Configurator
from pyramid.events import NewRequest, NewResponse
from pyramid.httpexceptions import HTTPForbidden, HTTPFound, HTTPNotModified
from pyramid.request import Request
from pyramid.response import Response

from sojourn import Manager, Session, SessionReleased
from sojourn.web.pyramid import SessionFactory
from tests.web.pyramid_site import View, ask, count, site, stored, visit
from tests.web.stores import MERGED, READS, Failing, Pairs, cookie, values


@pytest.fixture
def manager() -> Manager:
    return Manager("memory")


# -- responses --------------------------------------------------------------------------------


def test_a_visitor_is_known_again(manager: Manager) -> None:
    app = site(count, manager)
    first = ask(app)
    assert first.text == "1"
    assert values(first.headerlist, "Cache-Control") == ["no-store, private"]
    second = ask(app, cookie(first.headerlist))
    assert second.text == "2"
    assert values(second.headerlist, "Set-Cookie") == []
    assert values(second.headerlist, "Vary") == ["Cookie"]


def redirect(request: Request) -> Response:
    count(request)
    raise HTTPFound("/elsewhere")


def not_modified(request: Request) -> Response:
    count(request)
    return HTTPNotModified()


def forbidden(request: Request) -> Response:
    count(request)
    raise HTTPForbidden


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("view", "status"), [(count, 200), (redirect, 302), (not_modified, 304), (forbidden, 403)]
)
def test_every_response_carries_the_cookie(
    manager: Manager, view: View, status: int, method: str
) -> None:
    answer = ask(site(view, manager), method=method)
    assert answer.status_int == status
    assert stored(manager, cookie(answer.headerlist)) == {"n": 1}


@pytest.mark.parametrize(("theirs", "vary", "cache_control"), MERGED)
def test_our_headers_go_with_those_of_the_application(
    manager: Manager, theirs: Pairs, vary: list[str], cache_control: list[str]
) -> None:
    def view(request: Request) -> Response:
        response = count(request)
        response.headerlist = [*response.headerlist, *theirs]
        return response

    answer = ask(site(view, manager))
    assert values(answer.headerlist, "Vary") == vary
    assert values(answer.headerlist, "Cache-Control") == cache_control


@pytest.mark.parametrize(("read", "depends"), READS)
def test_who_only_reads_leaves_no_trace(
    manager: Manager, read: Callable[[Session], object], depends: bool
) -> None:
    def view(request: Request) -> Response:
        read(request.session)
        return Response("read")

    answer = ask(site(view, manager))
    assert values(answer.headerlist, "Vary") == (["Cookie"] if depends else [])
    assert values(answer.headerlist, "Set-Cookie") == []
    assert manager.active_count() == 0


def test_a_page_that_does_not_ask_for_the_session_asks_no_store() -> None:
    store = Failing()
    store.down = {"read"}
    app = site(lambda request: Response("quiet"), Manager(store))
    assert ask(app, "session=" + "A" * 43).text == "quiet"


def test_the_token_may_travel_in_a_header() -> None:
    app = site(count, Manager("memory", header_name="X-Session", enable_set_cookie=False))
    [token] = values(ask(app).headerlist, "X-Session")
    second = app.get("/", headers={"X-Session": token})
    assert second.text == "2"
    assert values(second.headerlist, "Vary") == ["X-Session"]


@pytest.mark.parametrize(
    ("url", "proxy", "secure"),
    [("/", "", False), ("https://localhost/", "", True), ("/", "https", True)],
)
def test_over_https_the_cookie_is_secure(
    manager: Manager, url: str, proxy: str, secure: bool
) -> None:
    answer = site(count, manager).get(url, headers={"X-Forwarded-Proto": proxy})
    [line] = values(answer.headerlist, "Set-Cookie")
    assert ("; Secure" in line) == secure


def test_two_managers_have_two_cookies(manager: Manager) -> None:
    staff = Manager("memory", cookie_name="staff")

    def view(request: Request) -> Response:
        request.staff_session["name"] = "staff"
        return count(request)

    def include(config: Configurator) -> None:
        config.add_request_method(SessionFactory(staff), "staff_session", reify=True)

    lines = values(ask(site(view, manager, include)).headerlist, "Set-Cookie")
    cookies = "; ".join(line.partition(";")[0] for line in lines)
    assert stored(manager, cookies) == {"n": 1}
    assert stored(staff, cookies) == {"name": "staff"}


# -- until when a change counts ---------------------------------------------------------------


def put(name: str) -> Callable[..., None]:
    """Something that is called with a request and a response, and changes the session."""

    def change(request: Request, _: object) -> None:
        request.session[name] = True

    return change


def tween_factory(handler: View, _: object) -> View:
    """Change the session when the response is there."""

    def tween(request: Request) -> Response:
        response = handler(request)
        put("tween")(request, response)
        return response

    return tween


def test_tweens_and_callbacks_come_before_the_release(manager: Manager) -> None:
    """Those callbacks too that were added when the session was started already."""

    def view(request: Request) -> Response:
        request.add_response_callback(put("before"))
        count(request)
        request.add_response_callback(put("after"))
        return Response("done")

    def include(config: Configurator) -> None:
        config.add_tween(f"{__name__}.tween_factory")

    answer = ask(site(view, manager, include))
    said = stored(manager, cookie(answer.headerlist))
    assert said == {"n": 1, "tween": True, "before": True, "after": True}


def test_a_callback_may_be_the_first_to_ask_for_the_session(manager: Manager) -> None:
    def view(request: Request) -> Response:
        request.add_response_callback(put("late"))
        return Response("done")

    answer = ask(site(view, manager))
    assert stored(manager, cookie(answer.headerlist)) == {"late": True}


def test_a_subscriber_to_the_response_comes_too_late(manager: Manager) -> None:
    def include(config: Configurator) -> None:
        config.add_subscriber(lambda event: put("late")(event.request, event), NewResponse)

    with pytest.raises(SessionReleased):
        ask(site(count, manager, include))


def test_the_body_comes_too_late(manager: Manager) -> None:
    def view(request: Request) -> Response:
        def parts() -> Iterator[bytes]:
            yield b"one"
            with pytest.raises(SessionReleased):
                request.session["n"] = 2
            yield b"two"

        count(request)
        return Response(app_iter=parts())

    answer = ask(site(view, manager))
    assert answer.body == b"onetwo"
    assert stored(manager, cookie(answer.headerlist)) == {"n": 1}


# -- who asks for the session when the response is complete -----------------------------------


def test_a_body_that_is_the_first_to_ask_can_read_and_not_change(manager: Manager) -> None:
    def view(request: Request) -> Response:
        def parts() -> Iterator[bytes]:
            yield str(request.session["n"]).encode()
            with pytest.raises(SessionReleased):
                request.session["n"] = 2

        return Response(app_iter=parts())

    visitor = visit(manager, n=1)
    assert ask(site(view, manager), visitor).body == b"1"
    assert stored(manager, visitor) == {"n": 1}


def finished(config: Configurator) -> None:
    config.add_subscriber(
        lambda event: event.request.add_finished_callback(lambda r: put("late")(r, None)),
        NewRequest,
    )


def completed(config: Configurator) -> None:
    config.add_subscriber(lambda event: put("late")(event.request, event), NewResponse)


def idle(request: Request) -> Response:
    return Response("done")


@pytest.mark.parametrize("include", [finished, completed])
def test_what_comes_after_the_response_is_stored_where_that_needs_no_cookie(
    include: Callable[[Configurator], None],
    manager: Manager,
    caplog: pytest.LogCaptureFixture,
) -> None:
    visitor = visit(manager, n=1)
    ask(site(idle, manager, include), visitor)
    assert stored(manager, visitor) == {"n": 1, "late": True}
    assert caplog.records == []
    ask(site(idle, manager, include))
    assert manager.active_count() == 1
    assert "Ask for it in the view" in caplog.text


def test_an_outage_after_the_response_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    store = Failing()
    manager = Manager(store)
    visitor = visit(manager, n=1)
    store.down.add("update")
    assert ask(site(idle, manager, completed), visitor).text == "done"
    assert "Ask for it in the view" in caplog.text


def test_an_error_saves_nothing_of_a_finished_callback(manager: Manager) -> None:
    def view(request: Request) -> Response:
        raise LookupError

    visitor = visit(manager, n=1)
    with pytest.raises(LookupError):
        ask(site(view, manager, finished), visitor)
    assert stored(manager, visitor) == {"n": 1}
