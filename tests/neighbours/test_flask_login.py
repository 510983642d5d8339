"""Flask-Login with `sojourn.web.flask_login`: the whole life of a sign-in."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, flash, get_flashed_messages, request
from flask.testing import FlaskClient
from flask_login import (
    FlaskLoginClient,
    LoginManager,
    UserMixin,
    confirm_login,
    current_user,
    fresh_login_required,
    login_fresh,
    login_required,
    login_user,
    logout_user,
)

from sojourn import ConfigError, Manager, NotFresh
from sojourn.providers.file import FileProvider
from sojourn.providers.memory import MemoryProvider
from sojourn.providers.sql import SQLiteProvider
from sojourn.web import flask_login
from sojourn.web.flask import install, session
from tests.web.pallets import page, put

SESSION, REMEMBER = "session", "remember_token"


class User(UserMixin):  # type: ignore[misc]  # it has no types
    def __init__(self, name: str) -> None:
        self.id = name


def shop(provider: Any = None, **config: object) -> tuple[Flask, Manager]:
    app = Flask(__name__)
    app.secret_key = "of the remember cookies"
    app.config.update(config)
    sessions = install(app, provider or MemoryProvider())
    LoginManager(app).user_loader(User)
    flask_login.install(app)
    page(app, "/cart", put("cart", ["pear"]))
    page(app, "/", lambda: (current_user.get_id(), session.user, session.get("cart")))
    page(app, "/login", lambda: login_user(User(request.args["who"]), "remember" in request.args))
    page(app, "/logout", logout_user)
    page(app, "/confirm", confirm_login)
    page(app, "/fresh", login_fresh, lambda: (login_fresh(), is_fresh()))
    app.add_url_rule("/mine", "mine", login_required(lambda: "mine"))
    app.add_url_rule("/password", "password", fresh_login_required(lambda: "changed"))
    return app, sessions


def is_fresh() -> bool:
    """Whether Sojourn says so too."""
    try:
        session.require_fresh(60)
    except NotFresh:
        return False
    return True


def seen(client: FlaskClient) -> Any:
    """Who Flask-Login and Sojourn say it is, and what is in the cart."""
    return eval(client.get("/").text)


def close_browser(client: FlaskClient) -> None:
    """What outlives that is the remember cookie."""
    client.delete_cookie(SESSION)


def test_a_sign_in_is_known_to_sojourn_and_renews_the_id() -> None:
    app, sessions = shop()
    client = app.test_client()
    client.get("/cart")
    [before] = sessions.sessions()
    client.get("/login?who=ada")
    assert seen(client) == ("ada", "ada", ["pear"])
    [after] = sessions.sessions("ada")
    assert after.id != before.id
    assert sessions.active_count() == 1


def test_a_sign_out_ends_the_session_and_the_remember_cookie() -> None:
    app, sessions = shop()
    client = app.test_client()
    client.get("/login?who=ada&remember")
    client.get("/cart")
    kept = client.get_cookie(SESSION)
    assert kept is not None
    assert client.get_cookie(REMEMBER) is not None
    client.get("/logout")
    assert (client.get_cookie(SESSION), client.get_cookie(REMEMBER)) == (None, None)
    assert sessions.active_count() == 0
    client.set_cookie(SESSION, kept.value)
    assert seen(client) == (None, None, None)
    assert client.get("/mine").status_code == 401


@pytest.mark.parametrize("kind", [MemoryProvider, FileProvider, SQLiteProvider])
def test_who_is_remembered_is_known_and_has_not_just_signed_in(kind: Any, tmp_path: Any) -> None:
    app, sessions = shop(kind() if kind is MemoryProvider else kind(tmp_path / "sessions"))
    client = app.test_client()
    client.get("/login?who=ada&remember")
    assert client.get("/fresh").text == "(True, True)"
    close_browser(client)
    client.get("/cart")  # nobody is asked for: the visitor is a new one
    assert seen(client) == ("ada", "ada", ["pear"])
    assert client.get("/fresh").text == "(False, False)"
    assert client.get("/mine").text == "mine"
    assert client.get("/password").status_code == 401
    assert len([*sessions.sessions("ada")]) == 2
    before = client.get_cookie(SESSION)
    client.get("/confirm")
    assert client.get_cookie(SESSION) != before
    assert client.get("/fresh").text == "(True, True)"
    assert client.get("/password").text == "changed"
    assert seen(client) == ("ada", "ada", ["pear"])


@pytest.mark.parametrize("remember", ["", "&remember"])
@pytest.mark.parametrize("open_yet", [True, False])
def test_another_user_over_one_who_is_remembered(remember: str, open_yet: bool) -> None:
    """Nothing of ada's is shown to bob, and nobody is ada in this browser again."""
    app, _ = shop()
    client = app.test_client()
    client.get("/login?who=ada&remember")
    client.get("/cart")
    if not open_yet:
        close_browser(client)
    client.get(f"/login?who=bob{remember}")
    assert seen(client) == ("bob", "bob", None)
    close_browser(client)
    assert seen(client) == (("bob", "bob", None) if remember else (None, None, None))


