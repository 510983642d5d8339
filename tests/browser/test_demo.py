"""The demonstration in a real browser: what a visitor clicks, and what somebody with an old cookie
gets.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from sojourn._sweeper import LEASE
from tests.browser.shop import PHONE, Shop, add, count, sign_in, signed_in_as, token_of


def test_who_only_looks_gets_no_cookie_and_costs_no_record(
    shop: Shop, visit: Callable[..., Page]
) -> None:
    page = visit()
    for path in ("/", "/sign-in", "/sessions", "/nowhere"):
        page.goto(path)
    assert page.context.cookies() == []
    assert [found.name for found in shop.folder.rglob("*") if found.is_file()] in ([], [LEASE])


def test_an_emptied_basket_ends_an_anonymous_session(visit: Callable[..., Page]) -> None:
    page = visit()
    add(page, "Compass")
    expect(page.locator("#count")).to_have_text("1")
    assert token_of(page) is not None
    page.get_by_role("button", name="Empty it").click()
    expect(page.get_by_text("You have no session.")).to_be_visible()
    assert page.context.cookies() == []


def test_scripts_see_no_cookie(visit: Callable[..., Page]) -> None:
    page = visit()
    sign_in(page)
    assert token_of(page) is not None
    assert page.evaluate("document.cookie") == ""


def test_a_sign_in_keeps_the_basket_under_a_new_cookie_and_the_old_one_is_dead(
    shop: Shop, visit: Callable[..., Page]
) -> None:
    page = visit()
    add(page, "Tin mug")
    old = token_of(page)
    assert old is not None
    sign_in(page)
    assert token_of(page) not in (None, old)
    assert shop.is_dead(old)
    answer, _ = shop.ask("POST", "/basket/add", old, {"article": "tent"})
    assert (answer.status, answer.getheader("Set-Cookie")) == (303, None)
    assert count(page) == 1
    shop.ask("POST", "/sign-out", old)
    assert signed_in_as(page) == "Ada"


def test_a_wrong_password_signs_nobody_in(visit: Callable[..., Page]) -> None:
    page = visit()
    page.goto("/sign-in")
    page.get_by_label("Name").fill('<b>"Ada"</b>')
    page.get_by_label("Password").fill("wonder")
    page.get_by_label("Password").press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value('<b>"Ada"</b>')
    assert page.context.cookies() == []


def test_a_name_is_text_and_never_markup(visit: Callable[..., Page]) -> None:
    page = visit()
    sign_in(page, "<script>document.title='owned'</script>")
    assert signed_in_as(page) == "<script>document.title='owned'</script>"
    assert page.title() == "Shop · Waymark"


def test_a_session_elsewhere_is_listed_and_can_be_ended(visit: Callable[..., Page]) -> None:
    desk, phone = visit(), visit(user_agent=PHONE)
    sign_in(desk)
    sign_in(phone)
    desk.goto("/sessions")
    expect(desk.get_by_role("main").get_by_role("listitem")).to_have_count(2)
    this = desk.get_by_role("listitem").filter(has_text="this one")
    expect(this).to_contain_text("Chrome on Linux")
    other = desk.get_by_role("listitem").filter(has_text="Safari on iPhone")
    expect(other).to_contain_text("127.0.0.1")
    expect(other.get_by_role("time")).to_have_text(["just now"] * 2)
    other.get_by_role("button", name="End").click()
    expect(desk.get_by_role("main").get_by_role("listitem")).to_have_count(1)
    assert signed_in_as(phone) is None
    assert signed_in_as(desk) == "Ada"


def test_all_others_can_be_ended_and_nobody_elses(visit: Callable[..., Page]) -> None:
    desk, phone, laptop, bob = (visit() for _ in range(4))
    for page in (desk, phone, laptop):
        sign_in(page)
    sign_in(bob, "Bob")
    desk.goto("/sessions")
    desk.get_by_role("button", name="End all others").click()
    expect(desk.get_by_role("main").get_by_role("listitem")).to_have_count(1)
    seen = [signed_in_as(page) for page in (desk, phone, laptop, bob)]
    assert seen == ["Ada", None, None, "Bob"]


@pytest.mark.parametrize("asks", ["Bob", None], ids=["another user", "a stranger"])
def test_a_session_is_ended_only_by_its_user(visit: Callable[..., Page], asks: str | None) -> None:
    ada, other = visit(), visit()
    sign_in(ada)
    if asks is not None:
        sign_in(other, asks)
    phone = visit(user_agent=PHONE)
    sign_in(phone)
    ada.goto("/sessions")
    row = ada.get_by_role("listitem").filter(has_text="Safari on iPhone")
    id = row.get_by_role("button").get_attribute("value")
    other.goto("/")
    other.evaluate(
        """id => fetch("/sessions/end", {
        method: "POST", redirect: "manual", body: new URLSearchParams({id})
    }).then(() => null)""",
        id,
    )
    assert signed_in_as(phone) == "Ada"


def test_a_form_of_another_site_is_refused(shop: Shop, visit: Callable[..., Page]) -> None:
    page = visit()
    sign_in(page)
    page.goto("about:blank")
    page.set_content(f'<form method="post" action="{shop.address}/sign-out"><button>Win!</button>')
    with page.expect_navigation() as navigation:
        page.get_by_role("button").click()
    assert navigation.value is not None
    assert navigation.value.status == 403
    assert signed_in_as(page) == "Ada"
