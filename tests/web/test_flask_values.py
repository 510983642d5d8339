"""What Flask's users and their libraries put into a session, by the real libraries."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import pytest
import responses
from authlib.oidc.core import UserInfo
from flask import Flask, flash, get_flashed_messages
from flask_babel import Babel, force_locale, lazy_gettext
from flask_dance.contrib.github import make_github_blueprint
from flask_login import LoginManager, login_required
from freezegun import freeze_time
from markupsafe import Markup

from sojourn import EncodeError
from sojourn.providers.memory import MemoryProvider
from sojourn.web.flask import install, session
from tests.web.pallets import page


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__)
    app.config["PERMANENT_SESSION_LIFETIME"] = timedelta(minutes=30)
    install(app, MemoryProvider())
    return app


class Status(StrEnum):
    PAID = "paid"


class Derived(Markup):
    __slots__ = ()


class Widget:
    def __html__(self) -> str:
        return "<input>"

    def __str__(self) -> str:
        return "a widget"


def test_a_lazy_string_of_flask_babel_is_flashed_as_its_text(app: Flask) -> None:
    """Flask-Login flashes its own message so, and a sign-in page must not fail by that."""
    Babel(app)
    login = LoginManager(app)
    login.user_loader(lambda _: None)
    login.login_view = "enter"
    login.login_message = lazy_gettext("Please sign in first.")
    app.add_url_rule("/enter", "enter", lambda: repr(get_flashed_messages()))
    app.add_url_rule("/private", "private", login_required(lambda: "secret"))
    client = app.test_client()
    assert client.get("/private").status_code == 302
    assert client.get("/enter").text == repr(["Please sign in first."])


def test_values_with_html_of_their_own(app: Flask) -> None:
    """Markup stays markup, and what is more than its text is refused."""

    def put() -> None:
        with force_locale("en"):
            session["values"] = [Markup("<b>"), Derived("<i>"), lazy_gettext("Hello"), Status.PAID]
        with pytest.raises(EncodeError, match="Widget could not be turned into a value"):
            session["widget"] = Widget()

    Babel(app)
    page(app, "/put", put)
    page(app, "/", lambda: None, lambda: [*map(type, session["values"])])
    client = app.test_client()
    client.get("/put")
    assert client.get("/").text == repr([Markup, Markup, str, str])


def test_the_sign_in_of_flask_dance_works(app: Flask) -> None:
    app.secret_key = "for its state"
    app.register_blueprint(
        make_github_blueprint(client_id="id", client_secret="secret", redirect_to="index"),
        url_prefix="/login",
    )
    app.add_url_rule("/", "index", lambda: repr(session["github_oauth_token"]["access_token"]))
    client = app.test_client()
    site = {"base_url": "https://shop.test"}
    to = client.get("/login/github", **site).headers["Location"]
    state = re.search(r"state=([^&]+)", to)
    assert state is not None
    with responses.RequestsMock() as github:
        answer = {"access_token": "t", "token_type": "bearer", "scope": ""}
        github.add(responses.POST, "https://github.com/login/oauth/access_token", json=answer)
        signed_in = client.get(f"/login/github/authorized?code=c&state={state[1]}", **site)
    assert signed_in.status_code == 302
    assert client.get("/", **site).text == "'t'"


def test_the_user_info_of_authlib_is_a_dict(app: Flask) -> None:
    info: Any = UserInfo(sub="1", name="Ada")
    page(app, "/put", lambda: session.update(user=info))
    page(app, "/", lambda: None, lambda: (type(session["user"]), session["user"]["name"]))
    client = app.test_client()
    client.get("/put")
    assert client.get("/").text == repr((dict, "Ada"))


def test_freezegun_holds_the_time_of_the_sessions(app: Flask) -> None:
    page(app, "/put", lambda: session.update(when=datetime.now()))  # noqa: DTZ005
    page(app, "/", lambda: session.get("when"))
    client = app.test_client()
    noon = repr(datetime(2027, 3, 1, 12))  # noqa: DTZ001
    with freeze_time("2027-03-01 12:00"):
        assert client.get("/put").status_code == 200
    with freeze_time("2027-03-01 12:29"):
        assert client.get("/").text == noon
    with freeze_time("2027-03-01 13:00"):
        assert client.get("/").text == "None"


def test_a_message_is_what_it_was_when_it_was_flashed(app: Flask) -> None:
    page(app, "/do", lambda: flash(Status.PAID))
    page(app, "/", lambda: None, get_flashed_messages)
    client = app.test_client()
    client.get("/do")
    assert client.get("/").text == "['paid']"
