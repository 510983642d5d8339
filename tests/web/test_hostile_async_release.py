"""What one task of a request does to the session while another waits for its release."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from sojourn import AsyncManager, Session, SessionError, SessionReleased
from sojourn.web._lifespan import Receive, Scope, Send
from sojourn.web.asgi import SessionMiddleware
from tests.web.stores import cookie
from tests.web.test_asgi import Server, ask, http, stored, visit
from tests.web.test_hostile_async_order import START, Slow, part

Deed = Callable[[Session], object]

DEEDS: list[Deed] = [
    lambda session: session.update(late=1),
    lambda session: session.pop("n"),
    lambda session: session.clear(),
    lambda session: session.apply("n", lambda n: n + 1),
    lambda session: session.regenerate_id(),
    lambda session: session.login("bob"),
    lambda session: session.destroy(),
]


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("renewing", [True, False])
async def test_it_is_too_late_for_a_change(deed: Deed, *, renewing: bool) -> None:
    manager = AsyncManager(Slow())
    refused: list[type[BaseException]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        session = scope["session"]
        session["n"] = 2
        if renewing:
            session.login("ada")
        await send(START)
        await asyncio.gather(send(part(b"", more=False)), change(session))

    async def change(session: Session) -> None:
        await asyncio.sleep(0.005)  # the release has begun, and has not ended
        assert session.released is None
        try:
            deed(session)
        except SessionReleased as error:
            refused.append(type(error))

    visitor = await visit(manager, n=1)
    answer = await ask(SessionMiddleware(app, manager), visitor)
    found = await manager.start({"Cookie": cookie(answer.headers)} if renewing else visitor)
    assert (dict(found), found.user) == ({"n": 2}, "ada" if renewing else None)
    assert refused == [SessionReleased]


async def test_after_a_release_that_took_too_long_a_change_raises() -> None:
    manager = AsyncManager(Slow())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"]["n"] = 1
        await send(START)
        try:
            async with asyncio.timeout(0.005):
                await send(part(b"", more=False))
        except TimeoutError:
            with pytest.raises(SessionReleased):
                scope["session"]["n"] = 2
            await send({**START, "status": 504})

    server = Server(http(), "http.request")
    with pytest.raises(SessionError, match="given up"):
        await server.run(SessionMiddleware(app, manager))
    assert server.sent == []


async def test_requests_that_overlap_a_renewal_leave_the_visitor_signed_in() -> None:
    manager = AsyncManager(Slow())
    visitor = await visit(manager, n=1)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/login":
            scope["session"].login("ada")
        scope["session"][scope["path"]] = 1
        await send(START)
        await send(part(b"", more=False))

    ours = SessionMiddleware(app, manager)
    paths = ["/a", "/login", "/b"]
    answers = await asyncio.gather(*(ask(ours, visitor, path=path) for path in paths))
    assert (await stored(manager, answers[1].headers))["n"] == 1
    assert [len(answer.headers) for answer in answers] == [1, 3, 1]
