"""What all tests share."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from sojourn.providers import pool, registry

# A fixture imports what it starts: a test that needs no server needs no driver and no browser.
if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.servers.mariadb import MariaDB
    from tests.servers.postgres import Postgres
    from tests.servers.redis import Redis
    from tests.servers.redis_groups import RedisCluster, Sentinels

# Under coverage, on two cores, an example may take its time; what it finds must not depend on it.
hypothesis.settings.register_profile("sojourn", deadline=None, print_blob=True)
hypothesis.settings.load_profile("sojourn")


def pytest_configure(config: pytest.Config) -> None:
    """Run asynchronous tests without a marker, if pytest-asyncio is there to run them."""
    if config.pluginmanager.has_plugin("asyncio"):
        config.option.asyncio_mode = "auto"


def pytest_collection_finish() -> None:
    """Leave the tests themselves out of garbage collection: they are many, and stay to the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium for one module, whose tests are plain functions: Playwright runs an event loop."""
    from playwright.sync_api import sync_playwright

    from tests.servers.process import tool

    arguments = ["--no-sandbox", "--disable-dev-shm-usage"]  # for root, and for small containers
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=tool("chromium"), args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    from tests.servers.redis import Redis

    with Redis() as server:
        yield server


@pytest.fixture(scope="session")
def redis_tls() -> Iterator[Redis]:
    from tests.servers.certificates import Certificate
    from tests.servers.redis import Redis

    with Redis(tls=Certificate.new()) as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisCluster]:
    from tests.servers.redis_groups import RedisCluster

    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def redis_sentinels() -> Iterator[Sentinels]:
    from tests.servers.redis_groups import Sentinels

    with Sentinels() as sentinels:
        yield sentinels


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    from tests.servers.mariadb import MariaDB

    with MariaDB() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    from tests.servers.postgres import Postgres

    with Postgres() as server:
        yield server


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """Forget the providers that a test registers."""
    before = dict(registry._entries)
    yield
    registry._entries.clear()
    registry._entries.update(before)


@pytest.fixture(autouse=True)
def _closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close the connections of providers that a test leaves to the collector.

    The collector may come to a socket before it comes to the connection that would have closed it,
    and the warning of that would fail some later test.
    """
    made: list[weakref.ref[pool.Pool[Any]]] = []
    begin = pool.Pool.__init__

    def noting(self: pool.Pool[Any], **settings: Any) -> None:
        begin(self, **settings)
        made.append(weakref.ref(self))

    monkeypatch.setattr(pool.Pool, "__init__", noting)
    yield
    for each in [reference() for reference in made]:
        if each is not None:
            each.close()
