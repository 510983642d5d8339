"""The shop in Flask and the shop in Quart do what they say, served as they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.servers.process import Process, free_port

COMMANDS = {
    "flask": (sys.executable, "-m", "flask", "--app", "examples.flask_app"),
    "quart": (sys.executable, "-m", "quart"),
}
ENV = {"PYTHONPATH": str(Path(__file__).parents[2]), "QUART_APP": "examples.quart_app"}


class Shop(NamedTuple):
    """A shop that runs."""

    url: str
    command: tuple[str, ...]
    folder: Path


@pytest.fixture(params=COMMANDS)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    port, command = free_port(), COMMANDS[request.param]
    with Process(*command, "run", "--port", str(port), port=port, env=ENV, cwd=tmp_path):
        yield Shop(f"http://127.0.0.1:{port}", command, tmp_path)


@pytest.fixture
def visitor(shop: Shop) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shop.url, follow_redirects=True) as client:
        yield client


def test_the_cart_outlives_the_sign_in(shop: Shop, visitor: httpx.Client) -> None:
    for item in ("pear", "<b>"):
        page = visitor.post("/cart", data={"item": item})
    assert "<li>pear</li><li>&lt;b&gt;</li>" in page.text
    before = visitor.cookies["session"]
    page = visitor.post("/login", data={"name": "ada"})
    assert "Hello, ada" in page.text
    assert "<li>pear</li><li>&lt;b&gt;</li>" in page.text
    assert visitor.cookies["session"] != before
    assert (shop.folder / "sessions").is_dir()
    assert "Hello, stranger" in visitor.post("/logout").text
    assert "session" not in visitor.cookies


def test_one_ends_another_session_of_ones_own(shop: Shop, visitor: httpx.Client) -> None:
    def others(page: httpx.Response) -> list[tuple[str, str]]:
        return re.findall(r'action="(/end/\w+)">([^<]*) <', page.text)

    with httpx.Client(base_url=shop.url, follow_redirects=True) as phone:
        phone.headers["User-Agent"] = "Phone"
        phone.post("/login", data={"name": "ada"})
        [(end, device)] = others(visitor.post("/login", data={"name": "ada"}))
        assert device == "Phone"
        with httpx.Client(base_url=shop.url, follow_redirects=True) as eve:
            assert others(eve.post("/login", data={"name": "eve"})) == []
            eve.post(end)
        assert "Hello, ada" in phone.get("/").text
        page = visitor.post(end)
        assert "That session is over." in page.text
        assert others(page) == []
        assert "Hello, stranger" in phone.get("/").text
        assert "Hello, ada" in visitor.get("/").text


def test_the_command_counts_the_sessions_of_the_shop(shop: Shop, visitor: httpx.Client) -> None:
    visitor.post("/cart", data={"item": "pear"})
    counted = subprocess.run(
        [*shop.command, "sessions", "count"],
        cwd=shop.folder,
        env={**os.environ, **ENV},
        capture_output=True,
        text=True,
        check=True,
    )
    assert counted.stdout == "1 live\n"
