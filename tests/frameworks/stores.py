"""The stores that applications are tried on, each of which can be out of reach for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.frameworks.cable import Cable
from tests.servers.mariadb import MariaDB
from tests.servers.redis import Redis, fresh_prefix
from tests.servers.sql import fresh_table


class Store(NamedTuple):
    """A store: how an application names it, and how the test does."""

    provider: str
    config: Any
    witness: Any
    """The same store, always in reach."""
    outage: Callable[[], AbstractContextManager[None]]


@contextmanager
def file_store(folder: Path) -> Iterator[Store]:
    path = str(folder / "sessions")
    yield Store("file", path, path, lambda: _displaced(Path(path)))


@contextmanager
def _displaced(folder: Path) -> Iterator[None]:
    """A file stands where the folder was, as after a mount that went wrong."""
    aside = folder.rename(folder.with_name("aside"))
    folder.touch()
    try:
        yield
    finally:
        folder.unlink()
        aside.rename(folder)


@contextmanager
def redis_store(server: Redis) -> Iterator[Store]:
    own = {"prefix": fresh_prefix()}
    with Cable(server.port) as cable:
        through = server.url().replace(f":{server.port}/", f":{cable.port}/")
        yield Store(
            "redis", {"address": through, **own}, {"address": server.url(), **own}, cable.pulled
        )


@contextmanager
def mysql_store(server: MariaDB) -> Iterator[Store]:
    own = {"table": fresh_table()}
    with Cable(server.port) as cable:
        through = server.url().replace(f":{server.port}/", f":{cable.port}/")
        yield Store("mysql", {"dsn": through, **own}, {"dsn": server.url(), **own}, cable.pulled)


Open = Callable[[pytest.FixtureRequest, pytest.TempPathFactory], AbstractContextManager[Store]]

STORES: dict[str, Open] = {
    "file": lambda request, paths: file_store(paths.mktemp("store")),
    "redis": lambda request, paths: redis_store(request.getfixturevalue("redis_server")),
    "mysql": lambda request, paths: mysql_store(request.getfixturevalue("mariadb")),
}
"""Each opens a store for one site."""
