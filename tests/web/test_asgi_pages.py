"""What the pages on Starlette, FastAPI and Litestar define does what they say of it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from litestar import Request, get
from starlette.testclient import TestClient

from tests.architecture import pages

Browser = Callable[[], TestClient]


@get("/user")
async def user_name(request: Request[Any, Any, Any]) -> str | None:
    name: str | None = request.user
    return name


@pytest.fixture(scope="module", params=["starlette", "litestar"])
def page(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page that was run."""
    pages.run(pages.ROOT / "docs" / f"{request.param}.md")
    yield sys.modules["page"]  # where Litestar looks for what the annotations name
    del sys.modules["page"]


@pytest.fixture
def browser(page: Any) -> Browser:
    """Makes browsers, all of them at the application that the page has built up."""
    if page.__dict__.get("api"):
        app = page.create_app(page.manager)
    else:
        handlers = [page.add, page.login, page.logout, page.me, page.others, page.end_others]
        handlers += [page.verbs, page.report, page.begin, page.chat]
        app = page.Litestar(handlers, plugins=[page.SessionPlugin(page.manager)])
    return lambda: TestClient(app)


def test_one_signs_in_and_ends_the_other_sessions(browser: Browser) -> None:
    here, there = browser(), browser()
    assert here.get("/me").status_code == 401
    for client in (here, there):
        client.post("/login?name=grace")
    assert "grace" in here.get("/me").text
    assert len(here.get("/sessions").json()) == 1
    assert here.delete("/sessions").json() == 1
    assert there.get("/me").status_code == 401
    here.post("/logout")
    assert here.get("/me").status_code == 401


def test_a_cart_is_kept(browser: Browser) -> None:
    client = browser()
    client.post("/cart?item=apple")
    assert client.post("/cart?item=pear").json() == ["apple", "pear"]


def test_a_task_works_on_the_session(page: Any, browser: Browser) -> None:
    client = browser()
    client.post("/work")
    assert found(page, client)["result"] == "done"


def test_a_socket_works_on_the_session(page: Any, browser: Browser) -> None:
    client = browser()
    client.post("/cart?item=apple")
    with client.websocket_connect("/chat") as socket:
        for word in ("one", "two"):
            socket.send_text(word)
            assert socket.receive_text() == "noted"
    stored = found(page, client)
    assert (stored["chats"], stored["said"]) == (1, ["one", "two"])


def found(page: Any, client: TestClient) -> dict[str, Any]:
    """What is stored for a browser."""

    async def read() -> dict[str, Any]:
        async with page.manager.open({"Cookie": f"session={client.cookies['session']}"}) as session:
            return dict(session)

    return asyncio.run(read())


# -- what one of the pages has alone ----------------------------------------------------------


@pytest.mark.parametrize("page", ["starlette"], indirect=True)
def test_starlette_streams_and_mounts(page: Any) -> None:
    client = TestClient(page.app)
    assert [client.get("/report").text for _ in range(2)] == ["first, number 1", "first, number 2"]
    assert client.get("/staff/").json() == {"seen": True}
    assert {cookie.name for cookie in client.cookies.jar} == {"session", "staff"}


@pytest.mark.parametrize("page", ["starlette"], indirect=True)
def test_fastapi_counts_at_the_end_of_the_function(page: Any, browser: Browser) -> None:
    client = browser()
    assert [client.get("/answer").json() for _ in range(2)] == [42, 42]
    assert found(page, client) == {"answers": 2}


@pytest.mark.parametrize("page", ["litestar"], indirect=True)
def test_litestars_verbs_end_in_a_new_beginning(page: Any, browser: Browser) -> None:
    client = browser()
    client.post("/cart?item=apple")
    assert client.post("/verbs").headers["set-cookie"].startswith("session=;")
    assert [client.get("/report").text for _ in range(2)] == ["first, number 1", "first, number 2"]


@pytest.mark.parametrize("page", ["litestar"], indirect=True)
def test_two_plugins_and_an_authentication_middleware(page: Any) -> None:
    assert TestClient(page.two).get("/both").json() == [True, True]

    plugins = [page.SessionPlugin(page.manager)]
    app = page.Litestar([user_name, page.login], plugins=plugins, middleware=[page.Users])
    client = TestClient(app)
    client.post("/login?name=grace")
    assert client.get("/user").text == "grace"
