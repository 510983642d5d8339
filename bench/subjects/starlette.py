"""Starlette's SessionMiddleware: the whole session in a signed cookie."""

from __future__ import annotations

from pathlib import Path

from starlette.middleware.sessions import SessionMiddleware

from bench.asgi import Asgi, asgi_view, plain_asgi


class SignedCookie(Asgi):
    """The client stores the whole session, so there is no server-side store."""

    name = "Starlette"
    store = "cookie"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.with_session = SessionMiddleware(asgi_view, secret_key="0123456789abcdef" * 4)
        self.without = plain_asgi
