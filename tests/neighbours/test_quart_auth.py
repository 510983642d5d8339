"""Quart-Auth on Sojourn's session, as the page prints it: the whole life of a sign-in."""

from __future__ import annotations

from typing import Any

import pytest
from quart import Quart, request
from quart_auth import AuthUser, current_user, login_required, login_user, logout_user

from sojourn.manager import AsyncManager
from sojourn.providers.memory import MemoryProvider
from sojourn.testing import FakeClock, async_signed_in
from sojourn.web.quart import install, session
from tests.architecture.pages import ROOT, blocks_of

COOKIE = "session"


class Shop:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.app = app = Quart("shop")
        app.secret_key = "of Quart-Auth"
        self.sessions: AsyncManager = install(app, MemoryProvider(), clock=self.clock)
        [recipe] = [
            block.source
            for block in blocks_of(ROOT / "docs" / "quart.md", "python")
            if "class SessionAuth" in block.source
        ]
        exec(
            compile(recipe, "quart.md", "exec", dont_inherit=True), {"session": session, "app": app}
        )
        for view in (who, cart, sign_in, sign_out, mine):
            app.add_url_rule(f"/{view.__name__}", view_func=view)

    async def listed(self, user: str | None = None) -> list[str]:
        return [info.id async for info in self.sessions.sessions(user)]


async def who() -> list[Any]:
    return [current_user.auth_id, session.user, session.get("cart")]


async def cart() -> str:
    session["cart"] = ["tent"]
    return "put"


async def sign_in() -> str:
    login_user(AuthUser(request.args["who"]), remember="remember" in request.args)
    return str(await current_user.is_authenticated)


async def sign_out() -> str:
    logout_user()
    return str(await current_user.is_authenticated)


@login_required
async def mine() -> str:
    return "mine"


@pytest.fixture
def shop() -> Shop:
    return Shop()


async def said(client: Any) -> Any:
    return await (await client.get("/who")).get_json()


def token(client: Any) -> str:
    [found] = [cookie.value for cookie in client.cookie_jar if cookie.name == COOKIE]
    return str(found)


async def test_a_sign_in_is_known_to_sojourn_and_renews_the_token(shop: Shop) -> None:
    client = shop.app.test_client()
    await client.get("/cart")
    before = token(client)
    assert (await client.get("/mine")).status_code == 401
    await client.get("/sign_in?who=ada")
    assert token(client) != before
    assert await said(client) == ["ada", "ada", ["tent"]]
    assert (await client.get("/mine")).status_code == 200
    assert len(await shop.listed("ada")) == len(await shop.listed()) == 1
    assert {cookie.name for cookie in client.cookie_jar or ()} == {COOKIE}


async def test_a_sign_out_ends_the_session(shop: Shop) -> None:
    client = shop.app.test_client()
    await client.get("/sign_in?who=ada")
    kept = token(client)
    assert await (await client.get("/sign_out")).get_data(as_text=True) == "False"
    assert await said(client) == [None, None, None]
    client.set_cookie("localhost", COOKIE, kept)
    assert await said(client) == [None, None, None]


async def test_another_user_sees_nothing_of_the_one_before(shop: Shop) -> None:
    client = shop.app.test_client()
    await client.get("/sign_in?who=ada")
    await client.get("/cart")
    await client.get("/sign_in?who=bob")
    assert await said(client) == ["bob", "bob", None]
    assert await shop.listed("ada") == []


@pytest.mark.parametrize("remember", ["", "&remember"])
async def test_a_user_is_signed_out_everywhere(shop: Shop, remember: str) -> None:
    phone, laptop, bob = (shop.app.test_client() for _ in range(3))
    await phone.get("/sign_in?who=ada" + remember)
    await laptop.get("/sign_in?who=ada" + remember)
    await bob.get("/sign_in?who=bob")
    assert await shop.sessions.destroy_user("ada") == 2
    for client in (phone, laptop):
        assert await said(client) == [None, None, None]
        assert (await client.get("/mine")).status_code == 401
    assert (await said(bob))[0] == "bob"


async def test_who_is_remembered_stays_for_a_month(shop: Shop) -> None:
    shop.app.config["PERMANENT_SESSION_LIFETIME"] = 3600
    remembered, other = shop.app.test_client(), shop.app.test_client()
    await remembered.get("/sign_in?who=ada&remember")
    await other.get("/sign_in?who=ada")
    shop.clock.advance(29 * 86_400)
    assert (await said(remembered))[0] == "ada"
    assert (await said(other))[0] is None


async def test_a_test_signs_in(shop: Shop) -> None:
    client = shop.app.test_client()
    name, value = (await async_signed_in(shop.sessions, "ada")).cookie
    client.set_cookie("localhost", name, value)
    assert (await said(client))[:2] == ["ada", "ada"]
