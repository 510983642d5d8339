"""`Session.on_release`: what is called once a request's changes are stored."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask import session as flask_session
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from sojourn import (
    AsyncManager,
    ConfigError,
    EncodeError,
    Manager,
    ReleaseOutcome,
    Session,
    SessionReleased,
    StoreUnavailable,
)
from sojourn.providers.memory import MemoryProvider
from sojourn.web.asgi import SessionMiddleware
from sojourn.web.flask import install
from tests.web.stores import Failing


@pytest.fixture
def store() -> Failing:
    return Failing()


@pytest.fixture
def manager(store: Failing) -> Manager:
    return Manager(store)


def again(manager: Manager | AsyncManager, session: Session) -> dict[str, str]:
    return {"Cookie": f"{manager.config.cookie_name}={session.issued_token}"}


def stored(manager: Manager) -> dict[str, str]:
    """The headers of a visitor of whom something is stored."""
    with manager.open({}) as session:
        session["a"] = 1
    return again(manager, session)


def test_a_job_finds_what_the_request_stored(manager: Manager) -> None:
    """With a session that is new, and the id of which is only now known to the store."""
    found: list[Any] = []

    def job() -> None:
        with manager.open_id(session.id) as current:
            found.append(current["export"])
            current["export"] = "ready"

    with manager.open({}) as session:
        session["export"] = "under way"
        session.on_release(job)
        assert found == []
    assert found == ["under way"]
    assert manager.start(again(manager, session))["export"] == "ready"


DONE: dict[str, tuple[Callable[[Session], object], ReleaseOutcome]] = {
    "nothing": (lambda session: None, ReleaseOutcome.UNCHANGED),
    "a change": (lambda session: session.update(a=2), ReleaseOutcome.SAVED),
    "a new id": (lambda session: session.login("ada"), ReleaseOutcome.RENEWED),
    "an end": (lambda session: session.destroy(), ReleaseOutcome.ENDED),
}


@pytest.mark.parametrize("deed", DONE)
def test_it_is_called_once_in_order_with_the_id_in_force(manager: Manager, deed: str) -> None:
    calls: list[tuple[int, bool]] = []
    do, outcome = DONE[deed]
    with manager.open(stored(manager)) as session:
        session.on_release(lambda: calls.append((1, session.released is not None)))
        do(session)
        session.on_release(lambda: calls.append((2, session.released is not None)))
    assert session.released is not None
    assert session.released.outcome is outcome
    assert calls == [(1, True), (2, True)]
    with pytest.raises(SessionReleased):
        session.on_release(calls.clear)


def test_it_is_not_called_if_the_changes_are_lost(manager: Manager, store: Failing) -> None:
    calls: list[str] = []

    def lost(headers: dict[str, str], deed: Callable[[Session], object]) -> Session:
        session = manager.start(headers)
        session.on_release(lambda: calls.append("called"))
        deed(session)
        return session

    ended = lost(stored(manager), lambda session: session.update(a=2))
    manager.destroy(ended.id)
    assert manager.release(ended).outcome is ReleaseOutcome.LATE
    assert manager.discard(lost({}, lambda _: None)).outcome is ReleaseOutcome.DISCARDED
    refused = lost({}, lambda session: session.update(a=2))
    assert manager.release(refused, headers=False).outcome is ReleaseOutcome.DISCARDED
    broken = lost({}, lambda session: session.setdefault("a", []).append(object()))
    with pytest.raises(EncodeError):
        manager.release(broken)
    store.down = {"create"}
    with pytest.raises(StoreUnavailable):
        manager.release(lost({}, lambda session: session.update(a=2)))
    anonymous = Manager(store, on_outage="anonymous")
    with anonymous.open({}) as session:
        session["a"] = 1
        session.on_release(lambda: calls.append("called"))
    with pytest.raises(ZeroDivisionError), manager.open({}) as session:  # noqa: PT012
        session.on_release(lambda: calls.append("called"))
        raise ZeroDivisionError
    assert calls == []


def test_what_it_raises_is_logged_and_the_next_is_called(
    manager: Manager, caplog: pytest.LogCaptureFixture
) -> None:
    """The record stands, and the client must get the token of it."""
    calls: list[str] = []
    with caplog.at_level(logging.ERROR, "sojourn"), manager.open({}) as session:
        session["a"] = 1
        session.on_release(lambda: 1 / 0)
        session.on_release(lambda: calls.append("called"))
    assert calls == ["called"]
    assert session.issued_token
    assert "a function given to on_release failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text


async def test_an_async_manager_waits_for_an_async_function() -> None:
    manager = AsyncManager(MemoryProvider())
    calls: list[Any] = []

    async def job() -> None:
        async with manager.open_id(session.id) as current:
            calls.append(current["a"])

    async with manager.open({}) as session:
        session["a"] = 1
        session.on_release(job)
        session.on_release(lambda: calls.append("plain"))
        session.on_release(lambda: job())  # noqa: PLW0108 - one whose result is awaited
    assert calls == [1, "plain", 1]


async def nothing() -> None:
    pass


@pytest.mark.parametrize("function", [nothing, None, "job"])
def test_what_a_manager_cannot_call_is_refused(manager: Manager, function: Any) -> None:
    with pytest.raises(ConfigError, match=r"on_release: .* must be a function without arguments"):
        manager.start({}).on_release(function)


def test_the_settings_of_a_manager_leave_it_asynchronous() -> None:
    manager = AsyncManager("memory")
    manager.set_secure(True)
    assert manager._life.openings.context.awaits


def test_a_job_in_flask() -> None:
    """As a new visitor's first request: before the release there is no record to work on."""
    app, found = Flask(__name__), []
    sessions = install(app, MemoryProvider())

    def job(id: str) -> None:
        with sessions.open_id(id) as current:
            found.append(current["export"])

    @app.post("/export")
    def export() -> str:
        session: Any = flask_session
        session["export"] = "under way"
        session.on_release(lambda id=session.id: job(id))
        return "ordered"

    assert app.test_client().post("/export").text == "ordered"
    assert found == ["under way"]


def test_a_job_in_starlette() -> None:
    manager, found = AsyncManager(MemoryProvider()), []

    async def export(request: Any) -> PlainTextResponse:
        async def job() -> None:
            async with manager.open_id(request.session.id) as current:
                found.append(current["export"])

        request.session["export"] = "under way"
        request.session.on_release(job)
        return PlainTextResponse("ordered")

    app = Starlette(routes=[Route("/export", export, methods=["POST"])])
    client = TestClient(SessionMiddleware(app, manager))
    assert client.post("/export").text == "ordered"
    assert found == ["under way"]
