"""What scripts, pages without https and neighbouring hosts cannot do to a cookie, in Chromium."""

from __future__ import annotations

import pytest

from tests.clients.doors import Door, Site
from tests.clients.kinds import DOMAIN, SHOP, WWW, name_of
from tests.clients.visitors import Chromium

# What is tried is the browser: it is given the same cookies in both colours.
pytestmark = pytest.mark.parametrize("site", ["asgi"], indirect=True, scope="module")

TOKEN = "A" * 43
"""Something of a token's shape, which the server never issued."""
READ, WRITE = "document.cookie", "text => { document.cookie = text }"


@pytest.mark.parametrize("door", ["http", "https", "proxied"])
def test_a_script_does_not_see_the_cookie(site: Site, chromium: Chromium, door: Door) -> None:
    chromium.ask(site.url(door, "plain/put", word="tent"))
    assert chromium.page.evaluate(READ) == ""
    chromium.ask(site.url(door, "readable/put", word="tent"))
    assert chromium.page.evaluate(READ).startswith("readable=")


@pytest.mark.parametrize("text", [f"plain={TOKEN}; Path=/", "plain=; Path=/; Max-Age=0"])
def test_a_script_can_neither_replace_nor_delete_the_cookie(
    site: Site, chromium: Chromium, text: str
) -> None:
    chromium.ask(site.url("https", "plain/put", word="tent"))
    before = chromium.kept()
    chromium.page.evaluate(WRITE, text)
    assert chromium.kept() == before
    assert chromium.ask(site.url("https", "plain/read")) == "tent"


def test_a_page_over_http_does_not_replace_the_cookie_of_https(
    site: Site, chromium: Chromium
) -> None:
    chromium.ask(site.url("https", "plain/put", word="tent"))
    before = chromium.kept()
    chromium.ask(site.url("http", "plain/put", word="mug"))
    assert chromium.kept() == before
    assert chromium.ask(site.url("https", "plain/read")) == "tent"


@pytest.mark.parametrize("path", ["/", "/plain"])
def test_what_another_host_plants_opens_nothing_and_hides_nothing(
    site: Site, chromium: Chromium, path: str
) -> None:
    """Though the longer path puts it before ours."""
    chromium.ask(site.url("https", "plain/who", WWW))
    chromium.page.evaluate(WRITE, f"plain={TOKEN}; Domain={DOMAIN}; Path={path}; Secure")
    assert chromium.ask(site.url("https", "plain/names")) == "plain"
    chromium.ask(site.url("https", "plain/put", word="tent"))
    assert chromium.ask(site.url("https", "plain/names")) == "plain plain"
    assert chromium.ask(site.url("https", "plain/read")) == "tent"
    assert TOKEN not in [cookie.value for cookie in chromium.kept() if cookie.domain == SHOP]


@pytest.mark.parametrize("attributes", [f"; Domain={DOMAIN}; Secure", f"; Domain={DOMAIN}", ""])
def test_a_host_name_cannot_be_planted(site: Site, chromium: Chromium, attributes: str) -> None:
    chromium.ask(site.url("https", "host/who", WWW))
    chromium.page.evaluate(WRITE, f"{name_of('host')}={TOKEN}; Path=/{attributes}")
    assert chromium.kept() == []
