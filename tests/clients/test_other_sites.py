"""What Chromium does with our cookie when another site asks: SameSite, and Partitioned.

Sites differ by their registrable domain (`example.test`, `other.test`), and by their scheme.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Playwright

from tests.clients.doors import Site
from tests.clients.kinds import OTHER, SHOP, THIRD, WWW
from tests.clients.visitors import Chromium

# What is tried is the browser: it is given the same cookies in both colours.
pytestmark = pytest.mark.parametrize("site", ["asgi"], indirect=True, scope="module")

CLICK = """url => {
    const link = document.body.appendChild(document.createElement("a"));
    link.href = url; link.click();
}"""
SUBMIT = """url => {
    const form = document.body.appendChild(document.createElement("form"));
    form.method = "POST"; form.action = url; form.submit();
}"""
EMBED = """url => new Promise(loaded => {
    const frame = document.body.appendChild(document.createElement("iframe"));
    frame.onload = loaded; frame.src = url;
})"""
FETCH = (
    """url => fetch(url, {method: "POST", credentials: "include"}).then(answer => answer.text())"""
)


def by_link(chromium: Chromium, url: str) -> str:
    with chromium.page.expect_navigation():
        chromium.page.evaluate(CLICK, url)
    return chromium.page.inner_text("body")


def by_form(chromium: Chromium, url: str) -> str:
    with chromium.page.expect_navigation():
        chromium.page.evaluate(SUBMIT, url)
    return chromium.page.inner_text("body")


def in_frame(chromium: Chromium, url: str) -> str:
    chromium.page.evaluate(EMBED, url)
    return chromium.page.frames[-1].inner_text("body")


def by_fetch(chromium: Chromium, url: str) -> str:
    text: str = chromium.page.evaluate(FETCH, url)
    return text


Way = Callable[[Chromium, str], str]
WAYS: list[Way] = [by_link, by_form, in_frame, by_fetch]
every_way = pytest.mark.parametrize("way", WAYS)

SITES = ["none", "plain", "strict"]
"""The kinds, by SameSite: None, Lax, Strict."""


def put_all(chromium: Chromium, site: Site, host: str = SHOP) -> None:
    for kind in SITES:
        chromium.ask(site.url("https", f"{kind}/put", host, word="tent"))


def from_there(chromium: Chromium, site: Site, host: str, way: Way, url: str) -> str:
    """What comes of a request that a page of another host makes."""
    chromium.ask(site.url("https", "plain/who", host))
    return way(chromium, url)


# -- SameSite ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "sent"),
    [(by_link, "none plain"), (by_form, "none"), (in_frame, "none"), (by_fetch, "none")],
)
def test_another_site_gets_the_cookie_sent_as_configured(
    site: Site, chromium: Chromium, way: Way, sent: str
) -> None:
    put_all(chromium, site)
    asked = site.url("https", "plain/names")
    assert from_there(chromium, site, OTHER, way, asked) == sent
    assert chromium.ask(asked) == " ".join(SITES)  # the address bar is nobody's request


@every_way
def test_another_host_of_the_site_gets_them_all(site: Site, chromium: Chromium, way: Way) -> None:
    put_all(chromium, site)
    asked = site.url("https", "plain/names")
    assert from_there(chromium, site, WWW, way, asked) == " ".join(SITES)


@pytest.mark.parametrize(("way", "sent"), [(by_link, "none plain"), (by_form, "none")])
def test_an_address_and_a_name_of_one_machine_are_two_sites(
    site: Site, chromium: Chromium, way: Way, sent: str
) -> None:
    put_all(chromium, site, "localhost")
    asked = site.url("https", "plain/names", "localhost")
    assert from_there(chromium, site, "127.0.0.1", way, asked) == sent


def test_http_and_https_are_two_sites(site: Site, chromium: Chromium) -> None:
    put_all(chromium, site)
    chromium.ask(site.url("http", "never/who"))
    assert by_form(chromium, site.url("https", "plain/names")) == "none"


@every_way
@pytest.mark.parametrize("kind", ["plain", "strict"])
def test_a_request_that_another_site_forges_changes_nothing(
    site: Site, chromium: Chromium, kind: str, way: Way
) -> None:
    """A link does, where SameSite is Lax: so a GET should change nothing."""
    chromium.ask(site.url("https", f"{kind}/login", user="ada"))
    chromium.ask(site.url("https", f"{kind}/put", word="tent"))
    known = "ada" if (kind, way) == ("plain", by_link) else "nobody"
    asked = site.url("https", f"{kind}/who")
    assert from_there(chromium, site, OTHER, way, asked) == known
    if known == "nobody":
        from_there(chromium, site, OTHER, way, site.url("https", f"{kind}/end"))
    assert chromium.ask(site.url("https", f"{kind}/who")) == "ada"
    assert chromium.ask(site.url("https", f"{kind}/read")) == "tent"


@pytest.mark.parametrize("way", [in_frame, by_fetch])
@pytest.mark.parametrize(("kind", "kept"), [("none", "mug"), ("plain", "nothing")])
def test_a_session_begun_within_another_site_needs_same_site_none(
    site: Site, chromium: Chromium, kind: str, kept: str, way: Way
) -> None:
    put = site.url("https", f"{kind}/put", word="mug")
    assert from_there(chromium, site, OTHER, way, put) == "mug"
    assert way(chromium, site.url("https", f"{kind}/read")) == kept


# -- Partitioned ------------------------------------------------------------------------------


def test_a_partitioned_cookie_is_one_for_each_site_that_embeds(
    site: Site, chromium: Chromium
) -> None:
    read = site.url("https", "chips/read")
    for host, word in [(OTHER, "tent"), (THIRD, "mug")]:
        put = site.url("https", "chips/put", word=word)
        assert from_there(chromium, site, host, in_frame, put) == word
    assert from_there(chromium, site, OTHER, in_frame, read) == "tent"
    assert from_there(chromium, site, THIRD, in_frame, read) == "mug"
    assert chromium.ask(read) == "nothing"
    assert len(chromium.kept()) == 2


def test_the_end_within_one_site_leaves_the_others_alone(site: Site, chromium: Chromium) -> None:
    read = site.url("https", "chips/read")
    for host in (OTHER, THIRD):
        from_there(chromium, site, host, in_frame, site.url("https", "chips/put", word=host))
    from_there(chromium, site, OTHER, in_frame, site.url("https", "chips/end"))
    assert len(chromium.kept()) == 1
    assert from_there(chromium, site, OTHER, in_frame, read) == "nothing"
    assert from_there(chromium, site, THIRD, in_frame, read) == THIRD


@pytest.fixture
def cautious(
    playwright: Playwright, site: Site, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Chromium]:
    """A Chromium whose user does not want third parties to keep cookies."""
    profile = tmp_path_factory.mktemp("cautious")
    chromium = Chromium(playwright, profile, site.certificate, third_party=False)
    yield chromium
    chromium.close()


@pytest.mark.parametrize(("kind", "kept"), [("none", "nothing"), ("chips", "tent")])
def test_where_third_parties_are_blocked_a_partitioned_cookie_still_works(
    site: Site, cautious: Chromium, kind: str, kept: str
) -> None:
    put = site.url("https", f"{kind}/put", word="tent")
    from_there(cautious, site, OTHER, in_frame, put)
    assert in_frame(cautious, site.url("https", f"{kind}/read")) == kept
