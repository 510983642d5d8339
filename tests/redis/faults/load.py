"""Visitors of a Redis that fails, in both colours."""

from __future__ import annotations

from typing import Any

from sojourn.providers.redis import AsyncRedisProvider, RedisProvider
from tests.faults import load
from tests.servers.process import BUSY

BOUND = 2
"""How many times its `timeout` a request may take, whatever it does and whatever fails."""


class Load(load.Load):
    """Visitors who come from the beginning of a block to its end."""

    def __init__(self, url: str, *, filler: int = 0, **settings: Any) -> None:
        super().__init__(filler=filler)
        self.settings = {"timeout": 1.0, **settings}
        self.url = url
        self.bound = BOUND * self.settings["timeout"] + BUSY

    def provider(self) -> RedisProvider:
        return RedisProvider(self.url, **self.settings)

    def async_provider(self) -> AsyncRedisProvider:
        return AsyncRedisProvider(self.url, **self.settings)
