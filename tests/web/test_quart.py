"""Quart's own words and habits, on a session of Sojourn's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Any, cast

import pytest
from markupsafe import Markup
from quart import (
    Blueprint,
    Quart,
    flash,
    get_flashed_messages,
    render_template_string,
    request,
    stream_with_context,
)
from quart.typing import TestClientProtocol as Client

from sojourn import AsyncManager, SessionReleased, StoreUnavailable
from sojourn.providers.memory import MemoryProvider
from sojourn.web.quart import install, session
from tests.web.pallets import async_page, async_put, cookies
from tests.web.stores import FAULTS, Failing, values


@pytest.fixture
def app() -> Quart:
    app = Quart(__name__)  # without a SECRET_KEY, which nothing here needs
    app.config["PERMANENT_SESSION_LIFETIME"] = 7200
    return app


@pytest.fixture
def store() -> Failing:
    return Failing()


@pytest.fixture
def manager(app: Quart, store: Failing) -> AsyncManager:
    return install(app, store, touch_interval=0)


@pytest.fixture
def client(app: Quart, manager: AsyncManager) -> Client:
    return app.test_client()


async def text(client: Client, path: str = "/") -> str:
    return str(await (await client.get(path)).get_data(as_text=True))


def keep() -> None:
    session.permanent = True


async def test_a_session_lasts_from_request_to_request(app: Quart, client: Client) -> None:
    async_page(app, "/", lambda: session.setdefault("cart", []).append(1), lambda: session["cart"])
    assert await text(client) == "[1]"
    assert await text(client) == "[1, 1]"


async def test_a_permanent_session_outlives_the_browser(app: Quart, client: Client) -> None:
    async_page(app, "/keep", async_put("n", 1), keep)
    async_page(app, "/", lambda: (session.permanent, session.new, session.modified))
    assert "; Max-Age=7200;" in cookies(await client.get("/keep"))[0]
    answer = await client.get("/")
    assert await answer.get_data(as_text=True) == "(True, False, False)"
    assert "; Max-Age=7200;" in cookies(answer)[0]  # it is renewed, as it was seen


async def test_permanent_alone_stores_nothing(
    app: Quart, client: Client, manager: AsyncManager
) -> None:
    async_page(app, "/", keep)
    assert cookies(await client.get("/")) == []
    assert await manager.active_count() == 0


async def test_signing_in_renews_the_token_and_keeps_the_cart(
    app: Quart, client: Client, manager: AsyncManager
) -> None:
    async_page(app, "/put", async_put("cart", ["pear"]))
    async_page(app, "/login", lambda: session.login("ada"))
    async_page(app, "/", lambda: (session.user, session["cart"]))
    assert cookies(await client.get("/put")) != cookies(await client.get("/login"))
    assert await text(client) == "('ada', ['pear'])"
    assert [info.user async for info in manager.sessions()] == ["ada"]


async def test_messages_are_shown_once_and_markup_stays_markup(
    app: Quart, client: Client, manager: AsyncManager
) -> None:
    @app.get("/do")
    async def do() -> str:
        await flash(Markup("<b>bold</b>"))
        await flash("<i>")
        return ""

    @app.get("/")
    async def show() -> str:
        return await render_template_string("{{ get_flashed_messages() | join }}")

    await client.get("/do")
    assert await text(client) == "<b>bold</b>&lt;i&gt;"
    assert await text(client) == ""
    assert await manager.active_count() == 0


async def test_messages_are_read_in_a_view(app: Quart, client: Client) -> None:
    @app.get("/do")
    async def do() -> str:
        await flash("full", "warning")
        return ""

    async_page(app, "/", lambda: get_flashed_messages(with_categories=True))
    await client.get("/do")
    assert await text(client) == "[('warning', 'full')]"


@pytest.mark.parametrize(
    ("template", "touches"),
    [("hello", False), ("{{ session['n'] }}", True), ("{{ get_flashed_messages() }}", True)],
)
async def test_a_page_varies_if_its_template_looks_at_the_session(
    template: str, touches: bool, app: Quart, client: Client
) -> None:
    @app.get("/")
    async def index() -> str:
        return await render_template_string(template)

    answer = await client.get("/")
    assert values(answer.headers.items(), "Vary") == ["Cookie"] * touches
    assert cookies(answer) == []


async def test_hooks_and_blueprints_have_the_same_session(app: Quart, client: Client) -> None:
    shop = Blueprint("shop", __name__, url_prefix="/shop")
    app.before_request(async_put("app", "before"))
    shop.before_request(async_put("shop", "before"))

    @shop.after_request
    async def after(response: Any) -> Any:
        session["after"] = "shop"
        return response

    @shop.get("/")
    async def index() -> str:
        return "bought"

    app.register_blueprint(shop)
    async_page(app, "/", lambda: sorted(session))
    await client.get("/shop/")
    assert await text(client) == "['after', 'app', 'shop']"


async def test_an_error_that_became_a_page_saves(app: Quart, client: Client) -> None:
    @app.errorhandler(ZeroDivisionError)
    async def handle(_: Exception) -> tuple[str, int]:
        session["after"] = 2
        return "sorry", 418

    async_page(app, "/fail", async_put("before", 1), lambda: 1 / 0)
    async_page(app, "/", lambda: sorted(session.items()))
    assert (await client.get("/fail")).status_code == 418
    assert await text(client) == "[('after', 2), ('before', 1)]"


async def test_an_error_that_leaves_quart_saves_nothing(
    app: Quart, client: Client, manager: AsyncManager
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.testing = version("quart").startswith("0.20.")  # there an error leaves it in tests alone
    async_page(app, "/", async_put("n", 1), lambda: session.login("ada"), lambda: 1 / 0)
    with pytest.raises((ZeroDivisionError, ExceptionGroup)):
        await client.get("/")
    assert await manager.active_count() == 0


async def test_a_stream_changes_it_before_its_first_part_alone(app: Quart, client: Client) -> None:
    async def parts() -> AsyncIterator[str]:
        session["early"] = 1
        yield "one "
        try:
            session["late"] = 2
        except SessionReleased:
            yield f"too late, but {session['early']} is there"

    @app.get("/stream")
    async def stream() -> Any:
        return stream_with_context(parts)()

    async_page(app, "/", lambda: dict(session))
    assert await text(client, "/stream") == "one too late, but 1 is there"
    assert await text(client) == "{'early': 1}"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("verb", ["read", "update"])
async def test_without_a_store_the_answer_is_503(
    verb: str, fault: type[Any], app: Quart, client: Client, store: Failing
) -> None:
    store.fault = fault
    async_page(app, "/", lambda: session.setdefault("list", []).append(1))
    await client.get("/")
    store.down = {verb}
    answer = await client.get("/")
    assert (answer.status_code, cookies(answer)) == (503, [])


async def test_a_view_that_finds_the_store_down_answers_the_same(
    app: Quart, client: Client
) -> None:
    def ask() -> None:
        raise StoreUnavailable("asked the store myself")

    async_page(app, "/", ask)
    answer = await client.get("/")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "store is unavailable" in str(await answer.get_data(as_text=True))


def test_outside_a_request_quart_says_what_is_wrong(manager: AsyncManager) -> None:
    with pytest.raises(RuntimeError, match="Not within a request nor websocket context"):
        session.get("n")


async def test_a_context_of_a_kept_scope_has_a_session_of_its_own() -> None:
    """Whoever keeps the scope of a request, and opens it again when that is over."""
    app = Quart(__name__)
    sessions = install(app, MemoryProvider())
    kept: list[Any] = []
    async_page(
        app, "/", async_put("n", 1), lambda: kept.append(cast("Any", request)._get_current_object())
    )
    client = app.test_client()
    await client.get("/")
    await client.get("/")
    async with app.request_context(kept[1]):
        assert session["n"] == 1
    [stored] = [info async for info in sessions.sessions()]
    await sessions.destroy(stored.id)
    async with app.request_context(kept[1]):
        assert session.get("n") is None
