"""The examples for Starlette, FastAPI and Litestar do what they say: in process, and served."""

from __future__ import annotations

import http.client
import re
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from examples import fastapi_app, litestar_app, starlette_app
from sojourn.providers.memory import MemoryProvider
from tests.servers.process import Process, free_port

ROOT = Path(__file__).parents[2]
APIS = [fastapi_app, litestar_app]


@pytest.fixture
def visitors(request: pytest.FixtureRequest) -> Callable[[], TestClient]:
    """Makes browsers of their own, all of them at one application."""
    app = request.param.create_app(MemoryProvider())
    return lambda: TestClient(app, headers={"User-Agent": "a test"})


Visitors = Callable[[], TestClient]
of_apis = pytest.mark.parametrize("visitors", APIS, indirect=True, ids=lambda app: app.__name__)


@of_apis
def test_the_cart_is_kept_through_a_sign_in(visitors: Visitors) -> None:
    client = visitors()
    for item in ("apple", "pear"):
        client.post("/cart", params={"item": item})
    token = client.cookies["session"]
    client.post("/login", params={"name": "ada"})
    assert client.cookies["session"] != token
    assert client.get("/cart").json() == ["apple", "pear"]
    client.post("/logout")
    assert "session" not in client.cookies
    assert client.get("/cart").json() == []


@of_apis
def test_other_sessions_are_listed_and_ended(visitors: Visitors) -> None:
    here, there, eve = (visitors() for _ in range(3))
    assert here.get("/sessions").status_code == 401
    for client, name in [(here, "ada"), (there, "ada"), (eve, "eve")]:
        client.post("/login", params={"name": name})
    [other] = here.get("/sessions").json()
    assert eve.delete(f"/sessions/{other}").json() is False
    assert there.get("/sessions").status_code == 200
    assert here.delete(f"/sessions/{other}").json() is True
    assert there.get("/sessions").status_code == 401
    assert list(here.get("/sessions").json()) == []


def test_the_list_says_which_device() -> None:
    app = fastapi_app.create_app(MemoryProvider())
    here, there = (TestClient(app, headers={"User-Agent": name}) for name in ("laptop", "phone"))
    for client in (here, there):
        client.post("/login", params={"name": "ada"})
    assert list(here.get("/sessions").json().values()) == ["phone"]


@pytest.mark.parametrize("visitors", [starlette_app], indirect=True)
def test_the_pages_of_starlette(visitors: Visitors) -> None:
    here, there = visitors(), visitors()
    assert "Hello, stranger" in here.get("/").text
    here.post("/add", data={"item": "<apple>"})
    for client in (here, there):
        assert "Hello, ada" in client.post("/login", data={"name": "ada"}).text
    page = here.get("/").text
    assert "<p>&lt;apple&gt;</p>" in page
    [this, other] = sorted(
        re.findall(r'value="(\w{64})"', page), key=lambda id: id_is_of(id, there)
    )
    here.post("/end", data={"id": other})
    assert "Hello, stranger" in there.get("/").text
    assert "Hello, stranger" in here.post("/end", data={"id": this}).text


def id_is_of(id: str, client: TestClient) -> bool:
    return f'value="{id}"> <button>This one' in client.get("/").text


@pytest.mark.parametrize("name", ["fastapi_app", "litestar_app", "starlette_app"])
def test_uvicorn_runs_it(name: str, tmp_path: Path) -> None:
    port = free_port()
    words = ("-m", "uvicorn", "--port", str(port), "--factory", f"examples.{name}:create_app")
    env = {"PYTHONPATH": str(ROOT)}
    path = "/login" if name == "starlette_app" else "/login?name=ada"
    with Process(sys.executable, *words, port=port, cwd=tmp_path, env=env) as _:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with closing(connection):
            connection.request("POST", path, "name=ada")
            answer = connection.getresponse()
            assert answer.status in {200, 201, 303}
            assert answer.headers["Set-Cookie"].startswith("session=")
    assert list((tmp_path / "sessions").rglob("*")) != []


def test_each_is_short() -> None:
    modules: list[Any] = [*APIS, starlette_app]
    for module in modules:
        assert len(Path(module.__file__).read_text().splitlines()) < 60
