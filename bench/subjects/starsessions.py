"""starsessions: ASGI, the session as JSON in a store."""

# ruff: noqa: D102 - methods are documented in `Subject`

from __future__ import annotations

from pathlib import Path

from redis.asyncio import Redis as Client
from starsessions import InMemoryStore, SessionAutoloadMiddleware, SessionMiddleware
from starsessions.stores.base import SessionStore
from starsessions.stores.redis import RedisStore

from bench import servers
from bench.asgi import Asgi, asgi_view, plain_asgi


class Memory(Asgi):
    """Sessions in a dictionary of the process."""

    name = "starsessions"
    store = "memory"
    settings = "SessionAutoloadMiddleware, lifetime=3600"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._store = self._open()
        loaded = SessionAutoloadMiddleware(asgi_view)
        self.with_session = SessionMiddleware(loaded, store=self._store, lifetime=3600)
        self.without = plain_asgi

    def _open(self) -> SessionStore:
        return InMemoryStore()

    def stored(self) -> int:
        return len(self._store.data)


class Redis(Memory):
    """Each session is stored as a Redis string."""

    store = "redis"

    def _open(self) -> SessionStore:
        self._client = Client.from_url(servers.empty_redis())
        return RedisStore(connection=self._client)

    def close(self) -> None:
        self.loop.run(self._client.aclose())
        super().close()

    def stored(self) -> int:
        return servers.keys()
