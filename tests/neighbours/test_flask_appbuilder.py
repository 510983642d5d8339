"""Flask-AppBuilder, on which Airflow and Superset are built: the whole life of a sign-in."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_appbuilder import AppBuilder
from flask_appbuilder.utils.legacy import get_sqla_class

from sojourn import Manager
from sojourn.providers.memory import MemoryProvider
from sojourn.web import flask_login
from sojourn.web.flask import install

# Of WTForms, about a field of Flask-AppBuilder's own.
pytestmark = pytest.mark.filterwarnings("ignore:'DateTimeField' renders:DeprecationWarning")

PAGE = "/users/userinfo/"


def site(**config: object) -> tuple[FlaskClient, Manager]:
    """A site with its own forms, protected against forgery, and a user called ada."""
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY="of the forms and remember cookies",
        SQLALCHEMY_DATABASE_URI="sqlite://",
        AUTH_RATE_LIMITED=False,
        **config,
    )
    sessions = install(app, MemoryProvider())
    database = get_sqla_class()(app)
    with app.app_context():
        security = AppBuilder(app, database.session).sm
        flask_login.install(app)
        database.create_all()
        role = security.find_role("Admin")
        assert security.add_user("ada", "Ada", "Lovelace", "ada@example.org", role, "secret")
    return app.test_client(), sessions


def sign_in(client: FlaskClient, password: str = "secret", agent: str = "Firefox") -> None:
    agents = {"User-Agent": agent}
    form = client.get("/login/", headers=agents).text
    [token] = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', form)
    data = {"username": "ada", "password": password, "csrf_token": token}
    assert client.post("/login/", data=data, headers=agents).status_code == 302


def is_in(client: FlaskClient, agent: str = "Firefox") -> bool:
    answer = client.get(PAGE, headers={"User-Agent": agent})
    return answer.status_code == 200 and "Lovelace" in answer.text


def test_a_sign_in_is_known_to_sojourn_and_renews_the_id() -> None:
    client, sessions = site()
    client.get("/login/")  # stores the token of the form
    [before] = sessions.sessions()
    assert before.user is None
    sign_in(client)
    [after] = sessions.sessions()
    assert (after.user, after.id == before.id) == ("1", False)
    assert is_in(client)


def test_a_wrong_password_signs_nobody_in() -> None:
    client, sessions = site()
    sign_in(client, password="wrong")
    assert not is_in(client)
    assert [info.user for info in sessions.sessions()] == [None]


def test_a_sign_out_ends_the_session() -> None:
    client, sessions = site()
    sign_in(client)
    client.get("/logout/")
    assert not is_in(client)
    assert [*sessions.sessions("1")] == []


def test_the_sessions_of_a_user_can_be_ended() -> None:
    client, sessions = site()
    sign_in(client)
    assert sessions.destroy_user("1") == 1
    assert not is_in(client)


def test_strong_protection_ends_a_session_that_another_browser_shows() -> None:
    client, sessions = site(SESSION_PROTECTION="strong")
    sign_in(client)
    assert is_in(client)
    assert not is_in(client, agent="Chromium")
    assert [*sessions.sessions("1")] == []
