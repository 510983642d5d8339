"""A site moves from Flask-Session, and from Flask's own cookies: who stays signed in.

The site of before runs on the real library, and the new one on the recipe that the page prints.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import flask
import pytest
import redis
from flask import Flask, request
from flask.testing import FlaskClient
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_session import Session
from markupsafe import Markup

from sojourn import Manager
from sojourn.providers.file import FileProvider
from sojourn.providers.memory import MemoryProvider
from sojourn.web import flask_login
from sojourn.web.flask import install, session
from tests.architecture.pages import ROOT, blocks_of
from tests.servers.redis import Redis

COOKIE = "session"
Move = Callable[[FlaskClient], FlaskClient]


class User(UserMixin):  # type: ignore[misc]  # it has no types
    def __init__(self, name: str) -> None:
        self.id = name


def pages_of(app: Flask) -> Flask:
    """The application, the same before and after."""
    app.secret_key = "as before"
    app.testing = True
    LoginManager(app).user_loader(User)
    rules = {
        "/in/<who>": lambda who: str(flask.session.update(user_id=who)),
        "/flask-login/<who>": lambda who: str(login_user(User(who))),
        "/put": lambda: str(flask.session.update(cart=["tent"], at=WHEN)),
        "/out": sign_out,
        "/end": end,
        "/": lambda: repr((user_of(flask.session), flask.session.get("cart"))),
        "/theirs": lambda: repr(current_user.get_id()),
        "/fail": lambda: 1 / 0,
    }
    for path, view in rules.items():
        app.add_url_rule(path, path, view)  # type: ignore[arg-type]  # some fail
    return app


def sign_out() -> str:
    """As before."""
    flask.session.clear()
    logout_user()
    return "signed out"


def end() -> str:
    session.logout()
    return "ended"


WHEN = datetime(2026, 5, 1, tzinfo=UTC)


def user_of(session: Any) -> Any:
    """Who is signed in, as the application and as Sojourn have it."""
    return session.get("user_id"), getattr(session, "user", None)


def printed(page: str, **named: Any) -> dict[str, Any]:
    """Run the recipe as the page prints it, where Redis has another address."""
    port = named.pop("port", None)
    [recipe] = [
        block.source
        for block in blocks_of(ROOT / "docs" / page, "python")
        if "def carry_over" in block.source
    ]
    names = {"Flask": Flask, "install": install, "session": session, "request": request, **named}
    names["__name__"] = "page"
    source = recipe.replace("Redis())", f"Redis(port={port}))")
    exec(compile(source, page, "exec", dont_inherit=True), names)
    return names


def moved(old: FlaskClient, new: Flask) -> FlaskClient:
    """The same browser, when the new site answers."""
    client = new.test_client()
    cookie = old.get_cookie(COOKIE)
    if cookie is not None:
        client.set_cookie(COOKIE, cookie.value)
    return client


def said(client: FlaskClient, path: str = "/") -> Any:
    return eval(client.get(path).text)


# -- from Flask-Session -----------------------------------------------------------------------


@pytest.fixture(params=["msgpack", "json"])
def before(request: pytest.FixtureRequest, redis_server: Redis) -> Flask:
    redis_server.flush()
    app = Flask("before")
    app.config.update(
        SESSION_TYPE="redis",
        SESSION_REDIS=redis.Redis(port=redis_server.port),
        SESSION_SERIALIZATION_FORMAT=request.param,
    )
    Session(app)
    return pages_of(app)


@pytest.fixture
def after(redis_server: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.chdir(tmp_path)
    names = printed("coming-from.md", port=redis_server.port, FileProvider=FileProvider)
    flask_login.install(names["shop"])
    return pages_of(names["shop"])


def sessions_of(app: Flask) -> Manager:
    manager = app.extensions["sojourn"]
    assert isinstance(manager, Manager)
    return manager


def test_users_of_flask_session_stay_signed_in(before: Flask, after: Flask) -> None:
    ada, bob, eve, stranger = (before.test_client() for _ in range(4))
    ada.get("/in/ada")
    ada.get("/put")
    bob.get("/in/bob")
    eve.get("/put")
    copy, ada, bob, eve, stranger = (moved(each, after) for each in (ada, ada, bob, eve, stranger))
    for _ in range(2):
        assert said(ada) == (("ada", "ada"), ["tent"])
        assert said(bob) == (("bob", "bob"), None)
        assert said(eve) == ((None, None), ["tent"])
        assert said(stranger) == ((None, None), None)
    assert stranger.get_cookie(COOKIE) is None
    assert len([*sessions_of(after).sessions("ada")]) == 1
    assert sessions_of(after).active_count() == 3
    # A copy of the cookie of before opens nothing, before a sign-out as after it.
    assert said(copy) == ((None, None), None)
    ada.get("/end")
    assert said(ada) == said(copy) == ((None, None), None)
    sessions_of(after).destroy_user("bob")
    assert said(bob) == ((None, None), None)


def test_the_cookie_is_a_new_one_and_stays_as_long(before: Flask, after: Flask) -> None:
    """A session of Flask-Session is permanent unless it says otherwise."""
    old = before.test_client()
    old.get("/in/ada")
    new = moved(old, after)
    answer = new.get("/")
    assert "Expires" in answer.headers["Set-Cookie"] or "Max-Age" in answer.headers["Set-Cookie"]
    assert new.get_cookie(COOKIE) != old.get_cookie(COOKIE)


def test_who_had_signed_out_or_forges_a_cookie_stays_out(before: Flask, after: Flask) -> None:
    out = before.test_client()
    out.get("/in/ada")
    kept = moved(out, after)
    out.get("/out")
    forger = after.test_client()
    forger.set_cookie(COOKIE, "ada")
    for client in (kept, moved(out, after), forger):
        assert said(client) == ((None, None), None)
    assert sessions_of(after).active_count() == 0


def test_a_request_that_fails_leaves_the_old_session(before: Flask, after: Flask) -> None:
    old = before.test_client()
    old.get("/in/ada")
    new = moved(old, after)
    with pytest.raises(ZeroDivisionError):
        new.get("/fail")
    assert said(new) == (("ada", "ada"), None)


def test_users_of_flask_login_stay_signed_in(before: Flask, after: Flask) -> None:
    old = before.test_client()
    old.get("/flask-login/ada")
    old.get("/put")
    new = moved(old, after)
    assert said(new, "/theirs") == said(new, "/theirs") == "ada"
    assert said(new) == ((None, "ada"), ["tent"])
    assert len([*sessions_of(after).sessions("ada")]) == sessions_of(after).active_count() == 1
    new.get("/out")
    assert said(new, "/theirs") is None


# -- from Flask's own cookies ------------------------------------------------------------------


@pytest.fixture
def site() -> Flask:
    names = printed("flask.md", MemoryProvider=MemoryProvider)
    flask_login.install(names["site"])
    return pages_of(names["site"])


def test_users_of_flasks_own_cookies_stay_signed_in(site: Flask) -> None:
    before = pages_of(Flask("before"))
    before.add_url_rule("/values", "values", lambda: str(flask.session.update(VALUES)))
    ada, bob = before.test_client(), before.test_client()
    ada.get("/in/ada")
    ada.get("/values")
    bob.get("/flask-login/bob")
    ada, bob = moved(ada, site), moved(bob, site)
    for _ in range(2):
        assert said(ada) == (("ada", "ada"), ["tent"])
        assert said(bob, "/theirs") == "bob"
        assert said(bob) == ((None, "bob"), None)
    with ada.session_transaction() as stored:
        assert {key: stored[key] for key in VALUES} == VALUES
    assert sessions_of(site).active_count() == 2
    ada.get("/end")
    assert said(ada) == ((None, None), None)


VALUES = {
    "cart": ["tent"],
    "pair": (1, "two"),
    "raw": b"\x00",
    "markup": Markup("<b>"),
    "uuid": UUID(int=7),
    "at": WHEN,
}
"""What Flask's cookies can hold besides JSON."""


def test_a_cookie_that_is_too_old_or_was_changed_begins_anew(
    site: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pages_of(Flask("before"))
    old = before.test_client()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: 0.0)  # itsdangerous signs the time
        old.get("/in/ada")
    assert said(moved(old, site)) == ((None, None), None)
    other = pages_of(Flask("other"))
    other.secret_key = "of somebody else"
    old = other.test_client()
    old.get("/in/ada")
    assert said(moved(old, site)) == ((None, None), None)
    assert sessions_of(site).active_count() == 0
