"""Sojourn through its middlewares."""

# ruff: noqa: D102 - methods are documented in `Subject`

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.asgi import Asgi, asgi_view, plain_asgi
from bench.stores import managed
from bench.subject import WORK
from bench.subjects.sojourn import TYPES, Ours
from bench.wsgi import Wsgi, plain_wsgi
from sojourn import AsyncManager, Manager
from sojourn.web import asgi, wsgi


class WsgiMemory(Ours, Wsgi):
    """Sojourn in memory, through `sojourn.web.wsgi`."""

    name = "Sojourn, WSGI middleware"
    store = "memory"
    weighed = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.manager = managed(Manager, self.store, folder, types=TYPES)
        self.with_session = wsgi.SessionMiddleware(_view, self.manager)
        self.without = plain_wsgi

    def close(self) -> None:
        self.manager.close()

    def stored(self) -> int:
        return int(self.manager.active_count())


def _view(environ: Any, start_response: Any) -> list[bytes]:
    environ[WORK](environ["sojourn.session"])
    return plain_wsgi(environ, start_response)


class WsgiFile(WsgiMemory):
    """The same middleware over files."""

    store = "file"


class WsgiRedis(WsgiMemory):
    """The same middleware over Redis."""

    store = "redis"
    weighed = False


class AsgiMemory(Ours, Asgi):
    """Sojourn in memory, through `sojourn.web.asgi`."""

    name = "Sojourn, ASGI middleware"
    store = "memory"
    weighed = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.manager = managed(AsyncManager, self.store, folder, types=TYPES)
        self.with_session = asgi.SessionMiddleware(asgi_view, self.manager)
        self.without = plain_asgi

    def close(self) -> None:
        self.loop.run(self.manager.close())
        super().close()

    def stored(self) -> int:
        return int(self.loop.run(self.manager.active_count()))


class AsgiFile(AsgiMemory):
    """The same middleware over files, through threads."""

    store = "file"


class AsgiRedis(AsgiMemory):
    """The same middleware over Redis."""

    store = "redis"
