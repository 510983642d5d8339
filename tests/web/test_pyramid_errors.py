"""Pyramid: errors, outages, and what is wrong with how the sessions were set up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pyramid.config import Configurator
from pyramid.events import NewResponse
from pyramid.httpexceptions import HTTPFound, HTTPServiceUnavailable
from pyramid.interfaces import ISessionFactory
from pyramid.request import Request
from pyramid.response import Response
from pyramid.tweens import INGRESS
from zope.interface.verify import verifyObject

from sojourn import AsyncManager, ConfigError, EncodeError, Manager, Session, StoreError
from sojourn.web import _versions
from sojourn.web._headers import UNAVAILABLE
from sojourn.web.pyramid import SessionFactory
from tests.web.pyramid_site import View, ask, count, site, stored, visit
from tests.web.stores import FAULTS, Failing, cookie, values


@pytest.fixture
def manager() -> Manager:
    return Manager("memory")


# -- errors -----------------------------------------------------------------------------------

DEEDS: list[Callable[[Session], object]] = [
    lambda session: session.update(n=2),
    lambda session: session.login("ada"),
    lambda session: session.destroy(),
    lambda session: session.regenerate_id(),
]


@pytest.mark.parametrize("deed", DEEDS)
def test_an_error_that_nobody_handles_saves_nothing(
    manager: Manager, deed: Callable[[Session], object]
) -> None:
    def view(request: Request) -> Response:
        deed(request.session)
        raise LookupError("broken")

    visitor = visit(manager, n=1)
    with pytest.raises(LookupError):
        ask(site(view, manager), visitor)
    assert stored(manager, visitor) == {"n": 1}


def broken(request: Request) -> Response:
    count(request)
    raise LookupError("broken")


def test_an_exception_view_makes_a_response_which_saves(manager: Manager) -> None:
    def sorry(_: LookupError, request: Request) -> Response:
        request.session["sorry"] = True
        return Response("sorry", status=500)

    def include(config: Configurator) -> None:
        config.add_exception_view(sorry, context=LookupError)

    answer = ask(site(broken, manager, include))
    assert (answer.status_int, answer.text) == (500, "sorry")
    assert stored(manager, cookie(answer.headerlist)) == {"n": 1, "sorry": True}


def test_what_cannot_be_stored_is_an_error(manager: Manager) -> None:
    def view(request: Request) -> Response:
        request.session["n"] = 2
        request.session["list"].append(object())
        return Response("never sent")

    visitor = visit(manager, list=[])
    with pytest.raises(EncodeError, match="list"):
        ask(site(view, manager), visitor)
    assert stored(manager, visitor) == {"list": []}


# -- outages ----------------------------------------------------------------------------------


def is_unavailable(answer: Any) -> bool:
    return (
        answer.status_int == 503
        and answer.body == UNAVAILABLE
        and values(answer.headerlist, "Retry-After") == ["5"]
        and values(answer.headerlist, "Cache-Control") == ["no-store"]
        and values(answer.headerlist, "Content-Type") == ["text/plain; charset=utf-8"]
        and values(answer.headerlist, "Set-Cookie") == []
    )


class Parts:
    """A body that tells whether it was closed."""

    closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield b"never sent"

    def close(self) -> None:
        self.closed = True


def redirect(request: Request) -> Response:
    count(request)
    raise HTTPFound("/elsewhere")


def with_a_cookie(request: Request) -> Response:
    response = count(request)
    response.set_cookie("theme", "dark")
    response.etag = "abc"
    return response


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("verb", ["read", "update", "create"])
@pytest.mark.parametrize("view", [count, redirect, with_a_cookie])
def test_the_answer_is_503(
    view: View, verb: str, fault: type[StoreError], caplog: pytest.LogCaptureFixture
) -> None:
    store = Failing(fault)
    manager = Manager(store)
    visitor = "" if verb == "create" else visit(manager, n=1)
    store.down = {verb}
    app = site(view, manager)
    assert is_unavailable(ask(app, visitor))
    assert f"answered 503: no {verb} today" in caplog.text
    assert (ask(app, visitor, "HEAD").status_int, ask(app, visitor, "HEAD").body) == (503, b"")
    store.down.clear()
    assert ask(app, visitor).status_int in (200, 302)


def test_the_body_that_is_not_sent_is_closed() -> None:
    store, body = Failing(), Parts()
    store.down = {"create"}

    def view(request: Request) -> Response:
        count(request)
        return Response(app_iter=body)

    assert is_unavailable(ask(site(view, Manager(store))))
    assert body.closed


def test_a_view_for_exceptions_leaves_our_503_alone() -> None:
    """Pyramid's own view for its HTTP exceptions is nearer to it."""
    store = Failing()
    store.down = {"read"}

    def include(config: Configurator) -> None:
        config.add_exception_view(lambda request: Response("sorry"), context=Exception)

    assert is_unavailable(ask(site(count, Manager(store), include), "session=" + "A" * 43))


