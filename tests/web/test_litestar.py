"""`request.session` of Litestar: visitors, parameters, Litestar's own verbs, errors, an outage."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import Litestar, Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException
from litestar.params import SkipValidation
from litestar.testing import TestClient
from litestar.types import Empty
from pydantic import BaseModel

from sojourn import AsyncManager, Session
from sojourn.web.litestar import CurrentSession, SessionPlugin
from tests.web.stores import FAULTS, Failing

Asked = Request[Any, Any, Any]


@get("/show")
async def show(request: Asked) -> dict[str, Any]:
    return dict(request.session)


@get("/count")
async def count(session: CurrentSession) -> int:
    session["n"] = session.get("n", 0) + 1
    number: int = session["n"]
    return number


@get("/login")
async def login(session: CurrentSession) -> None:
    session.login("ada")


def app_of(*handlers: Any, manager: AsyncManager | None = None, **options: Any) -> Litestar:
    plugin = SessionPlugin(manager or AsyncManager("memory"))
    pages = [*handlers, show, count, login]
    return Litestar(pages, plugins=[plugin], logging_config=None, **options)


def client_of(*handlers: Any, **options: Any) -> TestClient[Litestar]:
    return TestClient(app_of(*handlers, **options), raise_server_exceptions=False)


def test_a_visitor_is_known_again() -> None:
    client = client_of()
    first = client.get("/count")
    assert (first.headers["vary"], first.headers["cache-control"]) == (
        "Cookie",
        "no-store, private",
    )
    again = client.get("/count")
    assert (again.json(), "set-cookie" in again.headers) == (2, False)
    assert client.get("/show").json() == {"n": 2}


def test_what_is_only_asked_for_is_not_touched() -> None:
    @get("/")
    async def quiet(session: CurrentSession) -> str:
        return "quiet"

    assert not {"vary", "set-cookie"} & set(client_of(quiet).get("/").headers)


async def basket_of(session: CurrentSession) -> list[str]:
    basket: list[str] = session.setdefault("basket", [])
    return basket


def test_dependencies_receive_the_session_too() -> None:
    """Of a list that a dependency returns, though, Litestar hands a copy on when it checks it."""

    @get("/copy", dependencies={"basket": Provide(basket_of)})
    async def fill_a_copy(basket: NamedDependency[list[str]]) -> None:
        basket.append("pear")

    @get("/fill", dependencies={"basket": Provide(basket_of)})
    async def fill(basket: NamedDependency[SkipValidation[list[str]]]) -> None:
        basket.append("apple")

    client = client_of(fill, fill_a_copy)
    assert [client.get(path).status_code for path in ("/fill", "/copy", "/fill")] == [200] * 3
    assert client.get("/show").json() == {"basket": ["apple", "apple"]}


def test_a_dependency_of_that_name_that_is_there_stays() -> None:
    async def other() -> int:
        return 7

    @get("/")
    async def read(session: NamedDependency[int], request: Asked) -> list[Any]:
        return [session, isinstance(request.session, Session)]

    app = Litestar([read], plugins=[plugin()], dependencies={"session": Provide(other)})
    assert TestClient(app).get("/").json() == [7, True]


def plugin(**options: Any) -> SessionPlugin:
    return SessionPlugin(AsyncManager("memory"), **options)


def test_the_schema_knows_nothing_of_sessions() -> None:
    schema = app_of().openapi_schema.to_schema()
    assert "parameters" not in schema["paths"]["/count"]["get"]
    assert not schema.get("components", {}).get("schemas")


# -- Litestar's own verbs ---------------------------------------------------------------------


class Basket(BaseModel):
    apples: int


@get("/set")
async def set_session(request: Asked) -> bool:
    request.set_session({"a": 1})
    request.session["b"] = 2
    return isinstance(request.session, Session)


@get("/model")
async def set_model(request: Asked) -> None:
    request.set_session(Basket(apples=3))


@get("/clear")
async def clear(request: Asked) -> None:
    request.clear_session()


@get("/renew")
async def renew(request: Asked) -> None:
    request.clear_session()
    request.set_session({"new": True})


@get("/wrong")
async def set_wrong(request: Asked) -> None:
    request.set_session(object())  # type: ignore[arg-type]  # that is the point


VERBS = (set_session, set_model, clear, renew, set_wrong)


@pytest.mark.parametrize(
    ("path", "stored"),
    [
        ("/set", {"a": 1, "b": 2}),
        ("/model", {"apples": 3}),
        ("/clear", {}),
        ("/renew", {"new": True}),
        ("/wrong", {"n": 1}),
    ],
)
def test_what_is_put_in_the_sessions_place_goes_into_it(path: str, stored: dict[str, Any]) -> None:
    client = client_of(*VERBS)
    client.get("/count")
    token = client.cookies["session"]
    assert client.get(path).status_code == (500 if path == "/wrong" else 200)
    assert client.get("/show").json() == stored
    assert (client.cookies.get("session") == token) == (path not in {"/clear", "/renew"})


def test_a_session_put_in_its_own_place_changes_nothing() -> None:
    """It would drop what overlapping requests store."""

    @get("/")
    async def same(request: Asked, session: CurrentSession) -> bool:
        request.set_session(request.session)
        return session.modified

    client = client_of(same)
    client.get("/count")
    assert client.get("/").json() is False


def test_clear_session_signs_out() -> None:
    manager = AsyncManager("memory")
    client = client_of(*VERBS, manager=manager)
    client.get("/login")
    stolen = client.cookies["session"]
    answer = client.get("/clear")
    assert answer.headers["set-cookie"].startswith("session=; Path=/; Max-Age=0")
    client.cookies.set("session", stolen)
    assert client.get("/count").json() == 1  # of a new session: the old one is gone


def test_set_session_to_empty_ends_it_as_well() -> None:
    @get("/")
    async def end(request: Asked) -> None:
        request.set_session(Empty)

    client = client_of(end)
    client.get("/count")
    assert "Max-Age=0" in client.get("/").headers["set-cookie"]


# -- errors, and an outage --------------------------------------------------------------------


@get("/raise")
async def put_and_raise(request: Asked, session: CurrentSession) -> None:
    session["before"] = "the error"
    raise {"lookup": LookupError, "missing": NotFoundException}[request.query_params["as"]]


def handle(request: Asked, _: Exception) -> Response[str]:
    request.session["handled"] = "yes"
    return Response("handled", status_code=400)


def test_an_error_becomes_a_response_and_saves() -> None:
    """Litestar makes one of every error, before its middlewares see any."""
    client = client_of(put_and_raise)
    assert client.get("/raise?as=missing").status_code == 404
    assert client.get("/raise?as=lookup").status_code == 500
    assert client.get("/show").json() == {"before": "the error"}


def test_a_handler_of_errors_has_the_session() -> None:
    client = client_of(put_and_raise, exception_handlers={LookupError: handle})
    assert client.get("/raise?as=lookup").text == "handled"
    assert client.get("/show").json() == {"before": "the error", "handled": "yes"}


def test_a_path_that_leads_nowhere_has_no_session() -> None:
    def missing(request: Asked, _: Exception) -> Response[str]:
        return Response(str("session" in request.scope), status_code=404)

    client = client_of(put_and_raise, exception_handlers={404: missing})
    client.get("/count")
    assert client.get("/nowhere").text == "False"
    assert client.get("/raise?as=missing").text == "True"


def test_what_cannot_be_stored_is_500_and_saves_nothing() -> None:
    @get("/")
    async def put(session: CurrentSession) -> str:
        session.setdefault("items", []).append(object())
        return "never sent"

    client = client_of(put)
    answer = client.get("/")
    assert (answer.status_code, "never sent" in answer.text) == (500, False)
    assert client.get("/show").json() == {}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("verb", ["read", "create", "handler"])
def test_an_outage_is_503(verb: str, fault: type[Exception]) -> None:
    @get("/")
    async def ask_the_store() -> None:
        raise fault("no answer today")

    store = Failing()
    client = client_of(ask_the_store, manager=AsyncManager(store))
    client.cookies.set("session", "A" * 43)
    store.down.add(verb)
    answer = client.get("/" if verb == "handler" else "/count")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.text.startswith("The session store is unavailable")
