"""The plugin among Litestar's layers: guards, middlewares, other plugins; and paths without a session."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import Controller, Litestar, Request, Response, Router, get
from litestar.config.compression import CompressionConfig
from litestar.config.csrf import CSRFConfig
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import (
    AbstractAuthenticationMiddleware,
    AuthenticationResult,
)
from litestar.params import FromPath, FromQuery
from litestar.plugins.flash import FlashConfig, FlashPlugin, flash, get_flashes
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Template
from litestar.template import TemplateConfig
from litestar.testing import TestClient, create_test_client

from sojourn import AsyncManager, ConfigError, Session
from sojourn.web.litestar import CurrentSession, SessionPlugin
from tests.web.stores import Failing
from tests.web.test_litestar import Asked, count, login, show

Connection = ASGIConnection[Any, Any, Any, Any]


def plugin(**options: Any) -> SessionPlugin:
    return SessionPlugin(AsyncManager("memory"), **options)


def client_of(*handlers: Any, **options: Any) -> TestClient[Litestar]:
    settings = {"plugins": [plugin()], "logging_config": None, **options}
    return create_test_client([*handlers, show, count, login], **settings)


def session_of(connection: Connection) -> Session:
    session: object = connection.session  # Litestar says a dict
    assert isinstance(session, Session)
    return session


def signed_in(connection: Connection, _: BaseRouteHandler) -> None:
    if session_of(connection).user is None:
        raise NotAuthorizedException


class Users(AbstractAuthenticationMiddleware):
    async def authenticate_request(self, connection: Connection) -> AuthenticationResult:
        return AuthenticationResult(user=session_of(connection).user, auth=None)


class Account(Controller):
    path = "/account"
    guards = (signed_in,)

    @get("/me")
    async def me(self, session: CurrentSession) -> str | None:
        return session.user


@get("/user")
async def user(request: Asked) -> str | None:
    name: str | None = request.user
    return name


def test_guards_and_controllers_see_the_session() -> None:
    client = client_of(Account)
    assert client.get("/account/me").status_code == 401
    client.get("/login")
    assert client.get("/account/me").text == "ada"


@pytest.mark.parametrize("layer", ["app", "router"])
def test_a_middleware_of_any_layer_sees_the_session(layer: str) -> None:
    if layer == "app":
        client = client_of(user, middleware=[Users])
    else:
        client = client_of(Router("/", route_handlers=[user], middleware=[Users]))
    client.get("/login")
    assert client.get("/user").text == "ada"


def test_compression_csrf_and_the_response_cache_keep_their_headers() -> None:
    @get("/cached", cache=True)
    async def cached(session: CurrentSession) -> str:
        session["seen"] = True
        return "x" * 1000

    compression = CompressionConfig(backend="gzip", minimum_size=10)
    csrf = CSRFConfig(secret="s" * 32)
    client = client_of(cached, compression_config=compression, csrf_config=csrf)
    first = client.get("/cached")
    assert first.headers["content-encoding"] == "gzip"
    assert {name.strip() for name in first.headers["vary"].lower().split(",")} >= {"cookie"}
    assert {cookie.name for cookie in client.cookies.jar} == {"session", "csrftoken"}
    client.cookies.clear()
    second = client.get("/cached")  # from the cache: somebody else's session is not in it
    assert (second.text, "session" in second.headers.get("set-cookie", "")) == ("x" * 1000, False)


def test_flash_messages_work() -> None:
    config = TemplateConfig(directory=".", engine=JinjaTemplateEngine)

    @get("/flash")
    async def say(request: Asked) -> None:
        flash(request, "saved", category="info")

    @get("/page")
    async def page() -> Template:
        return Template(template_str="{% for m in get_flashes() %}{{ m.message }},{% endfor %}")

    plugins = [plugin(), FlashPlugin(FlashConfig(config))]
    client = client_of(say, page, plugins=plugins, template_config=config)
    for _ in range(2):
        client.get("/flash")
    assert [client.get("/page").text for _ in range(2)] == ["saved,saved,", ""]
    assert get_flashes.__name__ in config.engine_instance.engine.globals


# -- without a session ------------------------------------------------------------------------


@get("/static/{name:str}")
async def static(request: Asked) -> bool:
    return "session" in request.scope


@get("/skipped", opt={"skip_session": True})
async def skipped(request: Asked) -> bool:
    return "session" in request.scope


@get("/static/asks")
async def asks(session: CurrentSession) -> str:
    return "never"


def test_an_excluded_path_has_no_session_and_reads_none() -> None:
    store = Failing()
    excluding = SessionPlugin(AsyncManager(store), exclude=["^/static/"])
    client = client_of(static, skipped, asks, plugins=[excluding], raise_server_exceptions=False)
    client.cookies.set("session", "A" * 43)
    store.down.add("read")
    assert client.get("/count").status_code == 503
    assert [client.get(path).json() for path in ("/static/a", "/skipped")] == [False, False]
    assert client.get("/static/asks").status_code == 500


def test_an_excluded_handler_that_asks_is_told_why() -> None:
    told: list[str] = []

    def tell(_: Asked, error: ConfigError) -> Response[str]:
        told.append(str(error))
        return Response("", status_code=500)

    plugins = [plugin(exclude="^/static/")]
    client_of(asks, plugins=plugins, exception_handlers={ConfigError: tell}).get("/static/asks")
    assert told == ["no session stands under 'session': this path is excluded from it"]


# -- the name of the parameter ----------------------------------------------------------------


def test_the_parameter_may_have_another_name() -> None:
    """So that `session` is free for what an application calls so: a meeting, a lecture."""

    @get("/meetings/{session:str}")
    async def meeting(session: FromPath[str], visitor: CurrentSession) -> str:
        visitor["seen"] = session
        return session

    @get("/search")
    async def search(session: FromQuery[str]) -> str:
        return session

    @get("/seen")
    async def seen(request: Request[Any, Any, Any]) -> str:
        return str(request.session["seen"])

    plugins = [plugin(parameter="visitor")]
    with create_test_client([meeting, search, seen], plugins=plugins) as client:
        assert client.get("/meetings/monday").text == "monday"
        assert client.get("/search?session=tuesday").text == "tuesday"
        assert client.get("/seen").text == "monday"


@pytest.mark.filterwarnings("ignore:.*Inferred dependency field")
@pytest.mark.parametrize("annotation", [str, FromQuery[str]])
def test_a_parameter_of_the_query_does_not_receive_the_session_instead(annotation: Any) -> None:
    async def search(session: Any) -> str:
        return str(session)

    search.__annotations__["session"] = annotation
    with pytest.raises(ConfigError, match=r"'session' is a str, .*parameter='visitor'"):
        client_of(get("/search")(search))


def test_a_dependency_of_the_handlers_own_may_have_the_name() -> None:
    @get("/own", dependencies={"session": Provide(lambda: "own", sync_to_thread=False)})
    async def own(session: NamedDependency[str]) -> str:
        return session

    with client_of(own) as client:
        assert client.get("/own").text == "own"
