"""Flask-Session over cachelib's files, in a Flask application."""

# ruff: noqa: D102 - what a method does stands once, in `Subject`

from __future__ import annotations

from pathlib import Path
from typing import Any

from cachelib.file import FileSystemCache
from flask import Flask, request, session
from flask_session import Session

from bench.subject import WORK, files_in
from bench.wsgi import Wsgi


def _with() -> str:
    request.environ[WORK](session)
    return "ok"


def _without() -> str:
    return "ok"


def _app(view: Any, **config: Any) -> Flask:
    app = Flask(__name__)
    app.config.update(PROPAGATE_EXCEPTIONS=True, **config)
    app.add_url_rule("/", "view", view)
    return app


class CachelibFile(Wsgi):
    """A session is a file of cachelib."""

    name = "Flask-Session"
    store = "file"
    settings = "cachelib's FileSystemCache with threshold=0 (500 by default: above it evicts)"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._folder = folder
        cache = FileSystemCache(str(folder), threshold=0)
        app = _app(_with, SESSION_TYPE="cachelib", SESSION_CACHELIB=cache)
        Session(app)
        self.with_session = app.wsgi_app
        self.without = _app(_without).wsgi_app

    def stored(self) -> int:
        return max(0, files_in(self._folder) - 1)  # one is cachelib's own counter
