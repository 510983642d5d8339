"""A small shop in Falcon: a cart, a sign-in that keeps it, and a list of the user's sessions.

`gunicorn 'examples.falcon_app:create_app()'`, and then open http://127.0.0.1:8000/.
"""

from __future__ import annotations

from html import escape
from wsgiref.types import WSGIApplication

from falcon import MEDIA_HTML, App, HTTPSeeOther, Request, Response

from sojourn import Manager, Provider, Session
from sojourn.providers.file import FileProvider
from sojourn.web.wsgi import SessionMiddleware

FORM = '<form method="post" action="/{}"><input name="{}" value="{}"> <button>{}</button></form>'


def create_app(provider: Provider | None = None) -> WSGIApplication:
    """Return the application; by default its sessions are stored in files in ./sessions."""
    manager = Manager(provider or FileProvider("./sessions"))

    def own(user: str | None) -> list[str]:
        return [info.id for info in manager.sessions(user)] if user else []

    class Shop:
        def on_get(self, req: Request, resp: Response) -> None:
            session: Session = req.env["sojourn.session"]
            lines = [f"<h1>Hello, {escape(session.user or 'stranger')}</h1>"]
            lines += [f"<p>{escape(item)}</p>" for item in session.get("cart", [])]
            lines.append(FORM.format("add", "item", "", "Add"))
            for id in own(session.user):
                verb = "Sign out" if id == session.id else "End"
                lines.append(FORM.format("end", "id", id, verb))
            if session.user is None:
                lines.append(FORM.format("login", "name", "", "Sign in"))
            resp.content_type, resp.text = MEDIA_HTML, "".join(lines)

        def on_post_act(self, req: Request, _: Response, deed: str) -> None:
            session: Session = req.env["sojourn.session"]
            match deed, req.get_media():
                case "add", {"item": str(item)}:
                    session.setdefault("cart", []).append(item)
                case "login", {"name": str(name)}:  # a password would be checked here
                    session.login(name)
                case "end", {"id": id} if id == session.id:
                    session.logout()
                case "end", {"id": str(id)}:
                    manager.destroy(id, user=session.user)
            raise HTTPSeeOther("/")

    app = App()
    app.add_route("/", Shop())
    app.add_route("/{deed}", Shop(), suffix="act")
    return SessionMiddleware(app, manager)
