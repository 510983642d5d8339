"""fastapi-redis-sdk: ASGI, the session as JSON in a field of a Redis hash."""

# ruff: noqa: D102 - methods are documented in `Subject`

from __future__ import annotations

from pathlib import Path

from redis.asyncio import Redis as Client
from redis_fastapi import RedisSessionStore, SessionMiddleware
from starlette.requests import Request

from bench import servers
from bench.asgi import Asgi, asgi_view, plain_asgi


class Redis(Asgi):
    """Each session is stored in a hash, whose field and key expire separately."""

    name = "fastapi-redis-sdk"
    store = "redis"
    settings = "SessionMiddleware, idle_ttl=3600"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._client = Client.from_url(servers.empty_redis())
        self._store = RedisSessionStore(self._client, idle_ttl=3600)
        self.with_session = SessionMiddleware(asgi_view, store_factory=self._opened)
        self.without = plain_asgi

    async def _opened(self, _request: Request) -> RedisSessionStore:
        return self._store

    def close(self) -> None:
        self.loop.run(self._client.aclose())
        super().close()

    def stored(self) -> int:
        return servers.keys()
