"""Other event loops than that of asyncio are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sojourn import AsyncManager, ConfigError
from sojourn.providers.redis import AsyncRedisProvider
from sojourn.providers.sql import AsyncMySQLProvider, AsyncPostgresProvider, SQLiteProvider

COOKIE = {"Cookie": f"session={'A' * 43}"}

STORES: dict[str, Callable[[Path], Any]] = {
    "threads": lambda tmp_path: SQLiteProvider(tmp_path / "sessions.db"),
    "redis": lambda _: AsyncRedisProvider("127.0.0.1:1"),
    "mysql": lambda _: AsyncMySQLProvider("shop:secret@tcp(127.0.0.1:1)/shop"),
    "postgres": lambda _: AsyncPostgresProvider("postgres://shop:secret@127.0.0.1:1/shop"),
}


@pytest.mark.parametrize("store", STORES)
def test_without_a_loop_of_asyncio_the_error_says_so(store: str, tmp_path: Path) -> None:
    """As under trio: a coroutine runs, and asyncio knows of no loop."""
    manager = AsyncManager(STORES[store](tmp_path))
    with pytest.raises(ConfigError, match="asyncio alone"):
        manager.start(COOKIE).send(None)
    if store != "redis":  # which needs no sweeps
        with pytest.raises(ConfigError, match="asyncio alone"):
            manager.start_gc()
