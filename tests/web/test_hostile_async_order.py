"""What an application sends from several tasks at once goes out in order, behind the head."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sojourn import AsyncManager, StoreUnavailable
from sojourn.providers.memory import MemoryProvider
from sojourn.record import Changes, Outcome, Record
from sojourn.web._lifespan import Message, Receive, Scope, Send
from sojourn.web.asgi import SessionMiddleware
from tests.web.test_asgi import Server, http, stored, text_of, websocket

START = {"type": "http.response.start", "status": 200, "headers": []}


class Slow:
    """A store that takes its time to write, and may be down at the end of it."""

    def __init__(self) -> None:
        self._store = MemoryProvider()
        self.creates = 0
        self.down = False

    def __getattr__(self, verb: str) -> Any:
        async def call(*given: Any) -> Any:
            return getattr(self._store, verb)(*given)

        return call

    async def read(self, id: str) -> Record | None:
        return self._store.read(id)

    async def create(self, record: Record) -> bool:
        self.creates += 1
        await asyncio.sleep(0.02)
        if self.down:
            raise StoreUnavailable("gone")
        return self._store.create(record)

    async def update(self, record: Record, changes: Changes) -> Outcome | Record:
        await asyncio.sleep(0.02)
        return self._store.update(record, changes)


def part(data: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def two_parts_at_once(scope: Scope, receive: Receive, send: Send) -> None:
    """What a stream of events does that also sends a sign of life now and then."""
    scope["session"]["n"] = 1
    await send(START)
    await asyncio.gather(send(part(b"1")), send(part(b"2")), return_exceptions=True)
    await send(part(b"3", more=False))


async def test_parts_that_are_sent_at_once_follow_the_head() -> None:
    manager = AsyncManager(Slow())
    sent = await Server(http(), "http.request").run(SessionMiddleware(two_parts_at_once, manager))
    assert [message["type"] for message in sent] == ["http.response.start"] + [
        "http.response.body"
    ] * 3
    assert [message["body"] for message in sent[1:]] == [b"1", b"2", b"3"]
    assert await stored(manager, text_of(sent[0])) == {"n": 1}


async def test_parts_that_are_sent_at_once_all_give_way_to_a_503() -> None:
    store = Slow()
    store.down = True
    sent = await Server(http(), "http.request").run(
        SessionMiddleware(two_parts_at_once, AsyncManager(store))
    )
    assert [message.get("status") for message in sent] == [503, None]


async def test_what_an_open_socket_sends_follows_the_accept() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"]["n"] = 1
        await asyncio.gather(
            send({"type": "websocket.accept"}), send({"type": "websocket.send", "text": "hello"})
        )

    server = Server(websocket(), "websocket.connect")
    await server.run(SessionMiddleware(app, AsyncManager(Slow())))
    assert server.kinds == ["websocket.accept", "websocket.send"]


@pytest.mark.parametrize("pause", [0, 0.01])
async def test_an_application_that_ends_while_a_task_sends_is_released_once(pause: float) -> None:
    sending = set[asyncio.Task[None]]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"]["n"] = 1
        await send(START)
        sending.add(asyncio.ensure_future(send(part(b"", more=False))))
        await asyncio.sleep(pause)

    store = Slow()
    server = Server(http(), "http.request")
    await server.run(SessionMiddleware(app, AsyncManager(store)))
    await asyncio.gather(*sending)
    assert (store.creates, server.kinds) == (1, ["http.response.start", "http.response.body"])
