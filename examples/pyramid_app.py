"""A small shop in Pyramid: a cart, a sign-in that keeps it, and a list of the user's sessions.

`gunicorn 'examples.pyramid_app:create_app()'`, and then open http://127.0.0.1:8000/.
"""

from __future__ import annotations

from html import escape

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.response import Response
from pyramid.router import Router

from sojourn import Manager, Provider
from sojourn.providers.file import FileProvider
from sojourn.web.pyramid import SessionFactory

FORM = '<form method="post" action="/{}"><input name="{}" value="{}"> <button>{}</button></form>'


def create_app(provider: Provider | None = None) -> Router:
    """Return the application; by default its sessions are stored in files in ./sessions."""
    manager = Manager(provider or FileProvider("./sessions"))

    def own(user: str | None) -> list[str]:
        return [info.id for info in manager.sessions(user)] if user else []

    def index(request: Request) -> Response:
        session = request.session
        lines = [f"<h1>Hello, {escape(session.user or 'stranger')}</h1>", *session.pop_flash()]
        lines += [f"<p>{escape(item)}</p>" for item in session.get("cart", [])]
        lines.append(FORM.format("add", "item", "", "Add"))
        for id in own(session.user):
            lines.append(FORM.format("end", "id", id, "Sign out" if id == session.id else "End"))
        lines += [] if session.user else [FORM.format("login", "name", "", "Sign in")]
        return Response("".join(lines))

    def act(request: Request) -> Response:
        session, form = request.session, request.POST
        match request.matchdict["deed"]:
            case "add":
                session.setdefault("cart", []).append(form["item"])
            case "login":  # a password would be checked here
                session.login(form["name"])
            case "end" if form["id"] == session.id:
                session.logout()
            case "end" if manager.destroy(form["id"], user=session.user):
                session.flash("<p><em>That session is over.</em></p>")
        return HTTPSeeOther("/")

    with Configurator() as config:
        config.set_session_factory(SessionFactory(manager))
        config.add_route("page", "/{deed:.*}")
        config.add_view(index, route_name="page", request_method="GET")
        config.add_view(act, route_name="page", request_method="POST")
        return config.make_wsgi_app()
