"""The example does what it says, behind Django's own server."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.architecture.pages import ROOT
from tests.servers.process import Process, free_port


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-W", "error", "-m", "examples.django_app", "runserver"]
    options = ["--noreload", f"127.0.0.1:{port}"]
    env = {"PYTHONPATH": str(ROOT)}
    with Process(*command, *options, port=port, env=env, cwd=tmp_path):
        yield f"http://127.0.0.1:{port}"


class Visitor:
    """A browser, as far as a form needs one."""

    def __init__(self, address: str, device: str) -> None:
        self.client = httpx.Client(base_url=address, headers={"User-Agent": device})

    def page(self) -> str:
        return self.client.get("/").text

    def send(self, **form: str) -> str:
        [token] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', self.page())
        form["csrfmiddlewaretoken"] = token
        answer = self.client.post("/", data=form, follow_redirects=True)
        assert answer.status_code == 200
        return answer.text


def test_the_shop_keeps_a_cart_and_shows_ones_other_sessions(address: str) -> None:
    here, there = Visitor(address, "Here"), Visitor(address, "There")
    assert "Hello, stranger" in here.page()
    assert "sessionid" not in here.client.cookies
    here.send(do="add", item="<apple>")
    before = here.client.cookies["sessionid"]
    page = here.send(do="enter", name="ada")
    assert "Hello, ada" in page
    assert "<li>&lt;apple&gt;</li>" in page
    assert here.client.cookies["sessionid"] != before

    there.send(do="enter", name="ada")
    page = here.page()
    assert "There" in page
    assert "Here" not in page
    here.send(end=re.findall(r'name="end" value="(\w+)"', page)[0])
    assert "Hello, stranger" in there.page()
    assert "Hello, ada" in here.page()

    assert "Hello, stranger" in here.send(do="leave")
    assert "sessionid" not in here.client.cookies


def test_nobody_ends_the_session_of_somebody_else(address: str) -> None:
    here, there, eve = (Visitor(address, name) for name in ("Here", "There", "Eve"))
    here.send(do="enter", name="ada")
    there.send(do="enter", name="ada")
    [id] = re.findall(r'name="end" value="(\w+)"', here.page())
    eve.send(do="enter", name="eve")
    eve.send(end=id)
    assert "Hello, ada" in there.page()
