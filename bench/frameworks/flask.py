"""Flask: its own signed cookie, Flask-Session, and Sojourn."""

from __future__ import annotations

from pathlib import Path

from bench.frameworks.common import SECRET, Ours, Subjects, over
from bench.stores import address
from bench.subjects.flask import CachelibFile, Redis, application, plain, visited
from bench.wsgi import Wsgi
from sojourn.web.flask import install


class SignedCookie(Wsgi):
    """The built-in sessions of Flask."""

    name = "Flask"
    store = "cookie"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.with_session = application(visited, SECRET_KEY=SECRET).wsgi_app
        self.without = application(plain).wsgi_app


class Sojourn(Ours, Wsgi):
    """Sojourn provides `flask.session`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        app = application(visited)
        self.manager = install(app, self.store, provider_config=address(self.store, folder))
        self.with_session = app.wsgi_app
        self.without = application(plain).wsgi_app


SUBJECTS: Subjects = (SignedCookie, CachelibFile, Redis, *over(Sojourn, "memory", "file", "redis"))
