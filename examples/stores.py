"""Notes of a visitor, in files.  `python -m examples.stores`, then open http://127.0.0.1:8000/.

To keep the sessions in Redis, where several machines can serve the same visitors, change one line:

    manager = Manager("redis", provider_config="127.0.0.1:6379")
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs
from wsgiref.simple_server import make_server

from sojourn import Manager
from sojourn.web.wsgi import SessionMiddleware

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

manager = Manager("file", provider_config="./sessions")

FORM = '<form method="post"><input name="note" required> <button>Note it</button></form>'


def notes(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Store a submitted note, and show all notes of this visitor."""
    session = environ["sojourn.session"]
    if environ["REQUEST_METHOD"] == "POST":
        form = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        session.setdefault("notes", []).extend(parse_qs(form.decode()).get("note", []))
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    lines = [f"<p>{escape(note)}</p>" for note in session.get("notes", [])]
    return ["".join([FORM, *lines]).encode()]


application = SessionMiddleware(notes, manager)


if __name__ == "__main__":
    manager.start_gc()
    make_server("127.0.0.1", 8000, application).serve_forever()
