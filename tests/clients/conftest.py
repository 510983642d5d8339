"""The site, and those who visit it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Playwright, sync_playwright

from tests.clients.doors import Site, opened
from tests.clients.visitors import Chromium, Curl, Httpx, Urllib, Visitor


@pytest.fixture(scope="module", params=["wsgi", "asgi"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    with opened(request.param, tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def started(
    playwright: Playwright, site: Site, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Chromium]:
    chromium = Chromium(playwright, tmp_path_factory.mktemp("chromium"), site.certificate)
    yield chromium
    chromium.close()


@pytest.fixture
def chromium(started: Chromium) -> Iterator[Chromium]:
    """A Chromium that knows nothing yet."""
    yield started
    started.forget()


def resolved(ask: Any, host: str | None, *rest: Any, **more: Any) -> Any:
    """Look a host up; names that end with .test are of this machine."""
    here = isinstance(host, str) and host.endswith(".test")
    return ask("127.0.0.1" if here else host, *rest, **more)


@pytest.fixture(params=[Curl, Urllib, Httpx, Chromium], ids=lambda kind: kind.__name__.lower())
def visitor(
    request: pytest.FixtureRequest, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Visitor:
    """Each client in turn, with an empty jar."""
    if request.param is Chromium:
        chromium: Chromium = request.getfixturevalue("chromium")
        return chromium
    monkeypatch.setattr(socket, "getaddrinfo", partial(resolved, socket.getaddrinfo))
    made: Visitor = request.param(tmp_path, site.certificate)
    return made
