"""The probe without a framework: what WSGI alone gives."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import parse_qsl
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sojourn import Manager, Session, SessionReleased
from sojourn.web.wsgi import SessionMiddleware
from tests.frameworks.probe import STAFF, Handled, Plan, Query, do, put

Headers = list[tuple[str, str]]
Reply = tuple[str, Headers, Iterable[bytes]]
Page = Callable[[Session, Query], Reply]

OK = "200 OK"
PLAIN = [("Content-Type", "text/plain")]


def answer(result: object) -> Reply:
    return OK, [("Content-Type", "application/json")], [json.dumps(result).encode()]


def text(words: str) -> Reply:
    return OK, PLAIN, [words.encode()]


def stream(session: Session, query: Query) -> Reply:
    put(session, query)
    return OK, PLAIN, parts(session)


def parts(session: Session) -> Iterator[bytes]:
    yield b"one"
    yield b"two"
    try:
        session["late"] = "yes"
    except SessionReleased as error:
        yield type(error).__name__.encode()


def events(session: Session, query: Query) -> Reply:
    put(session, query)
    said = (f"data: {word}\n\n".encode() for word in ("one", "two"))
    return OK, [("Content-Type", "text/event-stream")], said


def fail(session: Session, query: Query) -> Reply:
    put(session, query)
    raise RuntimeError("nobody handles this")


def handled(session: Session, query: Query) -> Reply:
    put(session, query)
    raise Handled


def redirect(session: Session, query: Query) -> Reply:
    put(session, query)
    return "302 Found", [*PLAIN, ("Location", "/do/everything")], []


def not_modified(session: Session, query: Query) -> Reply:
    session.get("x")
    return "304 Not Modified", [], []


def cached(session: Session, query: Query) -> Reply:
    session.get("x")
    status, headers, body = answer("cached")
    return status, [*headers, ("Vary", "Accept"), ("Cache-Control", "public")], body


class Probe:
    """The application behind both middlewares."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._pages: dict[str, Page] = {
            "/quiet": lambda session, query: text("quiet"),
            "/stream": stream,
            "/events": events,
            "/raise": fail,
            "/handled": handled,
            "/redirect": redirect,
            "/not-modified": not_modified,
            "/cached": cached,
            "/others": self.others,
            "/end-others": self.end_others,
        }

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        session = environ["sojourn.session"]
        try:
            status, headers, body = self.reply(environ, dict(parse_qsl(environ["QUERY_STRING"])))
        except Handled:
            session["handled"] = "yes"
            status, headers, body = "418 I'm a teapot", PLAIN, [b"handled"]
        start(status, list(headers))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else body

    def reply(self, environ: WSGIEnvironment, query: Query) -> Reply:
        session = environ["sojourn.session"]
        match environ["PATH_INFO"].split("/")[1:]:
            case ["do", deed]:
                return answer(do(deed, session, query))
            case ["slow", deed]:
                session.get("x")
                time.sleep(float(query["seconds"]))
                return answer(do(deed, session, query))
            case ["staff", deed]:
                return answer(do(deed, environ["staff"], query))
        return self._pages[environ["PATH_INFO"]](session, query)

    def others(self, session: Session, query: Query) -> Reply:
        return answer(sorted(info.id for info in self._manager.sessions(query["user"])))

    def end_others(self, session: Session, query: Query) -> Reply:
        return answer(self._manager.destroy_user(query["user"], keep=session.id))


def make(plan: Plan) -> WSGIApplication:
    manager = plan.manager()
    app = SessionMiddleware(Probe(manager), plan.manager(**STAFF), key="staff")
    return SessionMiddleware(app, manager)
