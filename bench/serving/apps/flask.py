"""Flask, with Flask-Session and Sojourn."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, session
from flask_session import Session
from redis import Redis

from bench.serving.apps import OURS
from bench.serving.pages import OK, PAGES, QUIET, Page
from sojourn.web.flask import install


def application(library: str, store: str) -> Flask:
    """Return the application."""
    app = Flask(__name__)
    app.add_url_rule(f"/{QUIET}", QUIET, lambda: OK)
    for name, page in PAGES.items():
        app.add_url_rule(f"/{name}", name, _view(page))
    if library == OURS:
        install(app, store)
    elif library == "Flask-Session":
        app.config.update(SESSION_TYPE="redis", SESSION_REDIS=Redis.from_url(store))
        Session(app)
    return app


def _view(page: Page) -> Callable[[], str]:
    return lambda: page(session)
