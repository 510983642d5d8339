"""pyramid_retry: an attempt that is thrown away has done nothing to the session."""

from __future__ import annotations

from typing import Any

import pytest
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response
from pyramid_retry import RetryableException
from webtest import TestApp

from sojourn import Manager
from sojourn.providers.memory import MemoryProvider
from tests.web.pyramid_site import ask, count, site, stored, visit


def handled(config: Configurator) -> None:
    """An exception view, which answers every error."""

    def view(error: Exception, request: Request) -> Response:
        request.session["errors"] = request.session.get("errors", 0) + 1
        return Response("sorry", status=500)

    config.add_exception_view(view, context=Exception)


def retried(config: Configurator) -> None:
    config.add_settings({"retry.attempts": 3})
    config.include("pyramid_retry")


class Failing:
    """A view that fails the first times, as where the database has to break a deadlock."""

    def __init__(self, deed: Any, times: int) -> None:
        self.deed, self.left = deed, times

    def __call__(self, request: Request) -> Response:
        answer = self.deed(request)
        self.left -= 1
        if self.left >= 0:
            raise RetryableException
        return answer


def shop(deed: Any, manager: Manager, times: int, *includes: Any) -> TestApp:
    return site(Failing(deed, times), manager, retried, *includes)


def sign_in(request: Request) -> Response:
    request.session.login("ada")
    return Response("signed in")


@pytest.mark.parametrize("includes", [(), (handled,)], ids=["raised", "handled"])
def test_a_change_is_made_once(includes: Any) -> None:
    manager = Manager(MemoryProvider())
    visitor = visit(manager, n=5)
    assert ask(shop(count, manager, 2, *includes), visitor).text == "6"
    assert stored(manager, visitor) == {"n": 6}


@pytest.mark.parametrize("includes", [(), (handled,)], ids=["raised", "handled"])
def test_a_sign_in_keeps_the_cart_and_leaves_one_session(includes: Any) -> None:
    manager = Manager(MemoryProvider())
    visitor = visit(manager, cart=["pear"])
    ask(shop(sign_in, manager, 2, *includes), visitor)
    [info] = manager.sessions()
    assert info.user == "ada"
    with manager.open_id(info.id) as session:
        assert dict(session) == {"cart": ["pear"]}


def test_the_error_page_of_the_last_attempt_saves() -> None:
    """It is the answer, as that of an error which nobody tries again."""
    manager = Manager(MemoryProvider())
    visitor = visit(manager, n=5)
    assert ask(shop(count, manager, 9, handled), visitor).status_int == 500
    assert stored(manager, visitor) == {"n": 6, "errors": 1}
