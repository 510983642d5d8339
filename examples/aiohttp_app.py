"""A small shop in aiohttp: a cart, a sign-in that keeps it, and a list of the user's sessions.

`python -m examples.aiohttp_app`, and then open http://127.0.0.1:8080/.
"""

from __future__ import annotations

from html import escape

from aiohttp import web

from sojourn import AsyncManager, Provider
from sojourn.providers.file import FileProvider
from sojourn.web.aiohttp import get_session, setup

FORM = '<form method="post" action="/{}"><input name="{}" value="{}"> <button>{}</button></form>'


def create_app(provider: Provider | None = None) -> web.Application:
    """Return the application; by default its sessions are stored in files in ./sessions."""
    manager = AsyncManager(provider or FileProvider("./sessions"))

    async def own(user: str | None) -> list[str]:
        return [info.id async for info in manager.sessions(user)] if user else []

    async def index(request: web.Request) -> web.Response:
        session = get_session(request)
        lines = [f"<h1>Hello, {escape(session.user or 'stranger')}</h1>"]
        lines += [f"<p>{escape(item)}</p>" for item in session.get("cart", [])]
        lines.append(FORM.format("add", "item", "", "Add"))
        for id in await own(session.user):
            verb = "Sign out" if id == session.id else "End"
            lines.append(FORM.format("end", "id", id, verb))
        if session.user is None:
            lines.append(FORM.format("login", "name", "", "Sign in"))
        return web.Response(text="".join(lines), content_type="text/html")

    async def act(request: web.Request) -> web.Response:
        session = get_session(request)
        match request.match_info["deed"], dict(await request.post()):
            case "add", {"item": str(item)}:
                session.setdefault("cart", []).append(item)
            case "login", {"name": str(name)}:  # a password would be checked here
                session.login(name)
            case "end", {"id": id} if id == session.id:
                session.logout()
            case "end", {"id": str(id)}:
                await manager.destroy(id, user=session.user)
        raise web.HTTPSeeOther("/")

    app = web.Application()
    app.add_routes([web.get("/", index), web.post("/{deed}", act)])
    setup(app, manager)
    return app


if __name__ == "__main__":
    web.run_app(create_app(), host="127.0.0.1")
