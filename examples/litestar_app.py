"""A small shop's API in Litestar: a cart, a sign-in that keeps it, and the user's sessions.

`uvicorn --factory examples.litestar_app:create_app`; try it on http://127.0.0.1:8000/schema/swagger.
"""

from __future__ import annotations

from litestar import Litestar, delete, get, post
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotAuthorizedException
from litestar.params import FromPath, FromQuery

from sojourn import AsyncManager, Provider
from sojourn.providers.file import FileProvider
from sojourn.web.litestar import CurrentSession, SessionPlugin

User = NamedDependency[str]


async def signed_in(session: CurrentSession) -> str:
    """Return the user who is signed in, or refuse the request if nobody is."""
    if session.user is None:
        raise NotAuthorizedException("Sign in first.")
    return session.user


def create_app(provider: Provider | None = None) -> Litestar:
    """Return the application; by default its sessions are stored in files in ./sessions."""
    sessions = AsyncManager(provider or FileProvider("./sessions"))

    @get("/cart")
    async def cart(session: CurrentSession) -> list[str]:
        return list(session.get("cart", []))

    @post("/cart")
    async def add(item: FromQuery[str], session: CurrentSession) -> None:
        session.setdefault("cart", []).append(item)

    @post("/login")
    async def login(name: FromQuery[str], session: CurrentSession) -> None:
        session.login(name)  # a password would be checked here

    @post("/logout")
    async def logout(session: CurrentSession) -> None:
        session.logout()

    @get("/sessions", dependencies={"user": Provide(signed_in)})
    async def others(user: User, session: CurrentSession) -> list[str]:
        return [info.id async for info in sessions.sessions(user) if info.id != session.id]

    @delete("/sessions/{id:str}", status_code=200, dependencies={"user": Provide(signed_in)})
    async def end(id: FromPath[str], user: User) -> bool:
        return await sessions.destroy(id, user=user)

    pages = [cart, add, login, logout, others, end]
    return Litestar(pages, plugins=[SessionPlugin(sessions)])
