"""ASGI: a WebSocket that is closed before its accept gets no headers, and so no new token."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from sojourn import AsyncManager, EncodeError, Session, SessionReleased
from sojourn.providers.memory import MemoryProvider
from sojourn.record import Changes, Outcome, Record
from sojourn.release import ReleaseOutcome
from sojourn.web._lifespan import App, Receive, Scope, Send
from sojourn.web.asgi import SessionMiddleware
from tests.web.stores import Failing, cookie
from tests.web.test_asgi import Server, text_of, visit, websocket

Deed = Callable[[Session], object]
CLOSE = {"type": "websocket.close", "code": 4403}
DENIAL: Any = {"websocket.http.response": {}}


class Counting(MemoryProvider):
    """A store that counts what is written to it."""

    writes = 0

    def create(self, record: Record) -> bool:
        self.writes += 1
        return super().create(record)

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        self.writes += 1
        return super().update(record, changes)

    def destroy(self, id: str) -> Record | None:
        self.writes += 1
        return super().destroy(id)


def closing(deed: Deed, sessions: list[Session]) -> App:
    """An application that does something to the session and closes the socket at once."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        session = scope["session"]
        sessions.append(session)
        await receive()
        deed(session)
        await send(CLOSE)
        with pytest.raises(SessionReleased):
            session["late"] = True

    return app


async def closed(
    manager: AsyncManager, headers: dict[str, str], deed: Deed, **scope: Any
) -> Session:
    """The session of a socket that was closed like that."""
    sessions: list[Session] = []
    server = Server(websocket(headers, **scope), "websocket.connect")
    assert await server.run(SessionMiddleware(closing(deed, sessions), manager)) == [CLOSE]
    return sessions[0]


def put(session: Session) -> None:
    session["n"] = 2


def all_of(*deeds: Deed) -> Deed:
    """One after another."""
    return lambda session: [deed(session) for deed in deeds]


def destroy(session: Session) -> None:
    session.destroy()


def sign_in(session: Session) -> None:
    session.login("bob")


def regenerate(session: Session) -> None:
    session.regenerate_id()


def clear(session: Session) -> None:
    session.clear()


# -- a token that cannot be handed over ---------------------------------------------------------

BEGINNINGS: list[Deed] = [
    put,
    sign_in,
    lambda session: session.apply("n", lambda n: n + 1, 0),
    lambda session: session.setdefault("list", []).append(1),
    all_of(put, regenerate),
    all_of(destroy, put),
]


@pytest.mark.parametrize("extensions", [None, {}, DENIAL])
@pytest.mark.parametrize("deed", BEGINNINGS)
async def test_no_session_begins_that_nobody_can_open(deed: Deed, extensions: Any) -> None:
    manager = AsyncManager(store := Counting())
    session = await closed(manager, {}, deed, extensions=extensions)
    assert session.released is not None
    assert session.released.outcome is ReleaseOutcome.DISCARDED
    assert (store.writes, await manager.active_count()) == (0, 0)


RENEWALS: list[Deed] = [
    sign_in,
    lambda session: session.login("ada"),
    lambda session: session.login("bob", keep=False, remember=1000),
    regenerate,
    all_of(put, regenerate),
    all_of(clear, sign_in),
]


@pytest.mark.parametrize("deed", RENEWALS)
async def test_a_session_whose_new_token_cannot_be_sent_stays_as_it_was(deed: Deed) -> None:
    manager = AsyncManager(store := Counting())
    visitor = await visit(manager, n=1)
    async with manager.open(visitor) as session:
        session.login("ada")
    assert session.released is not None
    visitor = {"Cookie": cookie(session.released.headers)}
    before = [info async for info in manager.sessions()]
    store.writes = 0
    await closed(manager, visitor, deed)
    assert store.writes == 0
    assert [info async for info in manager.sessions()] == before
    found = await manager.start(visitor)
    assert (dict(found), found.user) == ({"n": 1}, "ada")


async def test_that_it_was_dropped_is_logged_with_the_id_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    manager = AsyncManager(MemoryProvider())
    visitor = await visit(manager, secret="data")
    id = (await manager.start(visitor)).id
    with caplog.at_level(logging.INFO, "sojourn"):
        await closed(manager, visitor, sign_in)
        await closed(manager, {}, sign_in)
    known, new = [record for record in caplog.records if "cannot carry" in record.getMessage()]
    assert known.levelno == new.levelno == logging.INFO
    assert known.getMessage().startswith(f"session {id}: ")
    assert new.getMessage().startswith("session None: ")
    for word in ("bob", "data", visitor["Cookie"].partition("=")[2]):
        assert word not in caplog.text


# -- what needs none ----------------------------------------------------------------------------