def test_an_application_may_have_a_page_of_its_own_for_an_outage() -> None:
    store = Failing()
    store.down = {"read"}

    def include(config: Configurator) -> None:
        config.add_exception_view(
            lambda request: Response("back soon", status=503), context=HTTPServiceUnavailable
        )

    answer = ask(site(count, Manager(store), include), "session=" + "A" * 43)
    assert (answer.status_int, answer.text) == (503, "back soon")


def test_a_page_for_an_outage_that_asks_for_the_session_fails_itself() -> None:
    store = Failing()
    store.down = {"read"}

    def include(config: Configurator) -> None:
        config.add_exception_view(count, context=HTTPServiceUnavailable)

    with pytest.raises(HTTPServiceUnavailable):
        ask(site(count, Manager(store), include), "session=" + "A" * 43)


def in_a_callback(request: Request) -> Response:
    request.add_response_callback(lambda request, _: count(request))
    return Response("never sent")


def in_a_subscriber(config: Configurator) -> None:
    config.add_subscriber(lambda event: count(event.request), NewResponse)


def counting(handler: View, registry: object) -> View:
    """A tween that asks before any exception view listens."""

    def tween(request: Request) -> Response:
        count(request)
        return handler(request)

    return tween


def in_a_tween(config: Configurator) -> None:
    config.add_tween(f"{__name__}.counting", under=INGRESS)


def answering(environ: Any, router: Any) -> Any:
    """The execution policy of docs/pyramid.md."""
    with router.request_context(environ) as request:
        try:
            return router.invoke_request(request)
        except HTTPServiceUnavailable as unavailable:
            return unavailable


def with_the_policy(config: Configurator) -> None:
    config.set_execution_policy(answering)


@pytest.mark.parametrize(
    ("view", "include"),
    [
        (in_a_callback, lambda config: None),
        (lambda request: Response("never sent"), in_a_subscriber),
        (lambda request: Response("never sent"), in_a_tween),
    ],
    ids=["callback", "subscriber", "tween"],
)
def test_where_no_exception_view_listens_an_execution_policy_answers_503(
    view: View, include: Callable[[Configurator], None]
) -> None:
    store = Failing()
    store.down = {"read"}
    manager, visitor = Manager(store), "session=" + "A" * 43
    with pytest.raises(HTTPServiceUnavailable):
        ask(site(view, manager, include), visitor)
    assert is_unavailable(ask(site(view, manager, include, with_the_policy), visitor))
    anonymous = Manager(store, on_outage="anonymous")
    assert ask(site(view, anonymous, include), visitor).status_int == 200


def test_the_request_may_go_on_without_a_store() -> None:
    store = Failing()
    store.down = {"read", "create", "update"}
    answer = ask(site(count, Manager(store, on_outage="anonymous")), "session=" + "A" * 43)
    assert (answer.status_int, answer.text) == (200, "1")
    assert values(answer.headerlist, "Set-Cookie") == []


# -- bad input --------------------------------------------------------------------------------


def test_the_factory_is_what_pyramid_takes_for_one(manager: Manager) -> None:
    assert verifyObject(ISessionFactory, SessionFactory(manager))


def test_an_async_manager_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs a Manager, not AsyncManager"):
        SessionFactory(AsyncManager("memory"))  # type: ignore[arg-type]


def test_an_old_pyramid_is_refused(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_versions, "version", lambda _: "1.10.8")
    with pytest.raises(ConfigError, match=r"pyramid 1\.10\.8 is too old"):
        SessionFactory(manager)
