"""A sign-in in plain WSGI, configured by the JSON text of Beego's session module.

`python -m examples.login`, and then open http://127.0.0.1:8000/.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs
from wsgiref.simple_server import make_server

from sojourn import Manager

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

sessions = Manager(
    "memory",
    """{"cookieName":"gosessionid", "enableSetCookie,omitempty": true, "gclifetime":3600, "maxLifetime": 3600, "secure": false, "sessionIDHashFunc": "sha1", "sessionIDHashKey": "", "cookieLifeTime": 3600, "providerConfig": ""}""",
)
FORM = '<form method="post"><input name="username" required> <button>Sign in</button></form>'


def login(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Show the sign-in form, or greet the user who has signed in."""
    session = sessions.start({"Cookie": environ.get("HTTP_COOKIE", "")})
    if environ["REQUEST_METHOD"] == "POST":
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        session["username"] = parse_qs(body.decode()).get("username", ["stranger"])[0]
        session.regenerate_id()  # needed at every sign-in; `session.login(user)` does it too
    username = session.get("username")
    released = sessions.release(session)  # before the response begins, because it adds headers
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), *released.headers])
    page = FORM if username is None else f"Hello, {escape(username)}"
    return [page.encode()]


if __name__ == "__main__":
    sessions.start_gc()
    make_server("127.0.0.1", 8000, login).serve_forever()
