"""The probe in Bottle."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from wsgiref.types import WSGIApplication

from bottle import Bottle, HTTPResponse, redirect, request, response

from sojourn import Manager, Session, SessionReleased
from sojourn.web.wsgi import SessionMiddleware
from tests.frameworks.probe import STAFF, Handled, Plan, do, put


def session(key: str = "sojourn.session") -> Session:
    found: Session = request.environ[key]
    return found


def sessions() -> Manager:
    manager: Manager = request.app.config["manager"]
    return manager


def said(result: Any) -> str:
    response.content_type = "application/json"
    return json.dumps(result)


def do_deed(deed: str) -> str:
    return said(do(deed, session(), request.query))


def slow_deed(deed: str) -> str:
    session().get("x")
    time.sleep(float(request.query["seconds"]))
    return do_deed(deed)


def staff_deed(deed: str) -> str:
    return said(do(deed, session("staff"), request.query))


def others() -> str:
    return said(sorted(info.id for info in sessions().sessions(request.query["user"])))


def end_others() -> str:
    return said(sessions().destroy_user(request.query["user"], keep=session().id))


def quiet() -> str:
    response.content_type = "text/plain"
    return "quiet"


def stream() -> Iterator[bytes]:
    put(session(), request.query)
    response.content_type = "text/plain"
    return parts(session())


def parts(current: Session) -> Iterator[bytes]:
    yield b"one"
    yield b"two"
    try:
        current["late"] = "yes"
    except SessionReleased as error:
        yield type(error).__name__.encode()


def events() -> Iterator[bytes]:
    put(session(), request.query)
    response.content_type = "text/event-stream"
    return (f"data: {word}\n\n".encode() for word in ("one", "two"))


def fail() -> str:
    put(session(), request.query)
    raise RuntimeError("nobody handles this")


def handled() -> str:
    put(session(), request.query)
    raise Handled


def handle(error: Any) -> str:
    """Bottle knows one handler for each status, not for each exception."""
    if isinstance(error.exception, Handled):
        session()["handled"] = "yes"
        response.status = 418
    return "an error"


def away() -> None:
    put(session(), request.query)
    redirect("/do/everything", 302)


def not_modified() -> HTTPResponse:
    session().get("x")
    return HTTPResponse(status=304)


def cached() -> str:
    session().get("x")
    response.set_header("Vary", "Accept")
    response.set_header("Cache-Control", "public")
    return said("cached")


PAGES = {
    "/do/<deed>": do_deed,
    "/slow/<deed>": slow_deed,
    "/staff/<deed>": staff_deed,
    "/others": others,
    "/end-others": end_others,
    "/quiet": quiet,
    "/stream": stream,
    "/events": events,
    "/raise": fail,
    "/handled": handled,
    "/redirect": away,
    "/not-modified": not_modified,
    "/cached": cached,
}


def make(plan: Plan) -> WSGIApplication:
    app, manager = Bottle(), plan.manager()
    app.config["manager"] = manager
    for path, page in PAGES.items():
        app.route(path, callback=page)
    app.error_handler[500] = handle
    staff = SessionMiddleware(app, plan.manager(**STAFF), key="staff")
    return SessionMiddleware(staff, manager)
