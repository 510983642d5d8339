"""The probe in Pyramid."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from wsgiref.types import WSGIApplication

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound, HTTPNotModified
from pyramid.request import Request
from pyramid.response import Response

from sojourn import Manager, SessionReleased
from sojourn.web.pyramid import PyramidSession, SessionFactory
from tests.frameworks.probe import STAFF, Handled, Plan, do, put


def do_deed(request: Request) -> Any:
    return do(request.matchdict["deed"], request.session, request.params)


def slow_deed(request: Request) -> Any:
    request.session.get("x")
    time.sleep(float(request.params["seconds"]))
    return do_deed(request)


def staff_deed(request: Request) -> Any:
    return do(request.matchdict["deed"], request.staff_session, request.params)


def others(request: Request) -> list[str]:
    return sorted(info.id for info in request.sessions.sessions(request.params["user"]))


def end_others(request: Request) -> int:
    manager: Manager = request.sessions
    return manager.destroy_user(request.params["user"], keep=request.session.id)


def quiet(request: Request) -> Response:
    return Response("quiet", content_type="text/plain")


def stream(request: Request) -> Response:
    put(request.session, request.params)
    return Response(app_iter=parts(request.session), content_type="text/plain")


def parts(session: PyramidSession) -> Iterator[bytes]:
    yield b"one"
    yield b"two"
    try:
        session["late"] = "yes"
    except SessionReleased as error:
        yield type(error).__name__.encode()


def events(request: Request) -> Response:
    put(request.session, request.params)
    said = (f"data: {word}\n\n".encode() for word in ("one", "two"))
    return Response(app_iter=said, content_type="text/event-stream")


def fail(request: Request) -> Response:
    put(request.session, request.params)
    raise RuntimeError("nobody handles this")


def handled(request: Request) -> Response:
    put(request.session, request.params)
    raise Handled


def handle(_: Handled, request: Request) -> Response:
    request.session["handled"] = "yes"
    return Response(status=418)


def redirect(request: Request) -> Response:
    put(request.session, request.params)
    raise HTTPFound("/do/everything")


def not_modified(request: Request) -> Response:
    request.session.get("x")
    return HTTPNotModified()


def cached(request: Request) -> Response:
    request.session.get("x")
    return Response(json_body="cached", vary="Accept", cache_control="public")


JSON = {"/do/{deed}": do_deed, "/slow/{deed}": slow_deed, "/staff/{deed}": staff_deed}
JSON |= {"/others": others, "/end-others": end_others}
PAGES = {
    "/quiet": quiet,
    "/stream": stream,
    "/events": events,
    "/raise": fail,
    "/handled": handled,
    "/redirect": redirect,
    "/not-modified": not_modified,
    "/cached": cached,
}


def make(plan: Plan) -> WSGIApplication:
    manager, staff = plan.manager(), plan.manager(**STAFF)
    with Configurator() as config:
        config.set_session_factory(SessionFactory(manager))
        config.add_request_method(SessionFactory(staff), "staff_session", reify=True)
        config.add_request_method(lambda _: manager, "sessions", property=True)
        for path, view in (JSON | PAGES).items():
            config.add_route(path, path)
            config.add_view(view, route_name=path, renderer="json" if path in JSON else None)
        config.add_exception_view(handle, context=Handled)
    app: WSGIApplication = config.make_wsgi_app()
    return app
