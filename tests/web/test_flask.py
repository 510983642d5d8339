"""Flask's own words on a session of Sojourn's, and its messages."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, flash, get_flashed_messages, render_template_string
from flask.testing import FlaskClient
from markupsafe import Markup

from sojourn import Manager
from sojourn.providers.memory import MemoryProvider
from sojourn.web.flask import install, session
from tests.web.pallets import cookies, drop, keep, page, put, sent_back
from tests.web.stores import values


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__)  # without a SECRET_KEY, which nothing here needs
    app.config["PERMANENT_SESSION_LIFETIME"] = 7200
    return app


@pytest.fixture
def manager(app: Flask) -> Manager:
    return install(app, MemoryProvider(), touch_interval=0)


@pytest.fixture
def client(app: Flask, manager: Manager) -> FlaskClient:
    return app.test_client()


def test_a_session_lasts_from_request_to_request(app: Flask, client: FlaskClient) -> None:
    page(app, "/", lambda: session.setdefault("cart", []).append(1), lambda: session["cart"])
    assert client.get("/").text == "[1]"
    assert client.get("/").text == "[1, 1]"


def test_types_come_back_as_they_were(app: Flask, client: FlaskClient) -> None:
    page(app, "/put", put("triple", (1, {2}, b"3")))
    page(app, "/", lambda: session["triple"])
    client.get("/put")
    assert client.get("/").text == "(1, {2}, b'3')"


# -- permanent --------------------------------------------------------------------------------


def test_a_permanent_session_outlives_the_browser(app: Flask, client: FlaskClient) -> None:
    page(app, "/keep", put("n", 1), keep)
    page(app, "/", lambda: session.permanent)
    [line] = cookies(client.get("/keep"))
    assert "; Max-Age=7200;" in line
    answer = client.get("/")
    assert answer.text == "True"
    assert "; Max-Age=7200;" in cookies(answer)[0]  # it is renewed, as it was seen


def test_without_it_the_cookie_ends_with_the_browser(app: Flask, client: FlaskClient) -> None:
    page(app, "/", put("n", 1), lambda: session.permanent)
    answer = client.get("/")
    assert answer.text == "False"
    assert "Max-Age" not in cookies(answer)[0]
    assert cookies(client.get("/")) == []


def test_permanent_may_be_taken_back(app: Flask, client: FlaskClient) -> None:
    page(app, "/keep", put("n", 1), keep)
    page(app, "/drop", drop)
    client.get("/keep")
    [line] = cookies(client.get("/drop"))
    assert "Max-Age" not in line


def test_permanent_alone_stores_nothing(app: Flask, client: FlaskClient, manager: Manager) -> None:
    """Many applications say it before each request."""
    page(app, "/", keep)
    assert cookies(client.get("/")) == []
    assert manager.active_count() == 0


def test_permanent_said_again_changes_nothing(app: Flask, client: FlaskClient) -> None:
    page(app, "/keep", put("n", 1), keep)
    page(app, "/", keep, lambda: session.modified)
    client.get("/keep")
    assert client.get("/").text == "False"


def test_permanent_keeps_the_lifetime_of_who_is_remembered(app: Flask, client: FlaskClient) -> None:
    page(app, "/", lambda: session.login("ada", remember=600), keep)
    assert "; Max-Age=600;" in cookies(client.get("/"))[0]


# -- new, modified, accessed ------------------------------------------------------------------


def test_new_modified_and_accessed_say_how_it_is(app: Flask, client: FlaskClient) -> None:
    def facts() -> tuple[bool, bool, bool]:
        before = session.accessed
        return before, session.new, session.modified

    page(app, "/", facts)
    page(app, "/change", lambda: session.setdefault("cart", []).append("pear"), facts)
    assert client.get("/").text == "(False, True, False)"
    assert client.get("/change").text == "(True, True, True)"
    assert client.get("/").text == "(False, False, False)"
    assert client.get("/change").text == "(True, False, True)"


def test_modified_and_accessed_may_be_set_and_mean_nothing(
    app: Flask, client: FlaskClient, manager: Manager
) -> None:
    @app.get("/")
    def index() -> str:
        session.modified = True
        session.accessed = True
        return "said"

    answer = client.get("/")
    assert answer.text == "said"
    assert cookies(answer) == values(answer.headers, "Vary") == []
    assert manager.active_count() == 0


def test_a_change_counts_though_it_is_denied(app: Flask, client: FlaskClient) -> None:
    @app.get("/put")
    def index() -> str:
        session["n"] = 1
        session.modified = False
        return "denied"

    page(app, "/", lambda: session.get("n"))
    assert client.get("/put").text == "denied"
    assert client.get("/").text == "1"


def test_a_session_that_is_emptied_is_deleted(
    app: Flask, client: FlaskClient, manager: Manager
) -> None:
    page(app, "/put", put("n", 1))
    page(app, "/pop", lambda: session.pop("n"))
    client.get("/put")
    [line] = cookies(client.get("/pop"))
    assert "; Max-Age=0;" in line
    assert client.get_cookie("session") is None
    assert manager.active_count() == 0


def test_signing_in_renews_the_token_and_keeps_the_cart(
    app: Flask, client: FlaskClient, manager: Manager
) -> None:
    page(app, "/put", put("cart", ["pear"]))
    page(app, "/login", lambda: session.login("ada"))
    page(app, "/", lambda: (session.user, session["cart"]))
    assert cookies(client.get("/put")) != cookies(client.get("/login"))
    assert client.get("/").text == "('ada', ['pear'])"
    assert [info.user for info in manager.sessions()] == ["ada"]


# -- flashed messages -------------------------------------------------------------------------


def test_messages_are_shown_once(app: Flask, client: FlaskClient, manager: Manager) -> None:
    page(app, "/do", lambda: flash("saved"), lambda: flash("full", "warning"))
    page(app, "/", lambda: get_flashed_messages(with_categories=True))
    client.get("/do")
    assert client.get("/").text == "[('message', 'saved'), ('warning', 'full')]"
    assert client.get("/").text == "[]"
    assert manager.active_count() == 0


def test_markup_comes_back_as_markup(app: Flask, client: FlaskClient) -> None:
    def show() -> str:
        return render_template_string("{{ get_flashed_messages() | join }}")

    page(app, "/do", lambda: flash(Markup("<b>bold</b>")), lambda: flash("<i>"))
    app.add_url_rule("/", "/", show)
    client.get("/do")
    assert client.get("/").text == "<b>bold</b>&lt;i&gt;"


def test_types_of_the_application_stand_beside_markup() -> None:
    class Color(str):
        __slots__ = ()

    app = Flask(__name__)
    install(app, MemoryProvider(), types={"color": (Color, str, Color)})
    page(app, "/put", put("color", Color("red")), lambda: flash(Markup("<b>")))
    page(app, "/", lambda: [type(session["color"]), type(session["_flashes"][0][1])])
    client = app.test_client()
    client.get("/put")
    assert client.get("/").text == f"[{Color!r}, {Markup!r}]"


def test_messages_of_overlapping_requests_both_stand(app: Flask, client: FlaskClient) -> None:
    def overtake() -> Any:
        return app.test_client(use_cookies=False).get("/fast", headers=cookie)

    page(app, "/begin", lambda: flash("zero"))
    page(app, "/slow", lambda: flash("one"), overtake)
    page(app, "/fast", lambda: flash("two"))
    page(app, "/", lambda: sorted(get_flashed_messages()))
    cookie = sent_back(client.get("/begin"))
    client.get("/slow")
    assert client.get("/").text == "['one', 'two', 'zero']"
