"""A Pyramid application of one page, and somebody who asks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response
from webtest import TestApp

from sojourn import Manager, Session
from sojourn.web.pyramid import PyramidSession, SessionFactory
from tests.web.stores import cookie

View = Callable[[Request], Any]
Factory = Callable[[Request], Any]


def site(
    view: View, sessions: Manager | Factory, *includes: Callable[[Configurator], object]
) -> TestApp:
    """One page, and who asks it: a client that keeps no cookies."""
    with Configurator() as config:
        factory = SessionFactory(sessions) if isinstance(sessions, Manager) else sessions
        config.set_session_factory(factory)
        config.add_route("page", "/")
        config.add_view(view, route_name="page")
        for include in includes:
            config.include(include)
    return TestApp(config.make_wsgi_app(), lint=True)


def ask(app: TestApp, visitor: str = "", method: str = "GET", **options: Any) -> Any:
    """One request, whatever its answer."""
    app.reset()
    headers = {"Cookie": visitor} if visitor else {}
    return app.request("/", method=method, headers=headers, expect_errors=True, **options)


def visit(manager: Manager, **data: Any) -> str:
    with manager.open({}) as session:
        session.update(data)
    assert session.released is not None
    return cookie(session.released.headers)


def stored(manager: Manager, visitor: str) -> dict[Any, Any]:
    return dict(manager.start({"Cookie": visitor}))


def count(request: Request) -> Response:
    request.session["n"] = request.session.get("n", 0) + 1
    return Response(str(request.session["n"]))


def begin(manager: Manager, visitor: str = "") -> PyramidSession:
    """The session of a request, without one."""
    return PyramidSession.adopt(manager.start({"Cookie": visitor}))


def end(manager: Manager, session: Session, visitor: str = "") -> str:
    """The cookie that the visitor has then."""
    headers = manager.release(session).headers
    return cookie(headers) if "Set-Cookie" in dict(headers) else visitor
