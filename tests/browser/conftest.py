"""The shop, and its visitors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path / "sessions")
    with shop.running():
        yield shop


@pytest.fixture
def visit(browser: Browser, shop: Shop) -> Iterator[Callable[..., Page]]:
    """Visitors with a browser of their own each, who are at the shop's door."""
    contexts: list[BrowserContext] = []

    def visit(**options: str) -> Page:
        contexts.append(browser.new_context(base_url=shop.address, **options))  # type: ignore[arg-type]
        page = contexts[-1].new_page()
        page.goto("/")
        return page

    yield visit
    for context in contexts:
        context.close()
