"""Sessions as dependencies of FastAPI."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Iterator
from inspect import signature
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from starlette.middleware.sessions import SessionMiddleware as SignedCookies

import sojourn.web.fastapi
from sojourn import AsyncManager, ConfigError, Session, SessionReleased
from sojourn.web.asgi import SessionMiddleware
from sojourn.web.fastapi import CurrentSession, session_from
from tests.frameworks.apps.fastapi_app import HAS_EVENTS

if HAS_EVENTS:
    from fastapi.sse import EventSourceResponse, ServerSentEvent


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    app.state.manager = AsyncManager("memory")
    app.add_middleware(SessionMiddleware, manager=app.state.manager)

    @app.get("/show")
    async def show(session: CurrentSession) -> dict[str, Any]:
        return dict(session)

    return app


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def test_a_path_operation_receives_the_session(app: FastAPI, client: TestClient) -> None:
    @app.get("/async")
    async def in_the_loop(session: CurrentSession) -> None:
        session.setdefault("items", []).append("loop")

    @app.get("/sync")
    def in_a_thread(session: CurrentSession) -> None:
        session.setdefault("items", []).append("thread")

    for path in ("/async", "/sync", "/async"):
        client.get(path)
    assert client.get("/show").json() == {"items": ["loop", "thread", "loop"]}


def test_a_session_that_is_only_asked_for_is_not_touched(app: FastAPI, client: TestClient) -> None:
    @app.get("/")
    async def quiet(session: CurrentSession) -> str:
        return "quiet"

    answer = client.get("/")
    assert not {"vary", "set-cookie"} & set(answer.headers)


async def signed_in(session: CurrentSession) -> str:
    if session.user is None:
        raise HTTPException(401)
    return session.user


User = Annotated[str, Depends(signed_in)]


def test_a_dependency_gives_the_user_or_401(app: FastAPI, client: TestClient) -> None:
    router = APIRouter(dependencies=[Depends(signed_in)])

    @router.get("/me")
    async def me(user: User) -> str:
        return user

    @router.get("/other")
    async def other() -> str:
        return "other"

    @app.get("/login")
    async def login(session: CurrentSession) -> None:
        session.login("ada")

    app.include_router(router)
    assert [client.get(path).status_code for path in ("/me", "/other")] == [401, 401]
    assert "set-cookie" in client.get("/login").headers
    assert [client.get(path).json() for path in ("/me", "/other")] == ["ada", "other"]


def test_a_websocket_receives_the_session(app: FastAPI, client: TestClient) -> None:
    @app.websocket("/ws")
    async def talk(websocket: WebSocket, session: CurrentSession) -> None:
        session["socket"] = "open"
        await websocket.accept()
        with pytest.raises(SessionReleased):
            session["late"] = True
        async with websocket.app.state.manager.open_id(session.id) as later:
            await websocket.send_json(dict(later))

    with client.websocket_connect("/ws") as socket:
        assert socket.receive_json() == {"socket": "open"}


StaffSession = Annotated[Session, Depends(session_from("staff"))]


def test_a_second_manager_has_a_dependency_of_its_own(app: FastAPI) -> None:
    staff = AsyncManager("memory", cookie_name="staff")
    app.add_middleware(SessionMiddleware, manager=staff, key="staff")

    @app.get("/staff")
    async def both(session: CurrentSession, of_staff: StaffSession) -> list[dict[str, Any]]:
        session["n"], of_staff["m"] = 1, 2
        return [dict(session), dict(of_staff)]

    with TestClient(app) as client:
        assert client.get("/staff").json() == [{"n": 1}, {"m": 2}]
        assert {cookie.name for cookie in client.cookies.jar} == {"session", "staff"}


EXITS: list[str] = []


async def until_the_end(session: CurrentSession) -> AsyncIterator[None]:
    session["entered"] = True
    yield
    try:
        session["left"] = True
        EXITS.append("saved")
    except SessionReleased:
        EXITS.append("too late")


@pytest.mark.parametrize(
    ("scope", "exits", "stored"),
    [
        ({}, "too late", {"entered": True}),
        pytest.param(
            {"scope": "function"},
            "saved",
            {"entered": True, "left": True},
            marks=pytest.mark.skipif(
                "scope" not in signature(Depends).parameters, reason="FastAPI has it since 0.121"
            ),
        ),
    ],
)
def test_what_follows_a_yield_comes_after_the_response(
    app: FastAPI, client: TestClient, scope: Any, exits: str, stored: dict[str, bool]
) -> None:
    """Unless the dependency says that it ends with the function."""

    @app.get("/", dependencies=[Depends(until_the_end, **scope)])
    async def read() -> str:
        return "read"

    assert client.get("/").json() == "read"
    assert EXITS.pop() == exits
    assert client.get("/show").json() == stored


def test_a_background_task_opens_the_session_by_its_id(app: FastAPI, client: TestClient) -> None:
    async def work(id: str) -> None:
        async with app.state.manager.open_id(id) as session:
            session["done"] = True

    @app.get("/")
    async def begin(session: CurrentSession, tasks: BackgroundTasks) -> str:
        session["begun"] = True
        tasks.add_task(work, session.id)
        return "begun"

    client.get("/")
    assert client.get("/show").json() == {"begun": True, "done": True}


@pytest.mark.skipif(not HAS_EVENTS, reason="FastAPI has them since 0.135")
def test_events_make_their_changes_before_the_first_one(app: FastAPI, client: TestClient) -> None:
    @app.get("/events", response_class=EventSourceResponse)
    async def events(session: CurrentSession) -> AsyncIterator[ServerSentEvent]:
        session["events"] = True
        yield ServerSentEvent(raw_data="one")

    assert client.get("/events").text == "data: one\n\n"
    assert client.get("/show").json() == {"events": True}


def test_a_stream_makes_its_changes_before_the_first_part(app: FastAPI, client: TestClient) -> None:
    @app.get("/stream")
    async def stream(session: CurrentSession) -> StreamingResponse:
        async def parts() -> AsyncIterator[str]:
            session["stream"] = True
            yield "one"

        return StreamingResponse(parts())

    assert client.get("/stream").text == "one"
    assert client.get("/show").json() == {"stream": True}


def test_an_answer_that_is_invalid_saves_nothing(app: FastAPI) -> None:
    @app.get("/")
    async def lie(session: CurrentSession) -> int:
        session["n"] = 1
        return "no number"  # type: ignore[return-value]  # that is the point

    client = TestClient(app, raise_server_exceptions=False)
    assert client.get("/").status_code == 500
    assert client.get("/show").json() == {}


def test_a_request_that_is_invalid_is_a_response(app: FastAPI, client: TestClient) -> None:
    async def note(session: CurrentSession) -> None:
        session["asked"] = True

    @app.get("/", dependencies=[Depends(note)])
    async def read(n: int) -> int:
        return n

    assert client.get("/?n=x").status_code == 422
    assert client.get("/show").json() == {"asked": True}


def test_the_schema_knows_nothing_of_sessions(app: FastAPI) -> None:
    @app.get("/")
    async def read(session: CurrentSession, user: User) -> str:
        return user

    schema = app.openapi()
    assert "parameters" not in schema["paths"]["/"]["get"]
    assert "session" not in str(schema["paths"]["/"]).lower()
    assert "components" not in schema


def test_without_the_middleware_the_error_says_what_to_do() -> None:
    app = FastAPI()

    @app.get("/")
    async def read(session: CurrentSession) -> str:
        return "read"

    with pytest.raises(ConfigError, match=r"no session of Sojourn stands under 'session'.*add_mid"):
        TestClient(app).get("/")
    signed = FastAPI()
    signed.include_router(app.router)
    signed.add_middleware(SignedCookies, secret_key="secret")
    with pytest.raises(ConfigError, match="in place of any other that stands there"):
        TestClient(signed).get("/")


def test_request_session_is_the_same_session(app: FastAPI, client: TestClient) -> None:
    @app.get("/")
    async def read(request: Request, session: CurrentSession) -> bool:
        found: object = request.session
        return found is session

    assert client.get("/").json() is True


def test_an_old_fastapi_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sojourn.web._versions.version", lambda _: "0.117.1")
    with pytest.raises(ConfigError, match=r"fastapi 0.117.1 is too old: install fastapi 0.118"):
        importlib.reload(sojourn.web.fastapi)
