"""What Quart's settings mean, what `install` refuses, and the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from quart import Quart, request
from quart.sessions import SecureCookieSessionInterface, SessionMixin

from sojourn import AsyncManager, ConfigError, Manager
from sojourn.providers.file import FileProvider
from sojourn.providers.memory import MemoryProvider
from sojourn.testing import FakeClock
from sojourn.web import _versions, asgi
from sojourn.web.quart import install, session
from tests.web.pallets import Told, async_page, async_put, cookies


@pytest.fixture
def app() -> Quart:
    return Quart(__name__)


@pytest.fixture
def manager(app: Quart) -> AsyncManager:
    return install(app, MemoryProvider())


async def test_the_cookie_is_as_quart_says(app: Quart) -> None:
    app.config |= {
        "SESSION_COOKIE_NAME": "shop",
        "SESSION_COOKIE_PATH": "/a",
        "SESSION_COOKIE_SAMESITE": "Strict",
        "SESSION_COOKIE_PARTITIONED": True,
        "SESSION_REFRESH_EACH_REQUEST": False,
    }
    manager = install(app, MemoryProvider(), gc_interval=60)
    assert (manager.config.touch_on, manager.config.gc_interval) == ("change", 60)
    async_page(app, "/", async_put("n", 1))
    [line] = cookies(await app.test_client().get("/"))
    pair, *given = line.split("; ")
    assert pair.startswith("shop=")
    assert set(given) == {"Path=/a", "HttpOnly", "Secure", "SameSite=Strict", "Partitioned"}


async def test_what_is_said_after_install_counts(app: Quart, manager: AsyncManager) -> None:
    app.config.update(SESSION_COOKIE_SAMESITE="Strict", PERMANENT_SESSION_LIFETIME=600)

    @app.before_request
    async def say() -> None:
        app.config["SESSION_COOKIE_SECURE"] = True

    async_page(app, "/", async_put("n", 1))
    [line] = cookies(await app.test_client().get("/"))
    assert {"Secure", "SameSite=Strict"} <= {*line.split("; ")}
    assert manager.config.max_lifetime == 600


async def test_time_passes_as_a_test_says(app: Quart) -> None:
    clock = FakeClock()
    app.config["PERMANENT_SESSION_LIFETIME"] = 1800
    install(app, MemoryProvider(), clock=clock)
    async_page(app, "/put", async_put("n", 1))
    async_page(app, "/", lambda: (session.get("n"), isinstance_of_mixin()))
    client = app.test_client()
    await client.get("/put")
    assert await (await client.get("/")).get_data(as_text=True) == "(1, True)"
    clock.advance(1801)
    assert await (await client.get("/")).get_data(as_text=True) == "(None, True)"


def isinstance_of_mixin() -> bool:
    return isinstance(cast("Any", session)._get_current_object(), SessionMixin)


@pytest.mark.usefixtures("manager")
async def test_another_session_interface_is_noticed_at_the_first_request(app: Quart) -> None:
    app.session_interface = SecureCookieSessionInterface()
    async_page(app, "/", async_put("n", 1))
    app.testing = True
    with pytest.raises(ConfigError, match=r"quart\.sessions\.SecureCookieSessionInterface was put"):
        await app.test_client().get("/")


async def test_a_second_manager_has_a_key_of_its_own(app: Quart, manager: AsyncManager) -> None:
    staff = AsyncManager(MemoryProvider(), cookie_name="staff")
    served: Any = app
    served.asgi_app = asgi.SessionMiddleware(served.asgi_app, manager=staff, key="staff")

    @app.before_request
    async def sign_in() -> None:
        request.scope["staff"].login("root")  # type: ignore[typeddict-item]
        session.login("ada")

    names = [line.partition("=")[0] for line in cookies(await app.test_client().get("/"))]
    assert sorted(names) == ["session", "staff"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"same_site": "Lax"}, r"same_site: say it in app\.config\['SESSION_COOKIE_SAMESITE'\]"),
        ({"gc_interval": 0}, "gc_interval=0: give more than 0"),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict[str, Any], says: str, app: Quart) -> None:
    with pytest.raises(ConfigError, match=says):
        install(app, MemoryProvider(), **settings)


@pytest.mark.parametrize("kind", [Manager, AsyncManager])
def test_a_manager_is_no_provider(kind: Any, app: Quart) -> None:
    with pytest.raises(ConfigError, match=f"give it the provider of this {kind.__name__}"):
        install(app, kind(MemoryProvider()))


def test_a_second_install_is_refused(app: Quart, manager: AsyncManager) -> None:
    assert app.extensions["sojourn"] is manager
    with pytest.raises(ConfigError, match="has its sessions from Sojourn already"):
        install(app, MemoryProvider())


def test_a_quart_that_is_too_old_is_refused(app: Quart, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_versions, "version", lambda _: "0.19.9")
    with pytest.raises(ConfigError, match=r"quart 0\.19\.9 is too old"):
        install(app, MemoryProvider())


def test_the_command_counts_and_sweeps(app: Quart, tmp_path: Path) -> None:
    app.config["PERMANENT_SESSION_LIFETIME"] = 0.1
    install(app, FileProvider(tmp_path))
    with Manager(FileProvider(tmp_path), max_lifetime=0.1).open({}) as left:
        left["n"] = 1
    runner = app.test_cli_runner()
    assert runner.invoke(args=["sessions", "count"]).output == "1 live\n"
    while runner.invoke(args=["sessions", "count"]).output != "0 live\n":
        pass
    assert runner.invoke(args=["sessions", "gc"]).output == "1 removed\n"


def test_the_command_closes_what_it_opened(app: Quart) -> None:
    store = Told()
    install(app, store)
    app.test_cli_runner().invoke(args=["sessions", "gc"])
    assert store.closed
