"""A small real project with Django's admin, clicked through in a real browser.

Under Sojourn's middleware and under Django's own with Sojourn's engine, in threads and in tasks.
"""

from __future__ import annotations

import itertools
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.frameworks.django_project.clicks import (
    ALL_AT_ONCE,
    CLICK,
    enter_admin,
    is_sign_in_page,
    send_note,
    sign_in,
    sign_out,
    signed_in_as,
    token_of,
)
from tests.frameworks.django_project.served import PASSWORD, REMEMBERED, Person, Site
from tests.servers.certificates import Certificate
from tests.servers.redis import fresh_prefix
from tests.servers.sql import fresh_table

SITES = [
    "redis gunicorn sojourn",
    "redis uvicorn sojourn",
    "mysql gunicorn sojourn",
    "mysql uvicorn sojourn",
    "redis gunicorn django",
    "mysql uvicorn django",
]
HTTPS = ["redis uvicorn sojourn https", "mysql gunicorn django https"]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of Django's with 50 people in it, which is copied."""
    site = Site(tmp_path_factory.mktemp("django"), ("memory", None))
    return site.make_database(users=50)


@pytest.fixture(scope="module", params=SITES)
def site(
    request: pytest.FixtureRequest, database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    store, server, middleware, *https = request.param.split()
    if store == "redis":
        address = request.getfixturevalue("redis_server").url()
        config = {"address": address, "prefix": fresh_prefix()}
    else:
        config = {"dsn": request.getfixturevalue("mariadb").dsn(), "table": fresh_table()}
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(database, folder)
    certificate = Certificate.new() if https else None
    site = Site(folder, (store, config), server, middleware, certificate)
    with site.running():
        yield site


@pytest.fixture(scope="module")
def people(site: Site) -> Iterator[Person]:
    """Somebody new each time."""
    return map(Person, itertools.count(1))


@pytest.fixture
def person(people: Iterator[Person]) -> Person:
    return next(people)


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Callable[[], Page]]:
    """Visitors with a browser of their own each."""
    contexts: list[BrowserContext] = []

    def visit() -> Page:
        context = browser.new_context(base_url=site.address, ignore_https_errors=True)
        context.route("**/static/**", lambda route: route.abort())  # there are none
        context.set_default_timeout(10_000)
        contexts.append(context)
        return context.new_page()

    yield visit
    for context in contexts:
        context.close()


@pytest.fixture
def page(visit: Callable[[], Page]) -> Page:
    return visit()


# -- signing in and out ------------------------------------------------------------------------


def test_who_only_looks_gets_no_cookie_and_costs_no_record(site: Site, page: Page) -> None:
    before = site.manager.active_count()
    page.goto("/")
    page.goto("/nowhere/")
    assert page.context.cookies() == []
    assert site.manager.active_count() == before


def test_signing_in_to_the_admin_gives_a_new_token_and_the_old_one_is_dead(
    site: Site, page: Page, person: Person
) -> None:
    page.goto("/admin/")
    old = token_of(page)
    assert old is not None, "the token against forgery is in the session"
    new = enter_admin(page, person)
    assert new != old
    assert site.is_dead(old)
    assert signed_in_as(page) == person.name
    assert [info.user for info in site.manager.sessions(person.id)] == [person.id]


def test_scripts_see_no_cookie(page: Page, person: Person) -> None:
    sign_in(page, person)
    [cookie] = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")
    assert cookie["secure"] is False
    assert page.evaluate("document.cookie") == ""


@pytest.mark.parametrize("site", HTTPS, indirect=True)
def test_over_https_the_cookie_is_secure(site: Site, page: Page, person: Person) -> None:
    token = enter_admin(page, person)
    [cookie] = page.context.cookies()
    assert cookie["secure"] is True
    sign_out(page)
    assert page.context.cookies() == []
    assert site.is_dead(token)


def test_who_asks_for_it_is_remembered(visit: Callable[[], Page], person: Person) -> None:
    cookies = []
    for remember in (False, True):
        page = visit()
        sign_in(page, person, remember=remember)
        cookies += page.context.cookies()
    brief, long = cookies
    assert brief["expires"] == -1, "till the browser is closed"
    assert long["expires"] == pytest.approx(time.time() + REMEMBERED, abs=60)


@pytest.mark.parametrize("where", ["/", "/admin/"])
def test_signing_out_deletes_the_cookie_and_the_record(
    site: Site, page: Page, person: Person, where: str
) -> None:
    token = sign_in(page, person)
    page.goto(where)
    page.get_by_role("button", name=re.compile("Log out")).click()
    expect(page.get_by_text(re.compile("Nobody is signed in|Logged out"))).to_be_visible()
    assert page.context.cookies() == []
    assert site.sessions_of(person) == 0
    assert site.is_dead(token)


def test_another_user_in_the_same_browser_finds_nothing_of_the_first(
    site: Site, page: Page, people: Iterator[Person]
) -> None:
    first, second = next(people), next(people)
    sign_in(page, first)
    page.goto("/notes/")
    assert send_note(page, "for my eyes only") == 200
    sign_in(page, second)
    page.goto("/notes/")
    assert page.get_by_role("listitem").all_inner_texts() == []
    assert (site.sessions_of(first), site.sessions_of(second)) == (0, 1)


