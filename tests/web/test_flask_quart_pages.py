"""What the pages on Flask and Quart show does what they say."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import flask
import pytest

from tests.architecture import pages


@pytest.fixture
def page(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a page defines, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "page", raising=False)
    pages.run(pages.ROOT / "docs" / request.param)
    return sys.modules["page"]


@pytest.mark.parametrize("page", ["flask.md"], indirect=True)
def test_the_application_of_the_page_on_flask(page: Any) -> None:
    desk, phone = page.app.test_client(), page.app.test_client()
    desk.post("/cart", data={"item": "pear"})
    desk.post("/login", data={"name": "ada"})
    phone.post("/login", data={"name": "ada"})
    with desk.session_transaction() as session:
        assert (session.user, session["cart"]) == ("ada", ["pear"])
    listed = desk.get("/sessions").json
    assert sorted(mine for _, _, mine in listed) == [False, True]
    [(other, about, _)] = [own for own in listed if not own[2]]
    assert "Werkzeug" in about["device"]
    desk.post(f"/sessions/{other}/end")
    assert phone.get("/sessions").json == []
    phone.post("/login", data={"name": "ada"})
    desk.post("/sessions/end")
    assert phone.get("/sessions").json == []
    assert desk.get("/report").text == "first, for ada"
    assert desk.get("/staff").text == "Hello, stranger"
    desk.post("/logout")
    assert page.sessions.active_count() == 0


@pytest.mark.parametrize("page", ["flask.md"], indirect=True)
def test_flasks_own_cookies_are_carried_over_once(page: Any) -> None:
    before = flask.Flask("before")
    before.secret_key = "as before"
    old = before.test_client()
    with old.session_transaction() as session:
        session["cart"] = ["pear"]
        session.permanent = True
    cookie = old.get_cookie("session")
    assert cookie
    page.site.add_url_rule("/", view_func=lambda: dict(flask.session))
    page.site.add_url_rule("/logout", "logout", lambda: repr(flask.session.pop("cart")))
    client = page.site.test_client()
    client.set_cookie("session", cookie.value)
    answer = client.get("/")
    assert answer.json == {"cart": ["pear"]}
    assert "Max-Age=2678400" in answer.headers["Set-Cookie"]
    assert client.get_cookie("session").value != cookie.value
    assert client.get("/").json == {"cart": ["pear"]}
    client.get("/logout")
    assert client.get("/").json == {}


@pytest.mark.parametrize("page", ["quart.md"], indirect=True)
def test_the_application_of_the_page_on_quart(page: Any) -> None:
    async def use() -> None:
        desk, phone = page.app.test_client(), page.app.test_client()
        await desk.post("/cart", form={"item": "pear"})
        await desk.post("/login", form={"name": "ada"})
        await phone.post("/login", form={"name": "ada"})
        assert len(await (await desk.get("/sessions")).get_json()) == 2
        await desk.post("/sessions/end")
        assert await (await phone.get("/sessions")).get_json() == []
        await desk.post("/report")
        async with desk.websocket("/chat") as line:
            await line.send("hello")
            while "words" not in await stored_for(desk):  # noqa: ASYNC110 - it answers nothing
                await asyncio.sleep(0.01)
        await asyncio.gather(*page.app.background_tasks)
        stored = await stored_for(desk)
        assert stored == {"cart": ["pear"], "chats": 1, "words": ["hello"], "report": "ready"}
        answer = await desk.get("/staff")
        assert await answer.get_data(as_text=True) == "Hello, stranger"
        await desk.post("/logout")
        assert await page.sessions.active_count() == 0

    async def stored_for(client: Any) -> dict[str, Any]:
        async with client.session_transaction() as session:
            return dict(session)

    asyncio.run(use())
