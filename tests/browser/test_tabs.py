"""Two tabs of one browser, with requests that overlap."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.shop import Shop, add, count, sign_in, token_of

TAKE_OFF = """articles => { window.flight = Promise.all(articles.map(article => fetch(
    "/basket/add",
    {method: "POST", redirect: "manual", body: new URLSearchParams({article, slowly: "on"})}
))) }"""
LAND = "window.flight.then(answers => answers.map(answer => answer.type))"
CLICK = "article => document.querySelector(`button[value=${article}]`).click()"


def add_at_once(one: Page, two: Page) -> None:
    """Click in both tabs; each request takes two seconds, so both have seen the same basket."""
    with one.expect_navigation(), two.expect_navigation():
        one.evaluate(CLICK, "map")  # unlike Playwright's click, this does not wait for the answer
        two.evaluate(CLICK, "mug")


@pytest.fixture
def two_tabs(visit: Callable[..., Page]) -> tuple[Page, Page]:
    one = visit()
    return one, one.context.new_page()


def make_slow(*tabs: Page) -> None:
    for tab in tabs:
        tab.goto("/")
        tab.get_by_label("Slowly").check()


@pytest.mark.parametrize("signed", [False, True], ids=["anonymous", "signed in"])
def test_tabs_add_at_once_and_nothing_is_lost(two_tabs: tuple[Page, Page], signed: bool) -> None:
    """Six requests in flight together, as many as a browser sends to one host; three times."""
    one, two = two_tabs
    add(one, "Compass")
    if signed:
        sign_in(one)
    add(one, "Compass")
    third = one.context.new_page()
    third.goto("/")
    make_slow(one, two)
    for _ in range(3):
        third.evaluate(TAKE_OFF, ["tent", "lantern", "notebook", "map"])
        add_at_once(one, two)
        assert third.evaluate(LAND) == ["opaqueredirect"] * 4
    assert count(one) == count(two) == 2 + 3 * 6


def test_tabs_may_add_at_once_to_a_basket_that_is_not_there_yet(
    two_tabs: tuple[Page, Page],
) -> None:
    sign_in(two_tabs[0])
    make_slow(*two_tabs)
    add_at_once(*two_tabs)
    assert count(two_tabs[0]) == 2


def test_a_sign_out_ends_the_session_and_what_comes_late_does_not_bring_it_back(
    shop: Shop, two_tabs: tuple[Page, Page]
) -> None:
    one, two = two_tabs
    sign_in(one)
    token = token_of(one)
    assert token is not None
    make_slow(two)
    with two.expect_navigation():
        two.evaluate(CLICK, "map")
        one.get_by_role("button", name="Sign out").click()
        expect(one.get_by_text("You have no session.")).to_be_visible()
    expect(two.get_by_text("You have no session.")).to_be_visible()
    assert one.context.cookies() == []
    assert shop.is_dead(token)
