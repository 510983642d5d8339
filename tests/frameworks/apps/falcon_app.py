"""The probe in Falcon."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from urllib.parse import parse_qsl
from wsgiref.types import WSGIApplication

import falcon
from falcon import App, Request, Response

from sojourn import Manager, Session, SessionReleased
from sojourn.web.wsgi import SessionMiddleware
from tests.frameworks.probe import STAFF, Handled, Plan, Query, do, put


def session(req: Request, key: str = "sojourn.session") -> Session:
    found: Session = req.env[key]
    return found


def query(req: Request) -> Query:
    return dict(parse_qsl(req.query_string))


class Deeds:
    def on_get(self, req: Request, resp: Response, deed: str) -> None:
        resp.text = json.dumps(do(deed, session(req), query(req)))

    on_head = on_get

    def on_get_slow(self, req: Request, resp: Response, deed: str) -> None:
        session(req).get("x")
        time.sleep(req.get_param_as_float("seconds", required=True))
        resp.text = json.dumps(do(deed, session(req), query(req)))

    def on_get_staff(self, req: Request, resp: Response, deed: str) -> None:
        resp.text = json.dumps(do(deed, session(req, "staff"), query(req)))


class Others:
    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    def on_get(self, req: Request, resp: Response) -> None:
        user = req.get_param("user", required=True)
        resp.text = json.dumps(sorted(info.id for info in self._manager.sessions(user)))

    def on_get_end(self, req: Request, resp: Response) -> None:
        user = req.get_param("user", required=True)
        resp.text = json.dumps(self._manager.destroy_user(user, keep=session(req).id))


class Answers:
    """The routes that are about responses."""

    def on_get_quiet(self, req: Request, resp: Response) -> None:
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = "quiet"

    def on_get_stream(self, req: Request, resp: Response) -> None:
        put(session(req), query(req))
        resp.content_type = falcon.MEDIA_TEXT
        resp.stream = parts(session(req))

    def on_get_events(self, req: Request, resp: Response) -> None:
        put(session(req), query(req))
        resp.content_type = "text/event-stream"
        resp.stream = (f"data: {word}\n\n".encode() for word in ("one", "two"))

    def on_get_raise(self, req: Request, resp: Response) -> None:
        put(session(req), query(req))
        raise RuntimeError("nobody handles this")

    def on_get_handled(self, req: Request, resp: Response) -> None:
        put(session(req), query(req))
        raise Handled

    def on_get_redirect(self, req: Request, resp: Response) -> None:
        put(session(req), query(req))
        raise falcon.HTTPFound("/do/everything")

    def on_get_not_modified(self, req: Request, resp: Response) -> None:
        session(req).get("x")
        resp.status = falcon.HTTP_304

    def on_get_cached(self, req: Request, resp: Response) -> None:
        session(req).get("x")
        resp.vary = ["Accept"]
        resp.cache_control = ["public"]
        resp.text = json.dumps("cached")


def parts(current: Session) -> Iterator[bytes]:
    yield b"one"
    yield b"two"
    try:
        current["late"] = "yes"
    except SessionReleased as error:
        yield type(error).__name__.encode()


def handle(req: Request, resp: Response, error: Handled, params: dict[str, str]) -> None:
    session(req)["handled"] = "yes"
    resp.status = falcon.HTTP_418


def make(plan: Plan) -> WSGIApplication:
    app, manager = App(), plan.manager()
    deeds, others, answers = Deeds(), Others(manager), Answers()
    app.add_route("/do/{deed}", deeds)
    app.add_route("/slow/{deed}", deeds, suffix="slow")
    app.add_route("/staff/{deed}", deeds, suffix="staff")
    app.add_route("/others", others)
    app.add_route("/end-others", others, suffix="end")
    names = ("quiet", "stream", "events", "raise", "handled", "redirect", "not-modified", "cached")
    for name in names:
        app.add_route(f"/{name}", answers, suffix=name.replace("-", "_"))
    app.add_error_handler(Handled, handle)
    staff = SessionMiddleware(app, plan.manager(**STAFF), key="staff")
    return SessionMiddleware(staff, manager)
