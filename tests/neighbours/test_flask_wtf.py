"""Flask-WTF, whose token against forged forms is kept in the session."""

from __future__ import annotations

from flask import Flask, render_template_string
from flask_wtf.csrf import CSRFProtect

from sojourn.providers.memory import MemoryProvider
from sojourn.web.flask import install, session
from tests.web.pallets import sent_back


def site() -> Flask:
    """An application whose page at / is a form token."""
    app = Flask(__name__)
    app.secret_key = "what the extension signs with"
    install(app, MemoryProvider())
    CSRFProtect(app)
    app.add_url_rule("/", "form", lambda: render_template_string("{{ csrf_token() }}"))
    return app


def test_a_form_of_the_visitor_passes_and_a_forged_one_does_not() -> None:
    app = site()

    @app.post("/login")
    def login() -> str:
        session.login("ada")
        return "in"

    @app.post("/pay")
    def pay() -> str:
        return f"paid by {session.user}"

    client = app.test_client()
    token = {"csrf_token": client.get("/").text}
    assert client.post("/login").status_code == 400
    assert client.post("/login", data=token).text == "in"
    assert client.post("/pay", data=token).text == "paid by ada"  # a sign-in keeps the token
    stranger = app.test_client(use_cookies=False)
    theirs = sent_back(stranger.get("/"))
    assert stranger.post("/pay", data=token, headers=theirs).status_code == 400


def test_a_sign_in_may_drop_the_token_that_was_known_before_it() -> None:
    """Whoever planted the session of before the sign-in knows it."""
    app = site()

    @app.post("/login")
    def login() -> str:
        session.pop("csrf_token", None)
        session.login("ada")
        return "in"

    client = app.test_client()
    before = {"csrf_token": client.get("/").text}
    assert client.post("/login", data=before).text == "in"
    after = {"csrf_token": client.get("/").text}
    assert client.post("/login", data=before).status_code == 400
    assert client.post("/login", data=after).text == "in"
