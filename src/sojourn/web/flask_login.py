"""Flask-Login on sessions of Sojourn.

Flask-Login stores the id of the user in the data of the session.  This module listens to its
signals: the user is stored as `session.user` too, each sign-in renews the id of the session, and a
sign-out ends the session.
"""

from __future__ import annotations

from typing import Any

import flask
from flask import request
from flask_login import COOKIE_NAME
from flask_login import signals as their
from flask_login.utils import decode_cookie

from sojourn.errors import ConfigError
from sojourn.manager import Manager
from sojourn.session import state_of
from sojourn.web._flask_quart_session import FlaskSession, is_open
from sojourn.web._versions import require

__all__ = ["install"]

_KEYS = ("_user_id", "_fresh", "_id", "_remember", "_remember_seconds")
"""The keys that Flask-Login stores in a session when a user signs in."""


def install(app: flask.Flask) -> None:
    """Apply the sign-ins and sign-outs of Flask-Login in this application to its sessions.

    Raises ConfigError if `sojourn.web.flask.install` was not called before, or if Flask-Login is
    older than 0.6.3.
    """
    require("flask-login", "0.6.3")
    if not isinstance(app.extensions.get("sojourn"), Manager):
        raise ConfigError(
            f"sojourn.web.flask_login: {app.name!r} has no sessions of Sojourn yet, call "
            "sojourn.web.flask.install(app, ...) first"
        )
    their.user_accessed.connect(_accessed, app)
    their.user_logged_in.connect(_logged_in, app)
    their.user_login_confirmed.connect(_logged_in, app)
    their.user_loaded_from_cookie.connect(_loaded_from_cookie, app)
    their.user_logged_out.connect(_logged_out, app)
    their.session_protected.connect(_protected, app)


def _logged_in(app: flask.Flask, **_: Any) -> None:
    """Handle a sign-in; clear a remember cookie of another user, who would come back by it."""
    session = _session()
    if session is not None:
        cookie = request.cookies.get(app.config.get("REMEMBER_COOKIE_NAME", COOKIE_NAME))
        if cookie is not None and decode_cookie(cookie) != session["_user_id"]:
            session.setdefault("_remember", "clear")
        _login(session, fresh=session["_fresh"])


def _loaded_from_cookie(_: flask.Flask, **__: Any) -> None:
    """Handle a user identified by a remember cookie: signed in, but not as fresh.

    If the session's token was replaced a moment ago, nothing is done: the session continues under
    the new token, and the browser will soon have the cookie for it.
    """
    session = _session()
    if session is not None and not session.is_retired:
        _login(session, fresh=False)


def _accessed(_: flask.Flask, **__: Any) -> None:
    """Handle an access to the user: sign in a user that is stored by Flask-Login only.

    The session is older than `install`, or was prepared by hand in a test.  The time of the sign-in
    is not known, so it does not count as fresh.
    """
    session = _session()
    if session is not None and session.get("_user_id") not in (None, session.user):
        _login(session, fresh=False)


def _logged_out(_: flask.Flask, **__: Any) -> None:
    """Handle a sign-out: end the session, but let Flask-Login still clear its cookie."""
    session = _session()
    if session is not None and session.user is not None:
        remember = session.get("_remember")
        session.logout()
        if remember is not None:
            session["_remember"] = remember


def _protected(app: flask.Flask, **_: Any) -> None:
    """Handle a changed browser, for which Flask-Login in mode "strong" has removed the user."""
    session = _session()
    if session is not None and "_user_id" not in session:
        _logged_out(app)


def _login(session: FlaskSession, *, fresh: bool) -> None:
    """Sign in the user that Flask-Login has signed in, keeping the data that it stored for this."""
    # `login` drops the data of another user, and with it the new keys: they are put again.
    theirs = {key: session[key] for key in _KEYS if key in session}
    session.login(str(theirs["_user_id"]))
    session.update(theirs)
    if not fresh:
        state_of(session).authenticated = None  # `require_fresh` must refuse, too


def _session() -> FlaskSession | None:
    """Return the session if it is one of Sojourn's that can still be changed; else None."""
    session: Any = flask.session
    current = session._get_current_object()  # noqa: SLF001 - documented by Flask
    return current if isinstance(current, FlaskSession) and is_open(current) else None
