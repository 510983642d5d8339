"""A small shop in Starlette: a cart, a sign-in that keeps it, and a list of the user's sessions.

`uvicorn --factory examples.starlette_app:create_app`, and then open http://127.0.0.1:8000/.
"""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sojourn import AsyncManager, Provider, Session
from sojourn.providers.file import FileProvider
from sojourn.web.asgi import SessionMiddleware

FORM = '<form method="post" action="/{}"><input name="{}" value="{}"> <button>{}</button></form>'


def create_app(provider: Provider | None = None) -> Starlette:
    """Return the application; by default its sessions are stored in files in ./sessions."""
    manager = AsyncManager(provider or FileProvider("./sessions"))

    async def index(request: Request) -> Response:
        session: Session = request.scope["session"]
        lines = [f"<h1>Hello, {escape(session.user or 'stranger')}</h1>"]
        lines += [f"<p>{escape(item)}</p>" for item in session.get("cart", [])]
        lines.append(FORM.format("add", "item", "", "Add"))
        if session.user is None:
            return HTMLResponse("".join([*lines, FORM.format("login", "name", "", "Sign in")]))
        async for other in manager.sessions(session.user):
            verb = "This one: sign out" if other.id == session.id else "End"
            lines.append(FORM.format("end", "id", other.id, verb))
        return HTMLResponse("".join(lines))

    async def act(request: Request) -> Response:
        session: Session = request.scope["session"]
        form = dict(parse_qsl((await request.body()).decode()))
        match request.path_params["deed"], form:
            case "add", {"item": item}:
                session.setdefault("cart", []).append(item)
            case "login", {"name": name}:  # a password would be checked here
                session.login(name)
            case "end", {"id": id} if id == session.id:
                session.logout()
            case "end", {"id": str(id)}:
                await manager.destroy(id, user=session.user)
        return RedirectResponse("/", 303)

    routes = [Route("/", index), Route("/{deed}", act, methods=["POST"])]
    return Starlette(routes=routes, middleware=[Middleware(SessionMiddleware, manager=manager)])
