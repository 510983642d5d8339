"""A small shop with Sojourn: fill a basket from several tabs, sign in, list and end sessions.

Each request is answered by one method of `Shop`, which uses the session like a dict.
`SessionMiddleware` loads the session before, and stores its changes before the first byte of the
response is sent.  A GET changes nothing; a POST redirects, so that a reload does not repeat it.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl

from examples.demo import pages
from sojourn import Manager, Session
from sojourn.web.wsgi import SessionMiddleware

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PASSWORD = "wander"  # the sign-in page shows it, as this is a demo
LINGER = 2.0  # seconds that a request takes if the visitor asks for a slow one
REMEMBERED = 30 * 86_400  # seconds
LONGEST_FORM = 10_000  # bytes
FILES = {"/style.css": "text/css", "/icons.svg": "image/svg+xml"}
MANNERS = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),  # so that the back button shows no basket after a sign-out
    ("Content-Security-Policy", "default-src 'self'; form-action 'self'; frame-ancestors 'none'"),
]

Answer = tuple[HTTPStatus, str]
"""The status and the page; for status 303, the location of the redirect instead of a page."""


class Request(NamedTuple):
    """The parts of a request that the methods of the shop use."""

    session: Session
    form: dict[str, str]
    environ: WSGIEnvironment


class Shop:
    """The WSGI application inside the session middleware."""

    def __init__(self, manager: Manager, where: str) -> None:
        self._manager = manager
        self._where = where
        self._routes: dict[str, Callable[[Request], Answer]] = {
            "GET /": self._show,
            "POST /basket/add": self._add,
            "POST /basket/empty": self._empty,
            "GET /sign-in": self._ask,
            "POST /sign-in": self._sign_in,
            "POST /sign-out": self._sign_out,
            "GET /sessions": self._list,
            "POST /sessions/end": self._end,
            "POST /sessions/end-others": self._end_others,
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        status, text = self._answer(environ)
        moved = [("Location", text)] if status is HTTPStatus.SEE_OTHER else []
        start_response(f"{status.value} {status.phrase}", [*MANNERS, *moved])
        return [b"" if moved else text.encode()]

    def _answer(self, environ: WSGIEnvironment) -> Answer:
        session, method = environ["sojourn.session"], environ["REQUEST_METHOD"]
        answer = self._routes.get(f"{method} {environ['PATH_INFO']}")
        text = _body(environ) if method == "POST" else environ["QUERY_STRING"]
        if answer is None:
            return HTTPStatus.NOT_FOUND, pages.sorry(session, "There is no such page.")
        if method == "POST" and not is_from_here(environ):
            words = "This form was sent by another site, so nothing was done."
            return HTTPStatus.FORBIDDEN, pages.sorry(session, words)
        return answer(Request(session, dict(parse_qsl(text)), environ))

    def _show(self, request: Request) -> Answer:
        page = pages.shop(request.session, slowly="slowly" in request.form, where=self._where)
        return HTTPStatus.OK, page

    def _add(self, request: Request) -> Answer:
        if request.form.get("article") in pages.GOODS:
            request.session.setdefault("basket", []).append(request.form["article"])
        if "slowly" not in request.form:
            return _go_to("/")
        time.sleep(LINGER)  # other tabs overlap: the session is loaded already, and stored later
        return _go_to("/?slowly=on")

    def _empty(self, request: Request) -> Answer:
        request.session.pop("basket", None)
        return _go_to("/")

    def _ask(self, request: Request) -> Answer:
        return HTTPStatus.OK, pages.sign_in(request.session, PASSWORD)

    def _sign_in(self, request: Request) -> Answer:
        name, password = request.form.get("name", "").strip(), request.form.get("password", "")
        known = hmac.compare_digest(password.encode(), PASSWORD.encode())
        if not (known and 0 < len(name) <= 40 and name.isprintable()):
            page = pages.sign_in(request.session, PASSWORD, name, failed=True)
            return HTTPStatus.UNPROCESSABLE_ENTITY, page
        remember = REMEMBERED if "remember" in request.form else None
        request.session.login(name, about=whence(request.environ), remember=remember)
        return _go_to("/")

    def _sign_out(self, request: Request) -> Answer:
        request.session.logout()
        return _go_to("/")

    def _list(self, request: Request) -> Answer:
        user = request.session.user
        if user is None:
            return _go_to("/sign-in")
        return HTTPStatus.OK, pages.sessions(request.session, self._manager.sessions(user))

    def _end(self, request: Request) -> Answer:
        user, id = request.session.user, request.form.get("id", "")
        if id == request.session.id:
            return self._sign_out(request)
        self._manager.destroy(
            id, user=user
        )  # `user` matters: the id may be forged, and name a session of another user
        return _go_to("/sessions")

    def _end_others(self, request: Request) -> Answer:
        if request.session.user is not None:
            self._manager.destroy_user(request.session.user, keep=request.session.id)
        return _go_to("/sessions")


def application(manager: Manager, where: str) -> WSGIApplication:
    """Return the whole application; requests for static files start no session.

    where: a description of the place where the sessions are kept, for the page.
    """
    shop: WSGIApplication = SessionMiddleware(Shop(manager, where), manager)

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path not in FILES:
            return shop(environ, start_response)
        start_response("200 OK", [("Content-Type", FILES[path]), ("Cache-Control", "no-cache")])
        return [Path(__file__).with_name("static").joinpath(path[1:]).read_bytes()]

    return serve


def is_from_here(environ: WSGIEnvironment) -> bool:
    """Return whether a page of this shop sent the form, not another site (CSRF).

    A secret in each form would have to be kept in a session, so each visitor who only reads would
    cost a record and a cookie.  Browsers send the origin of a form in a header that pages cannot
    forge (OWASP CSRF cheat sheet, Fetch Metadata).  SameSite=Lax alone would accept forms from
    other ports of this machine, which a browser considers to be the same site.
    """
    here = f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST')}"
    by_origin = (
        environ.get("HTTP_ORIGIN") == here
    )  # for browsers before 2023, which do not send Sec-Fetch-Site
    return bool(
        environ.get("HTTP_SEC_FETCH_SITE", "same-origin" if by_origin else "") == "same-origin"
    )


def whence(environ: WSGIEnvironment) -> dict[str, str]:
    """Return address and device of the client, for a list; the device can be forged."""
    agent = environ.get("HTTP_USER_AGENT", "")
    browsers, systems = "Firefox Chrome Safari", "Windows iPhone iPad Android Mac Linux"
    browser = next((name for name in browsers.split() if name in agent), "A browser")
    system = next((name for name in systems.split() if name in agent), "some system")
    return {"address": environ["REMOTE_ADDR"], "device": f"{browser} on {system}"}


def _body(environ: WSGIEnvironment) -> str:
    told = environ.get("CONTENT_LENGTH", "")
    length = min(int(told), LONGEST_FORM) if told.isdecimal() else 0
    return bytes(environ["wsgi.input"].read(length)).decode(errors="replace")


def _go_to(location: str) -> Answer:
    return HTTPStatus.SEE_OTHER, location
