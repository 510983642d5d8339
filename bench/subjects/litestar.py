"""Litestar's server-side sessions, in a Litestar application."""

# ruff: noqa: D102 - methods are documented in `Subject`

from __future__ import annotations

from pathlib import Path
from typing import Any

from litestar import Litestar, Request, get
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.stores.base import Store
from litestar.stores.file import FileStore
from litestar.stores.memory import MemoryStore
from litestar.stores.redis import RedisStore
from redis.asyncio import Redis as Client

from bench import servers
from bench.asgi import Asgi, done
from bench.subject import QUIET, WORK, files_in


@get("/", media_type="text/plain")
async def visited(request: Request[Any, Any, Any]) -> str:
    """Run the work on the session."""
    scope: Any = request.scope
    await done(scope[WORK](request.session))
    return "ok"


@get("/", media_type="text/plain")
async def plain() -> str:
    """Respond without a session."""
    return "ok"


@get(QUIET, media_type="text/plain")
async def _quiet() -> str:
    return "ok"


def application(view: Any, **settings: Any) -> Litestar:
    """Return an application with two pages; the second one does not use the session."""
    return Litestar([view, _quiet], openapi_config=None, logging_config=None, **settings)


class Memory(Asgi):
    """Sessions in a dictionary of the process."""

    name = "Litestar"
    store = "memory"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._folder = folder
        self._store = self._open(folder)
        self.with_session = application(
            visited,
            middleware=[ServerSideSessionConfig().middleware],
            stores={"sessions": self._store},
        )
        self.without = application(plain)

    def _open(self, _folder: Path) -> Store:
        return MemoryStore()

    def stored(self) -> int:
        return len(self._store._store)  # type: ignore[attr-defined]  # noqa: SLF001 - no count


class File(Memory):
    """Each session is stored as a file."""

    store = "file"

    def _open(self, folder: Path) -> Store:
        return FileStore(folder)

    def stored(self) -> int:
        return files_in(self._folder)


class Redis(Memory):
    """Each session is stored as a Redis string."""

    store = "redis"

    def _open(self, _folder: Path) -> Store:
        self._client = Client.from_url(servers.empty_redis())
        return RedisStore(self._client)

    def close(self) -> None:
        self.loop.run(self._client.aclose())
        super().close()

    def stored(self) -> int:
        return servers.keys()