def test_a_new_password_keeps_this_browser_signed_in_and_no_other(
    site: Site, visit: Callable[[], Page], person: Person
) -> None:
    """Django keeps a hash of the password in each session, and looks whether it is still true."""
    this, other = visit(), visit()
    before = [sign_in(page, person) for page in (this, other)]
    this.goto("/accounts/password/")
    this.get_by_label("Old password").fill(PASSWORD)
    for label in ("New password:", "New password confirmation:"):
        this.get_by_label(label, exact=True).fill("wander-1-further")
    this.get_by_role("button").filter(has_text=re.compile("Change my password")).click()
    expect(this.locator(".who")).to_have_text(person.name)
    assert token_of(this) not in before
    assert signed_in_as(other) is None
    assert other.context.cookies() == []
    assert site.sessions_of(person) == 1
    assert all(map(site.is_dead, before))


# -- the admin ---------------------------------------------------------------------------------


def test_a_user_is_added_and_changed_and_each_message_is_shown_once(
    page: Page, person: Person
) -> None:
    enter_admin(page, person)
    page.goto("/admin/auth/user/add/")
    page.locator("[name=username]").fill(f"friend-of-{person.name}")
    for name in ("password1", "password2"):
        page.locator(f"[name={name}]").fill("a-very-long-walk")
    page.locator("[name=_save]").click()
    messages = page.locator(".messagelist li")
    expect(messages).to_contain_text(["was added successfully"])
    page.locator("[name=first_name]").fill("Bob")
    page.locator("[name=_save]").click()
    expect(messages).to_contain_text(["was changed successfully"])
    page.reload()
    expect(page.get_by_role("link", name=f"friend-of-{person.name}")).to_be_visible()
    expect(messages).to_have_count(0)


def test_a_form_without_the_token_of_this_session_is_refused(
    visit: Callable[[], Page], people: Iterator[Person]
) -> None:
    page, other = visit(), visit()
    for visitor in (page, other):
        sign_in(visitor, next(people))
    other.goto("/notes/")
    foreign = other.locator("main [name=csrfmiddlewaretoken]").input_value()
    for token in ("", foreign):
        page.goto("/notes/")
        page.evaluate("t => document.querySelector('main [type=hidden]').value = t", token)
        assert send_note(page, "forged") == 403
    page.goto("/notes/")
    assert send_note(page, "genuine") == 200
    assert page.locator("ol li").all_inner_texts() == ["genuine"]


# -- several tabs, several browsers -------------------------------------------------------------


def test_a_form_sent_after_signing_out_in_another_tab_brings_nothing_back(
    site: Site, page: Page, person: Person
) -> None:
    token = sign_in(page, person)
    tab = page.context.new_page()
    tab.goto("/notes/")
    sign_out(page)
    assert send_note(tab, "too late") == 403
    assert is_sign_in_page(tab)
    assert site.sessions_of(person) == 0
    assert site.is_dead(token)


def test_a_form_on_its_way_while_another_tab_signs_out_brings_nothing_back(
    site: Site, page: Page, person: Person
) -> None:
    token = sign_in(page, person)
    tab = page.context.new_page()
    tab.goto("/notes/")
    tab.get_by_label("Text").fill("under way")
    tab.locator("[name=pause]").evaluate("field => field.value = 1.5")
    [before] = site.manager.sessions(person.id)
    with tab.expect_navigation():
        tab.evaluate(CLICK)
        sign_out(page)
        assert page.context.cookies() == []
    assert f"session late: {before.id}" in site.log()
    assert is_sign_in_page(tab)
    assert token_of(tab) != token
    assert site.sessions_of(person) == 0
    assert site.is_dead(token)


def test_a_browser_ends_another_one(site: Site, visit: Callable[[], Page], person: Person) -> None:
    desk, phone = visit(), visit()
    sign_in(desk, person)
    token = enter_admin(phone, person)
    desk.goto("/sessions/")
    rows = desk.get_by_role("main").get_by_role("listitem")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="this one")).to_have_count(1)
    desk.get_by_role("button", name="End it").click()
    expect(rows).to_have_count(1)
    assert site.is_dead(token)
    assert (signed_in_as(phone), signed_in_as(desk)) == (None, person.name)


def test_notes_and_messages_of_requests_that_overlap_are_all_kept(
    page: Page, person: Person
) -> None:
    sign_in(page, person)
    page.goto("/notes/")
    texts = ["one", "two", "three", "four"]
    page.evaluate(ALL_AT_ONCE, texts)
    page.reload()
    assert sorted(page.locator("ol li").all_inner_texts()) == sorted(texts)
    shown = page.locator(".messages li").all_inner_texts()
    assert sorted(shown) == sorted(f"Noted: {text}" for text in texts)
    page.reload()
    assert page.locator(".messages li").count() == 0
