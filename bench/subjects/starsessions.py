"""starsessions: ASGI, the session as JSON in a store."""

# ruff: noqa: D102 - what a method does stands once, in `Subject`

from __future__ import annotations

from pathlib import Path

from starsessions import InMemoryStore, SessionAutoloadMiddleware, SessionMiddleware

from bench.asgi import Asgi, asgi_view, plain_asgi


class Memory(Asgi):
    """Sessions in a dictionary of the process."""

    name = "starsessions"
    store = "memory"
    settings = "SessionAutoloadMiddleware, lifetime=3600"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._store = InMemoryStore()
        loaded = SessionAutoloadMiddleware(asgi_view)
        self.with_session = SessionMiddleware(loaded, store=self._store, lifetime=3600)
        self.without = plain_asgi

    def stored(self) -> int:
        return len(self._store.data)
