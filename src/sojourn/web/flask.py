"""Sessions in Flask: `flask.session` is Sojourn's.

The WSGI middleware starts and releases a session, around all that Flask does; Flask's session
interface only hands it over.  Where no middleware ran (`test_request_context`, and the test
client's `session_transaction`) the interface starts and releases one itself.
"""

from __future__ import annotations

from typing import Any, cast

import flask
from flask.sessions import SessionInterface as FlaskSessionInterface
from werkzeug.datastructures import Headers

from sojourn import Provider
from sojourn.errors import StoreError
from sojourn.manager import Manager
from sojourn.web import wsgi
from sojourn.web._headers import merged
from sojourn.web._pallets import FlaskSession, LoneSession, check, commands, unavailable
from sojourn.web._pallets_settings import config_of
from sojourn.web._versions import require

__all__ = ["FlaskSession", "SessionInterface", "install", "session"]

_KEY = "sojourn.session"

session = cast("FlaskSession", flask.session)
"""`flask.session`, for type checkers: the session of the current request."""


class SessionInterface(FlaskSessionInterface):
    """Hands Flask the session of a request."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    def open_session(self, _: flask.Flask, request: flask.Request) -> Any:
        """Return the middleware's session; one of its own where there is no middleware."""
        session = request.environ.get(_KEY)
        if session is not None:
            return FlaskSession.adopt(session)
        https = request.is_secure
        return LoneSession.adopt(self._manager.start(request.headers.items(), https=https))

    def save_session(self, _: flask.Flask, session: Any, response: flask.Response) -> None:
        """Release what `open_session` started; the middleware releases its own."""
        if isinstance(session, LoneSession):
            release = self._manager.release(session)
            response.headers = Headers(merged(response.headers, release.headers))


def install(app: flask.Flask, provider: str | Provider, **settings: Any) -> Manager:
    """Let `flask.session` be Sojourn's in this application; return the manager.

    provider: where sessions are stored, or the name of a registered provider.
    settings: those of `Config` that Flask has none for; Flask's are read from `app.config` now.

    Raises ConfigError for a wrong setting, a second call, and a Flask before 3; AssertionError,
    as Flask does, after the first request.
    """
    require("flask", "3")
    check(app, provider)
    app.register_error_handler(StoreError, unavailable)
    manager = Manager(provider, config_of(app.config, settings))
    app.session_interface = SessionInterface(manager)
    app.wsgi_app = wsgi.SessionMiddleware(  # type: ignore[method-assign]
        app.wsgi_app, manager, key=_KEY
    )
    app.extensions["sojourn"] = manager
    app.cli.add_command(commands(manager.gc, manager.active_count))
    return manager
