"""Sessions in Flask: `flask.session` becomes a session of Sojourn.

The WSGI middleware starts and releases the session, outside of all that Flask does; Flask's session
interface only passes it on.  If no middleware ran (in `test_request_context`, and in the test
client's `session_transaction`), the interface starts and releases a session itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast
from wsgiref.types import StartResponse, WSGIEnvironment

import flask
from flask.sessions import SessionInterface as FlaskSessionInterface
from werkzeug.datastructures import Headers

from sojourn import Provider
from sojourn.errors import StoreError
from sojourn.manager import Manager
from sojourn.web import wsgi
from sojourn.web._flask_quart import check, check_interface, commands, unavailable
from sojourn.web._flask_quart_session import FlaskSession, LoneSession, UnansweredSession, is_open
from sojourn.web._flask_quart_settings import Settings
from sojourn.web._merging import merged
from sojourn.web._versions import require

__all__ = ["FlaskSession", "SessionInterface", "install", "session"]

_KEY = "sojourn.session"

session = cast("FlaskSession", flask.session)
"""`flask.session`, typed for type checkers: the session of the current request."""


class SessionInterface(FlaskSessionInterface):
    """Provides Flask with the session of a request."""

    def __init__(self, manager: Manager, settings: Settings) -> None:
        self._manager, self._settings = manager, settings

    def open_session(self, _: flask.Flask, request: flask.Request) -> Any:
        """Return the middleware's session; if it cannot be used, start and return another."""
        session = request.environ.get(_KEY)
        # Flask-SocketIO opens a request context for each event, with the environ of the handshake.
        in_socket = request.headers.get("Upgrade", "").lower() == "websocket"
        if session is not None and is_open(session) and not in_socket:
            return FlaskSession.adopt(session)
        unanswered = session is not None or in_socket
        self._settings.follow(self._manager)
        begun = self._manager.start(request.headers.items(), https=request.is_secure)
        return (UnansweredSession if unanswered else LoneSession).adopt(begun)

    def save_session(self, _: flask.Flask, session: Any, response: flask.Response) -> None:
        """Release a session that `open_session` started; the middleware releases all others.

        Settings are read again, for they may change during the request: Flask-Talisman changes some
        at the first one.
        """
        self._settings.follow(self._manager)
        if isinstance(session, LoneSession):
            answered = not isinstance(session, UnansweredSession)
            release = self._manager.release(session, headers=answered)
            response.headers = Headers(merged(response.headers, release.headers))


def install(
    app: flask.Flask,
    provider: str | Provider,
    *,
    clock: Callable[[], float] | None = None,
    **settings: Any,
) -> Manager:
    """Make `flask.session` a session of Sojourn in this application; return the manager.

    provider: the store of the sessions: a provider, a registered name, or the URL of a store.
    clock: a function that returns the seconds since the epoch, for tests; None is `time.time`.
    settings: settings of `Config` for which Flask has no setting.  Flask's settings are read
        from `app.config`, at each request.

    Raises ConfigError for a wrong setting, a second call, and a Flask older than 3; AssertionError,
    as Flask does, after the first request.

    Later, a request raises ConfigError if a setting is wrong by then, or if
    `app.session_interface` has been replaced.
    """
    require("flask", "3")
    check(app, provider)
    app.register_error_handler(StoreError, unavailable)
    said = Settings(app, settings)
    manager = Manager(provider, said.config, clock=clock)
    app.session_interface = SessionInterface(manager, said)
    served = wsgi.SessionMiddleware(app.wsgi_app, manager, key=_KEY)

    # The settings are read before the middleware starts the session, which depends on them.
    def checked(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        check_interface(app, SessionInterface)
        said.follow(manager)
        return served(environ, start_response)

    app.wsgi_app = checked  # type: ignore[method-assign]
    app.extensions["sojourn"] = manager
    app.cli.add_command(commands(manager.gc, manager.active_count))
    return manager
