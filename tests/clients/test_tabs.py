"""Two tabs of one Chromium share one cookie."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.clients.doors import Site
from tests.clients.visitors import Chromium, Kept
from tests.servers.process import wait_until

TAKE_OFF = "url => { window.flight = fetch(url).then(answer => answer.text()) }"
LAND = "window.flight"
AFTER = {"login?user=ada": "ada", "end": "nobody"}
"""Who is signed in after a deed."""


@pytest.fixture
def tabs(site: Site, chromium: Chromium) -> tuple[Page, Page]:
    """Two, in a session that has begun."""
    chromium.ask(site.url("https", "plain/put", word="tent"))
    other = chromium.context.new_page()
    other.goto(site.url("https", "plain/read"))
    return chromium.page, other


def said(tab: Page, url: str) -> str:
    tab.goto(url)
    return tab.inner_text("body")


def only(chromium: Chromium) -> Kept:
    [cookie] = chromium.kept()
    return cookie


def test_a_sign_in_in_one_tab_counts_in_the_other(
    site: Site, chromium: Chromium, tabs: tuple[Page, Page]
) -> None:
    one, two = tabs
    before = only(chromium)
    one.goto(site.url("https", "plain/login", user="ada"))
    assert only(chromium).value != before.value
    assert said(two, site.url("https", "plain/who")) == "ada"
    assert said(two, site.url("https", "plain/read")) == "tent"


def test_a_sign_out_in_one_tab_counts_in_the_other(
    site: Site, chromium: Chromium, tabs: tuple[Page, Page]
) -> None:
    one, two = tabs
    one.goto(site.url("https", "plain/login", user="ada"))
    two.goto(site.url("https", "plain/end"))
    assert chromium.kept() == []
    assert said(one, site.url("https", "plain/who")) == "nobody"
    assert said(one, site.url("https", "plain/put?word=mug")) == "mug"
    assert said(two, site.url("https", "plain/read")) == "mug"


@pytest.mark.parametrize("deed", AFTER)
def test_what_is_under_way_in_the_other_tab_does_not_undo_it(
    site: Site, chromium: Chromium, tabs: tuple[Page, Page], tmp_path: Path, deed: str
) -> None:
    """The slow request comes back last, and its answer must carry no cookie."""
    one, two = tabs
    gate = tmp_path / "gate"
    slowly = site.url("https", "plain/slowly", word="mug", until=str(gate))
    two.evaluate(TAKE_OFF, slowly)
    wait_until(gate.with_suffix(".reached").exists, "the slow request")
    one.goto(site.url("https", f"plain/{deed}"))
    after = chromium.kept()
    gate.touch()
    assert two.evaluate(LAND) == "mug"
    assert chromium.kept() == after
    assert said(two, site.url("https", "plain/who")) == AFTER[deed]