async def test_a_change_to_a_session_that_is_stored_is_saved() -> None:
    manager = AsyncManager(MemoryProvider())
    visitor = await visit(manager, n=1)
    session = await closed(manager, visitor, put)
    assert session.released is not None
    assert session.released.outcome is ReleaseOutcome.SAVED
    assert dict(await manager.start(visitor)) == {"n": 2}


ENDINGS: list[Deed] = [
    lambda session: session.logout(),
    destroy,
    clear,
    all_of(sign_in, destroy),
    all_of(destroy, put),
    all_of(destroy, sign_in, put),
]


@pytest.mark.parametrize("deed", ENDINGS)
async def test_an_end_is_an_end_and_nothing_begins_after_it(deed: Deed) -> None:
    manager = AsyncManager(MemoryProvider())
    visitor = await visit(manager, n=1)
    session = await closed(manager, visitor, deed)
    assert session.released is not None
    assert session.released.outcome is ReleaseOutcome.ENDED
    assert await manager.active_count() == 0
    assert (await manager.start(visitor)).is_new


async def test_who_only_looks_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    manager = AsyncManager(MemoryProvider())
    visitor = await visit(manager, n=1)
    for headers in (visitor, {}):
        with caplog.at_level(logging.INFO, "sojourn"):
            session = await closed(manager, headers, lambda session: session.get("n"))
        assert session.released is not None
        assert session.released.outcome is ReleaseOutcome.UNCHANGED
    assert caplog.text == ""


@pytest.mark.parametrize("deed", [put, sign_in])
async def test_a_retired_token_stays_retired(deed: Deed) -> None:
    """Where a sign-in would begin a new session, it begins none here."""
    manager = AsyncManager(MemoryProvider())
    old = await visit(manager, n=1)
    async with manager.open(old) as session:
        session.regenerate_id()
    await closed(manager, old, deed)
    assert await manager.active_count() == 1


@pytest.mark.parametrize("deed", [put, sign_in])
async def test_without_a_store_it_is_closed_all_the_same(deed: Deed) -> None:
    store = Failing()
    manager = AsyncManager(store, on_outage="anonymous")
    visitor = await visit(manager, n=1)
    store.down = {"read", "create", "update"}
    await closed(manager, visitor, deed)
    store.down.clear()
    assert dict(await manager.start(visitor)) == {"n": 1}


# -- other ways to refuse -----------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False])
async def test_a_denial_that_the_application_sends_hands_the_token_over(known: bool) -> None:
    manager = AsyncManager(MemoryProvider())
    visitor = await visit(manager, n=1) if known else {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"].login("bob")
        await send({"type": "websocket.http.response.start", "status": 403, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"no"})

    server = Server(websocket(visitor, extensions=DENIAL), "websocket.connect")
    [head, _] = await server.run(SessionMiddleware(app, manager))
    assert (await manager.start({"Cookie": cookie(text_of(head))})).user == "bob"


async def test_a_close_takes_the_place_of_a_denial_that_was_not_sent_yet() -> None:
    manager = AsyncManager(MemoryProvider())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"].login("bob")
        await send({"type": "websocket.http.response.start", "status": 403, "headers": []})
        await send(CLOSE)

    server = Server(websocket({}, extensions=DENIAL), "websocket.connect")
    assert await server.run(SessionMiddleware(app, manager)) == [CLOSE]
    assert await manager.active_count() == 0


async def test_an_accept_does_not_overtake_a_close() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        put(scope["session"])
        await asyncio.gather(send(CLOSE), send({"type": "websocket.accept"}))

    server = Server(websocket({}), "websocket.connect")
    await server.run(SessionMiddleware(app, AsyncManager(MemoryProvider())))
    assert server.kinds == ["websocket.close", "websocket.accept"]  # which the server refuses


async def test_a_close_that_cannot_be_stored_is_not_sent() -> None:
    manager = AsyncManager(MemoryProvider())
    visitor = await visit(manager, n=1)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"]["list"] = []
        scope["session"]["list"].append(object())
        await asyncio.gather(send(CLOSE), send(CLOSE), return_exceptions=True)

    server = Server(websocket(visitor), "websocket.connect")
    with pytest.raises(EncodeError):
        await server.run(SessionMiddleware(app, manager))
    assert server.sent == []


async def test_of_two_managers_each_keeps_what_needs_no_token() -> None:
    manager, staff = AsyncManager(MemoryProvider()), AsyncManager("memory", cookie_name="staff")
    visitor = await visit(manager, n=1)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        put(scope["session"])
        scope["staff"].login("bob")
        await send(CLOSE)

    server = Server(websocket(visitor), "websocket.connect")
    both = SessionMiddleware(SessionMiddleware(app, staff, key="staff"), manager)
    assert await server.run(both) == [CLOSE]
    assert dict(await manager.start(visitor)) == {"n": 2}
    assert await staff.active_count() == 0
