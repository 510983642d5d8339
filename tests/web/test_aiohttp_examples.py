"""The examples for aiohttp, Pyramid, Bottle and Falcon do what they say, each behind a server."""

from __future__ import annotations

import http.client
import re
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.servers.process import Process, free_port

ROOT = Path(__file__).parents[2]
EXAMPLES = ["aiohttp_app", "pyramid_app", "bottle_app", "falcon_app"]


OWN_SERVER = "from aiohttp import web; from examples import aiohttp_app as example; "


def command(server: str, port: int) -> tuple[str, ...]:
    """As the example says, but on another port."""
    if server == "aiohttp":
        run = f"web.run_app(example.create_app(), host='127.0.0.1', port={port})"
        return ("-c", OWN_SERVER + run)
    options = ["--bind", f"127.0.0.1:{port}", "--workers", "2", "--no-control-socket"]
    if server == "aiohttp_app":
        options += ["--worker-class", "aiohttp.GunicornWebWorker"]
    return ("-m", "gunicorn", *options, f"examples.{server}:create_app()")


@pytest.fixture(scope="module", params=["aiohttp", *EXAMPLES])
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port, folder = free_port(), tmp_path_factory.mktemp(request.param)
    words, env = command(request.param, port), {"PYTHONPATH": str(ROOT)}
    with Process(sys.executable, *words, port=port, cwd=folder, env=env):
        yield port
        assert list((folder / "sessions").rglob("*")) != []


class Visitor:
    """Somebody with a browser."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.cookie = ""

    def look(self) -> str:
        status, page = self._ask("GET", "/")
        assert status == 200
        return page

    def act(self, deed: str, **form: str) -> str:
        """Send a form, and go where the answer points."""
        status, _ = self._ask("POST", f"/{deed}", urlencode(form))
        assert status == 303
        return self.look()

    def _ask(self, method: str, path: str, form: str | None = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        headers = {"Cookie": self.cookie, "Content-Type": "application/x-www-form-urlencoded"}
        with closing(connection):
            connection.request(method, path, form, headers)
            response = connection.getresponse()
            if line := response.headers["Set-Cookie"]:
                self.cookie = line.partition(";")[0]
            return response.status, response.read().decode()


def ids(page: str, verb: str) -> list[str]:
    return re.findall(rf'value="(\w{{64}})"> <button>{verb}<', page)


def test_the_cart_is_kept_through_a_sign_in(port: int) -> None:
    visitor = Visitor(port)
    assert "Hello, stranger" in visitor.look()
    assert visitor.cookie == ""
    for item in ("apple", "<pear>"):
        visitor.act("add", item=item)
    before = visitor.cookie
    page = visitor.act("login", name="Ada & co")
    assert visitor.cookie != before
    assert "Hello, Ada &amp; co" in page
    assert "<p>apple</p><p>&lt;pear&gt;</p>" in page
    page = visitor.act("end", id=ids(page, "Sign out")[0])
    assert visitor.cookie == "session="
    assert "Hello, stranger" in page
    assert "apple" not in page


def test_other_sessions_are_listed_and_ended_but_nobody_elses(port: int) -> None:
    here, there, eve = (Visitor(port) for _ in range(3))
    for visitor, name in ((here, "ada"), (there, "ada"), (eve, "eve")):
        visitor.act("login", name=name)
    page = here.look()
    [this], [other] = ids(page, "Sign out"), ids(page, "End")
    assert ids(eve.look(), "End") == []
    for victim in (this, other):
        eve.act("end", id=victim)
    assert "Hello, ada" in there.look()
    page = here.act("end", id=other)
    assert "Hello, ada" in page
    assert ids(page, "End") == []
    assert "Hello, stranger" in there.look()


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_is_short(name: str) -> None:
    assert len((ROOT / "examples" / f"{name}.py").read_text().splitlines()) < 60
