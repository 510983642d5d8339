"""What all tests share."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from playwright.sync_api import Browser, sync_playwright

from sojourn.providers import pool, registry
from tests.redis_servers import redis_cluster, redis_sentinels, redis_server, redis_tls
from tests.servers import tool
from tests.sql_servers import mariadb, postgres

__all__ = [
    "mariadb",
    "postgres",
    "redis_cluster",
    "redis_sentinels",
    "redis_server",
    "redis_tls",
]

# Under coverage, on two cores, an example may take its time; what it finds must not depend on it.
hypothesis.settings.register_profile("sojourn", deadline=None, print_blob=True)
hypothesis.settings.load_profile("sojourn")


def pytest_collection_finish() -> None:
    """Leave the tests themselves out of garbage collection: they are many, and stay to the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium for one module, whose tests are plain functions: it brings an event loop along."""
    arguments = ["--no-sandbox", "--disable-dev-shm-usage"]  # for root, and for small containers
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=tool("chromium"), args=arguments)
        yield browser
        browser.close()


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