def test_the_same_user_again_is_still_remembered() -> None:
    app, _ = shop()
    client = app.test_client()
    client.get("/login?who=ada&remember")
    client.get("/login?who=ada")
    close_browser(client)
    assert seen(client) == ("ada", "ada", None)


def test_all_sessions_of_a_user_are_ended_from_outside() -> None:
    app, sessions = shop()
    clients = [app.test_client() for _ in range(3)]
    for client in clients:
        client.get("/login?who=ada")
    assert sessions.destroy_user("ada") == 3
    assert [seen(client) for client in clients] == [(None, None, None)] * 3


def test_a_request_of_before_the_sign_in_takes_nothing_away() -> None:
    """It comes with the former token, and with the remember cookie."""
    app, sessions = shop()
    client = app.test_client()
    client.get("/login?who=ada&remember")
    close_browser(client)
    client.get("/cart")
    former, remembered = client.get_cookie(SESSION), client.get_cookie(REMEMBER)
    assert former is not None
    assert remembered is not None
    client.get("/login?who=ada")
    late = app.test_client()
    late.set_cookie(SESSION, former.value)
    late.set_cookie(REMEMBER, remembered.value)
    answer = late.get("/")
    assert answer.text == "('ada', None, None)"
    assert "Set-Cookie" not in answer.headers
    assert seen(client) == ("ada", "ada", ["pear"])
    assert client.get("/fresh").text == "(True, True)"
    assert len([*sessions.sessions("ada")]) == 2


def test_who_signs_out_without_having_signed_in_keeps_the_cart() -> None:
    app, _ = shop()
    client = app.test_client()
    client.get("/cart")
    client.get("/logout")
    assert seen(client) == (None, None, ["pear"])


def test_what_is_flashed_after_a_sign_out_is_shown() -> None:
    app, sessions = shop()
    page(app, "/leave", logout_user, lambda: flash("Good-bye."))
    page(app, "/messages", get_flashed_messages)
    client = app.test_client()
    client.get("/login?who=ada&remember")
    client.get("/leave")
    assert client.get("/messages").text == "['Good-bye.']"
    assert seen(client) == (None, None, None)
    assert sessions.active_count() == 0


def test_a_sign_in_after_a_sign_out_in_one_request() -> None:
    app, _ = shop()
    page(app, "/switch", logout_user, lambda: login_user(User("bob")))
    client = app.test_client()
    client.get("/login?who=ada&remember")
    client.get("/cart")
    client.get("/switch")
    assert seen(client) == ("bob", "bob", None)
    close_browser(client)
    assert seen(client) == (None, None, None)


def test_a_session_of_before_is_adopted() -> None:
    """And one that a test of the application prepares, as Flask-Login's own client does."""
    app, sessions = shop()
    app.test_client_class = FlaskLoginClient
    client: FlaskClient = app.test_client(user=User("ada"))
    assert [*sessions.sessions("ada")] == []
    assert seen(client) == ("ada", "ada", None)
    assert len([*sessions.sessions("ada")]) == 1
    assert client.get("/fresh").text == "(False, False)"


@pytest.mark.parametrize("permanent", [True, False])
def test_another_browser_with_the_session_is_signed_out_where_that_is_strong(
    permanent: bool,
) -> None:
    """Flask-Login compares the browser's name; a permanent session only stops to be fresh."""
    app, sessions = shop(SESSION_PROTECTION="strong")
    page(app, "/keep", lambda: setattr(session, "permanent", permanent))
    client = app.test_client()
    client.get("/login?who=ada")
    client.get("/keep")
    answer = client.get("/", headers={"User-Agent": "another"})
    assert answer.text == ("('ada', 'ada', None)" if permanent else "(None, None, None)")
    assert len([*sessions.sessions("ada")]) == permanent


def test_visitors_leave_no_trace() -> None:
    app, sessions = shop(REMEMBER_COOKIE_REFRESH_EACH_REQUEST=True)
    answer = app.test_client().get("/")
    assert "Set-Cookie" not in answer.headers
    assert sessions.active_count() == 0


def test_it_needs_the_sessions_of_sojourn() -> None:
    with pytest.raises(ConfigError, match=r"call sojourn\.web\.flask\.install"):
        flask_login.install(Flask(__name__))
