"""Litestar: its own sessions, in a cookie and on the server, and Sojourn."""

from __future__ import annotations

from pathlib import Path

from litestar.middleware.session.client_side import CookieBackendConfig

from bench.asgi import Asgi
from bench.frameworks.common import QUIET_PAGE, SECRET, Ours, Subjects, over
from bench.stores import managed
from bench.subjects.litestar import File, Memory, Redis, application, plain, visited
from sojourn import AsyncManager
from sojourn.web.litestar import SessionPlugin


class EncryptedCookie(Asgi):
    """The client-side sessions of Litestar."""

    name = "Litestar"
    store = "cookie"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.without = application(plain)
        config = CookieBackendConfig(secret=SECRET[:16].encode())
        self.with_session = application(visited, middleware=[config.middleware])


class Sojourn(Ours, Asgi):
    """Sojourn provides `request.session`."""

    settings = f"quiet={QUIET_PAGE}"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.without = application(plain)
        self.manager = managed(AsyncManager, self.store, folder)
        plugin = SessionPlugin(self.manager, quiet=QUIET_PAGE)
        self.with_session = application(visited, plugins=[plugin])


SUBJECTS: Subjects = (
    EncryptedCookie,
    Memory,
    File,
    Redis,
    *over(Sojourn, "memory", "file", "redis"),
)
