"""A small shop in Flask: a cart, a sign-in that keeps it, and a list of the user's sessions.

`flask --app examples.flask_app run`, and then open http://127.0.0.1:5000/.
"""

from __future__ import annotations

from flask import Flask, flash, redirect, render_template_string, request
from werkzeug import Response

from sojourn import Provider
from sojourn.providers.file import FileProvider
from sojourn.web.flask import install, session

PAGE = """{% for message in get_flashed_messages() %}<p><em>{{ message }}</em></p>{% endfor %}
<h1>Hello, {{ session.user or "stranger" }}</h1>
<form method="post" action="/cart"><input name="item" required> <button>Add</button></form>
<ul>{% for item in session.get("cart", []) %}<li>{{ item }}</li>{% endfor %}</ul>
{% if session.user %}<form method="post" action="/logout"><button>Sign out</button></form>
{% for other in others if other.id != session.id %}
<form method="post" action="/end/{{ other.id }}">{{ other.about.device }} <button>End</button></form>
{% endfor %}{% else %}
<form method="post" action="/login"><input name="name" required> <button>Sign in</button></form>
{% endif %}"""


def create_app(provider: Provider | None = None) -> Flask:
    """Return the application; by default its sessions are stored in files in ./sessions."""
    app = Flask(__name__)
    sessions = install(app, provider or FileProvider("./sessions"))

    @app.get("/")
    def index() -> str:
        others = sessions.sessions(session.user) if session.user else ()
        return render_template_string(PAGE, others=others)

    @app.post("/cart")
    def add() -> Response:
        session.setdefault("cart", []).append(request.form["item"])
        return redirect("/")

    @app.post("/login")
    def login() -> Response:  # a password would be checked here
        session.login(request.form["name"], about={"device": request.user_agent.string[:200]})
        return redirect("/")

    @app.post("/logout")
    def logout() -> Response:
        session.logout()
        return redirect("/")

    @app.post("/end/<id>")
    def end(id: str) -> Response:
        if sessions.destroy(id, user=session.user):
            flash("That session is over.")
        return redirect("/")

    return app
