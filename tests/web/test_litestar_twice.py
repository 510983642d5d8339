"""A second session in one Litestar application: with a key of its own, or refused."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from litestar import Controller, Litestar, Router, get
from litestar.middleware import DefineMiddleware
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.security.session_auth import SessionAuth
from litestar.testing import TestClient

import sojourn.web.litestar
from sojourn import AsyncManager, ConfigError, Manager
from sojourn.web.asgi import SessionMiddleware
from sojourn.web.litestar import CurrentSession, SessionPlugin
from tests.web.test_litestar import Asked, count
from tests.web.test_litestar_layers import Connection, client_of, plugin


def test_two_managers_have_keys_and_parameters_of_their_own() -> None:
    @get("/both")
    async def both(session: CurrentSession, staff: CurrentSession) -> None:
        session["n"], staff["m"] = 1, 2

    @get("/staff")
    async def of_staff(staff: CurrentSession) -> dict[str, Any]:
        return dict(staff)

    staff = SessionPlugin(AsyncManager("memory", cookie_name="staff"), key="staff")
    client = client_of(both, of_staff, plugins=[plugin(), staff])
    client.get("/both")
    assert (client.get("/show").json(), client.get("/staff").json()) == ({"n": 1}, {"m": 2})
    assert {cookie.name for cookie in client.cookies.jar} == {"session", "staff"}


@pytest.mark.parametrize("order", [1, -1])
def test_litestars_verbs_work_in_any_order_of_plugins(order: int) -> None:
    @get("/set")
    async def put(request: Asked, staff: CurrentSession) -> None:
        staff["m"] = 2
        request.set_session({"n": 1})

    staff = SessionPlugin(AsyncManager("memory", cookie_name="staff"), key="staff")
    client = client_of(put, plugins=[plugin(), staff][::order])
    client.get("/set")
    assert client.get("/show").json() == {"n": 1}


def own() -> DefineMiddleware:
    return ServerSideSessionConfig().middleware


def ours() -> DefineMiddleware:
    middleware: Any = SessionMiddleware
    return DefineMiddleware(middleware, manager=AsyncManager("memory"))


class Twice(Controller):
    middleware = (ours(),)

    @get("/twice")
    async def never(self) -> None: ...


async def nobody(_: dict[str, Any], __: Connection) -> None: ...


AUTH = SessionAuth[Any, Any](
    retrieve_user_handler=nobody, session_backend_config=ServerSideSessionConfig()
)


@pytest.mark.parametrize(
    "options",
    [
        {"plugins": [plugin(), plugin()]},
        {"middleware": [own()]},
        {"middleware": [ours()]},
        {"on_app_init": [AUTH.on_app_init]},
        {"route_handlers": [Router("/r", route_handlers=[count], middleware=[own()])]},
        {"route_handlers": [Twice]},
    ],
)
def test_a_second_session_in_the_place_of_the_first_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(
        ConfigError, match=r"two session middlewares under 'session'.*take one away"
    ):
        Litestar(**{"route_handlers": [count], "plugins": [plugin()], **options})


def test_litestars_own_sessions_may_stand_beside_a_plugin_with_another_key() -> None:
    @get("/both")
    async def both(request: Asked, visitor: CurrentSession) -> list[Any]:
        visitor["n"] = request.session["n"] = 1
        return [dict(visitor), request.session]

    app = Litestar([both], plugins=[plugin(key="visitor")], middleware=[own()])
    assert TestClient(app).get("/both").json() == [{"n": 1}, {"n": 1}]


def test_a_manager_for_wsgi_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs an AsyncManager, not Manager"):
        SessionPlugin(Manager("memory"))  # type: ignore[arg-type]


def test_an_old_litestar_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sojourn.web._versions.version", lambda _: "2.22.0")
    with pytest.raises(ConfigError, match=r"litestar 2.22.0 is too old: install litestar 2.23"):
        importlib.reload(sojourn.web.litestar)
