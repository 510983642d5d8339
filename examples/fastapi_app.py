"""A small shop's API in FastAPI: a cart, a sign-in that keeps it, and the user's sessions.

`uvicorn --factory examples.fastapi_app:create_app`, and then try it on http://127.0.0.1:8000/docs.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request

from sojourn import AsyncManager, Provider
from sojourn.providers.file import FileProvider
from sojourn.web.asgi import SessionMiddleware
from sojourn.web.fastapi import CurrentSession


async def signed_in(session: CurrentSession) -> str:
    """Return the user who is signed in, or refuse the request if nobody is."""
    if session.user is None:
        raise HTTPException(401, "Sign in first.")
    return session.user


User = Annotated[str, Depends(signed_in)]


def create_app(provider: Provider | None = None) -> FastAPI:
    """Return the application; by default its sessions are stored in files in ./sessions."""
    app, sessions = FastAPI(title="Shop"), AsyncManager(provider or FileProvider("./sessions"))
    app.add_middleware(SessionMiddleware, manager=sessions)

    @app.get("/cart")
    async def cart(session: CurrentSession) -> list[str]:
        return list(session.get("cart", []))

    @app.post("/cart")
    async def add(item: str, session: CurrentSession) -> None:
        session.setdefault("cart", []).append(item)

    @app.post("/login")  # a password would be checked here
    async def login(name: str, session: CurrentSession, request: Request) -> None:
        session.login(name, about={"device": request.headers.get("User-Agent", "")[:200]})

    @app.post("/logout")
    async def logout(session: CurrentSession) -> None:
        session.logout()

    @app.get("/sessions")
    async def others(user: User, session: CurrentSession) -> dict[str, str]:
        found = [info async for info in sessions.sessions(user) if info.id != session.id]
        return {info.id: (info.about or {}).get("device", "") for info in found}

    @app.delete("/sessions/{id}")
    async def end(id: str, user: User) -> bool:
        return await sessions.destroy(id, user=user)

    return app
