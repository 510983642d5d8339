"""What every client that keeps cookies makes of ours."""

from __future__ import annotations

import time

import pytest

from tests.clients.doors import Door, Site
from tests.clients.kinds import DAY, HOUR, OTHER, SHOP, WWW, name_of
from tests.clients.visitors import Kept, Visitor

DOORS: list[Door] = ["http", "https", "proxied"]
NEEDS_TLS = ["always", "none", "host", "prefixed", "chips"]

every_door = pytest.mark.parametrize("door", DOORS)


def only(visitor: Visitor) -> Kept:
    """The one cookie in the jar."""
    [cookie] = visitor.kept()
    return cookie


@every_door
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", SHOP])
def test_a_visitor_is_known_again(site: Site, visitor: Visitor, door: Door, host: str) -> None:
    visitor.ask(site.url(door, "plain/put", host, word="tent"))
    assert visitor.ask(site.url(door, "plain/read", host)) == "tent"


@every_door
def test_the_cookie_is_of_this_host_until_the_browser_closes(
    site: Site, visitor: Visitor, door: Door
) -> None:
    visitor.ask(site.url(door, "plain/put", word="tent"))
    cookie = only(visitor)
    assert (cookie.domain, cookie.path, cookie.http_only, cookie.expires) == (SHOP, "/", True, None)
    assert len(cookie.value) == 43


def test_a_cookie_is_open_to_scripts_only_if_so_configured(site: Site, visitor: Visitor) -> None:
    visitor.ask(site.url("https", "readable/put", word="tent"))
    assert not only(visitor).http_only


# -- Secure -----------------------------------------------------------------------------------


@every_door
def test_a_cookie_that_came_over_https_is_secure(site: Site, visitor: Visitor, door: Door) -> None:
    """`proxied` is https to the client and http to the server, which is told by a header."""
    visitor.ask(site.url(door, "plain/put", word="tent"))
    assert only(visitor).secure == (door != "http")


@pytest.mark.parametrize(
    ("door", "kind"),
    [("https", kind) for kind in ("plain", *NEEDS_TLS)]
    + [("proxied", "plain"), ("proxied", "host")],
)
def test_a_secure_cookie_comes_back_over_https_alone(
    site: Site, visitor: Visitor, door: Door, kind: str
) -> None:
    visitor.ask(site.url(door, f"{kind}/put", word="tent"))
    assert visitor.ask(site.url("http", f"{kind}/names")) == ""
    assert visitor.ask(site.url("https", f"{kind}/names")) == name_of(kind)
    assert visitor.ask(site.url("https", f"{kind}/read")) == "tent"


@pytest.mark.parametrize("kind", NEEDS_TLS)
def test_a_secure_cookie_is_not_to_be_had_over_http(
    site: Site, visitor: Visitor, kind: str
) -> None:
    visitor.ask(site.url("http", f"{kind}/put", word="tent"))
    assert visitor.ask(site.url("http", f"{kind}/read")) == "nothing"
    assert not visitor.refuses or visitor.kept() == []


def test_without_secure_a_cookie_travels_over_both(site: Site, visitor: Visitor) -> None:
    visitor.ask(site.url("https", "never/put", word="tent"))
    assert not only(visitor).secure
    assert visitor.ask(site.url("http", "never/read")) == "tent"


# -- domain and path --------------------------------------------------------------------------


def test_a_path_keeps_the_cookie_below_it(site: Site, visitor: Visitor) -> None:
    visitor.ask(site.url("https", "path/put", word="tent"))
    assert only(visitor).path == "/path"
    assert visitor.ask(site.url("https", "path/names")) == "path"
    assert visitor.ask(site.url("https", "plain/names")) == ""


def test_a_domain_shares_the_cookie_among_its_hosts(site: Site, visitor: Visitor) -> None:
    visitor.ask(site.url("https", "wide/put", word="tent"))
    visitor.ask(site.url("https", "plain/put", word="mug"))
    assert visitor.ask(site.url("https", "wide/names", WWW)) == "wide"
    assert visitor.ask(site.url("https", "wide/read", WWW)) == "tent"
    assert visitor.ask(site.url("https", "wide/names", OTHER)) == ""


def test_a_sign_in_counts_beside_a_cookie_from_before_the_domain_was_set(
    site: Site, visitor: Visitor
) -> None:
    """Two cookies of one name come from now on, and the older one first."""
    visitor.ask(site.url("https", "narrow/put", word="tent"))
    visitor.ask(site.url("https", "wide/login", user="ada"))
    assert visitor.ask(site.url("https", "wide/names")) == "wide wide"
    assert visitor.ask(site.url("https", "wide/who")) == "ada"
    assert visitor.ask(site.url("https", "wide/read")) == "tent"


# -- the end ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("door", "kind"),
    [("http", kind) for kind in ("plain", "both", "lasting")]
    + [("https", kind) for kind in ("plain", "path", "wide", "both", "lasting", *NEEDS_TLS)]
    + [("proxied", kind) for kind in ("plain", "host")],
)
def test_the_end_empties_the_jar(site: Site, visitor: Visitor, door: Door, kind: str) -> None:
    """A cookie is deleted under the attributes that it was set with, or not at all."""
    visitor.ask(site.url(door, f"{kind}/put", word="tent"))
    assert only(visitor).name == name_of(kind)
    visitor.ask(site.url(door, f"{kind}/end"))
    assert visitor.kept() == []
    assert visitor.ask(site.url(door, f"{kind}/read")) == "nothing"


@every_door
def test_a_sign_in_takes_another_cookie_in_the_place_of_the_first(
    site: Site, visitor: Visitor, door: Door
) -> None:
    visitor.ask(site.url(door, "plain/put", word="tent"))
    before = only(visitor)
    visitor.ask(site.url(door, "plain/login", user="ada"))
    assert only(visitor).value != before.value
    assert visitor.ask(site.url(door, "plain/who")) == "ada"
    assert visitor.ask(site.url(door, "plain/read")) == "tent"


# -- how long it is kept ----------------------------------------------------------------------


def test_a_restart_keeps_what_is_to_last_and_nothing_else(site: Site, visitor: Visitor) -> None:
    visitor.ask(site.url("https", "plain/put", word="tent"))
    visitor.ask(site.url("https", "lasting/put", word="mug"))
    visitor.ask(site.url("https", "host/login", user="ada", remember=str(30 * DAY)))
    visitor.restart()
    assert visitor.ask(site.url("https", "plain/names")) == "__Host-sid lasting"
    assert visitor.ask(site.url("https", "plain/read")) == "nothing"
    assert visitor.ask(site.url("https", "lasting/read")) == "mug"
    assert visitor.ask(site.url("https", "host/who")) == "ada"


def test_a_lasting_cookie_is_renewed_when_its_session_is_seen(site: Site, visitor: Visitor) -> None:
    visitor.ask(site.url("https", "shorter/put", word="tent"))
    first = only(visitor)
    assert first.expires == pytest.approx(time.time() + HOUR, abs=30)
    assert visitor.ask(site.url("https", "lasting/read")) == "tent"
    assert only(visitor) == first._replace(expires=only(visitor).expires)
    assert only(visitor).expires == pytest.approx(time.time() + DAY, abs=30)


@pytest.mark.parametrize(("days", "kept"), [(30, 30), (500, 400)])
def test_who_is_remembered_is_so_for_at_most_400_days(
    site: Site, visitor: Visitor, days: int, kept: int
) -> None:
    visitor.ask(site.url("https", "forever/login", user="ada", remember=str(days * DAY)))
    assert only(visitor).expires == pytest.approx(time.time() + kept * DAY, abs=30)
