"""The demonstration as a process of its own, and what visitors do in it."""

from __future__ import annotations

import http.client
import sys
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Page, expect

from tests.servers.process import Process, free_port

ROOT = Path(__file__).parents[2]
COOKIE = "sojourn-demo"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Safari/604.1"
COMMAND = (sys.executable, "-m", "examples.demo")


class Shop:
    """The shop on a port of its own, and what one does without a browser."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"

    def running(self) -> Process:
        arguments = ("--port", str(self.port), "--folder", self.folder)
        return Process(*map(str, COMMAND + arguments), port=self.port, cwd=ROOT)

    def ask(
        self, method: str, path: str, token: str, form: dict[str, str] | None = None
    ) -> tuple[HTTPResponse, str]:
        """Send what somebody who has this token would send."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        body = urlencode(form or {}) if method == "POST" else None
        headers = {"Cookie": f"{COOKIE}={token}", "Origin": self.address}
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer, answer.read().decode()
        finally:
            connection.close()

    def is_dead(self, token: str) -> bool:
        """Whether this token names nobody."""
        answer, page = self.ask("GET", "/", token)
        assert answer.status == 200
        return "You have no session." in page and answer.getheader("Set-Cookie") is None


def sign_in(page: Page, name: str = "Ada") -> None:
    page.goto("/sign-in")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill("wander")
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("You are signed in")).to_be_visible()


def add(page: Page, article: str) -> None:
    page.get_by_role("button", name=f"Add: {article}").click()


def token_of(page: Page) -> str | None:
    cookies = page.context.cookies()
    return next((cookie["value"] for cookie in cookies if cookie["name"] == COOKIE), None)


def signed_in_as(page: Page) -> str | None:
    page.goto("/")
    who = page.locator(".who")
    return who.text_content() if who.count() else None


def count(page: Page) -> int:
    page.goto("/")
    number = page.locator("#count")
    return int(number.inner_text()) if number.count() else 0
