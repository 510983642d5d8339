"""What visitors of the project do in a browser."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.frameworks.django_project.served import COOKIE, PASSWORD, Person

CLICK = "document.querySelector('main button').click()"  # unlike Playwright's, it does not wait
ALL_AT_ONCE = """texts => Promise.all(texts.map(text => {
    const form = new FormData(document.querySelector("main form"));
    form.set("text", text);
    form.set("pause", 0.5);
    return fetch("", {method: "POST", redirect: "manual", body: form});
})).then(() => null)"""


def token_of(page: Page) -> str | None:
    cookies = page.context.cookies()
    return next((cookie["value"] for cookie in cookies if cookie["name"] == COOKIE), None)


def sign_in(page: Page, person: Person, *, remember: bool = False) -> str:
    """By the project's own form; returns the token."""
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill(person.name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Remember").set_checked(remember)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".who")).to_have_text(person.name)
    token = token_of(page)
    assert token is not None
    return token


def enter_admin(page: Page, person: Person) -> str:
    """By the admin's own form; returns the token."""
    page.goto("/admin/")
    page.get_by_label("Username").fill(person.name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_title(re.compile("Site administration"))
    token = token_of(page)
    assert token is not None
    return token


def signed_in_as(page: Page) -> str | None:
    page.goto("/")
    who = page.locator(".who")
    return who.text_content() if who.count() else None


def send_note(page: Page, text: str) -> int:
    """The status of what comes of it in the end."""
    page.get_by_label("Text").fill(text)
    with page.expect_navigation() as navigation:
        page.get_by_role("button", name="Note it").click()
    assert navigation.value is not None
    return navigation.value.status


def sign_out(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_text("Nobody is signed in.")).to_be_visible()


def is_sign_in_page(page: Page) -> bool:
    """Whether that is where somebody is sent who wants to see the notes."""
    page.goto("/notes/")
    return page.title() == "Sign in"
