"""ASGI: random applications, stores and servers, and what holds for all of them.

An application sends from several tasks, some of which are cancelled, raise, swallow errors or are
left behind; the store waits and fails; the server raises.  Time passes in turns of the event
loop alone, so a seed tells it all.  SOJOURN_SEARCH multiplies the number of programs.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from sojourn import AsyncManager, Session, StoreError, StoreUnavailable
from sojourn.providers.memory import MemoryProvider
from sojourn.record import Record
from sojourn.release import ReleaseOutcome
from sojourn.web._lifespan import Message, Receive, Scope, Send
from sojourn.web.asgi import SessionMiddleware
from tests.web.test_asgi import oversized, unencodable

PROGRAMS = int(400 * float(os.environ.get("SOJOURN_SEARCH", "1")))

HTTP: list[Message] = [
    {"type": "http.response.body", "body": b"part", "more_body": True},
    {"type": "http.response.body", "body": b"", "more_body": False},
    {"type": "http.response.early_hint", "links": []},
    {"type": "http.response.pathsend", "path": "/etc/hostname"},
    {"type": "http.response.trailers", "headers": []},
]
SOCKET: list[Message] = [
    {"type": "websocket.send", "text": "hello"},
    {"type": "websocket.close", "code": 1000},
]
START: Message = {"type": "http.response.start", "status": 200, "headers": []}
ACCEPT: Message = {"type": "websocket.accept", "headers": []}
HINT = "http.response.early_hint"
CHANGES: list[Callable[[Session], object]] = [
    lambda session: session.update(n=1),
    lambda session: session.update(n=1),
    lambda session: session.login("ada"),
    lambda session: session.get("n"),
    unencodable,
    oversized,
]


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


class Store:
    """An async store that takes some turns for each write, and may fail at the end of it."""

    def __init__(self, rng: random.Random) -> None:
        self._store = MemoryProvider()
        self._turns = rng.randrange(6)
        self._error = rng.choice([None, None, None, StoreUnavailable("down"), KeyError("a bug")])
        self.created = list[str]()

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._store, verb)

    async def read(self, id: str) -> Record | None:
        return self._store.read(id)

    async def create(self, record: Record) -> bool:
        await turns(self._turns)
        if self._error is not None:
            raise self._error
        self.created.append(record.id)
        return self._store.create(record)


class Server:
    """Takes messages, with a turn or two for each; may raise at one of them."""

    def __init__(self, rng: random.Random) -> None:
        self._turns = rng.randrange(3)
        self._last = rng.randrange(5) if rng.random() < 0.15 else None
        self.raised = False
        self.refused = False
        self.over = False
        self.sent: list[Message] = []

    async def send(self, message: Message) -> None:
        await turns(self._turns)
        assert not self.over, f"{message['type']} after the end"
        assert not self.refused, f"{message['type']} after a head that was not taken"
        if self.raised or len(self.sent) == self._last:
            self.raised = True
            begun = any(each["type"] != HINT for each in self.sent)
            self.refused = not begun and message["type"] != HINT
            raise OSError("the client is gone")
        self.sent.append(message)


class Program:
    """One application, and what it went through."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.socket = self.rng.random() < 0.3
        self.store = Store(self.rng)
        self.server = Server(self.rng)
        self.session: Session | None = None
        self.cancelled = False
        self.failed = False
        self.left: list[asyncio.Task[None]] = []

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        rng, self.session = self.rng, scope["session"]
        await turns(rng.randrange(2))
        rng.choice(CHANGES)(self.session)
        if not self.socket:
            await send(START)
        tasks = [asyncio.ensure_future(self.task(send)) for _ in range(rng.randrange(1, 5))]
        for task in tasks:
            if rng.random() < 0.15:
                self.cancelled = True
                asyncio.get_running_loop().call_soon(task.cancel)
            await turns(rng.randrange(3))
        if rng.random() < 0.1:
            self.left += tasks
            self.failed = rng.random() < 0.5
            if self.failed:
                raise LookupError("of the application")
        else:
            swallowing = rng.random() < 0.7
            await asyncio.gather(*tasks, return_exceptions=swallowing)
            self.left += tasks

    async def task(self, send: Send) -> None:
        rng = self.rng
        messages = rng.choices(SOCKET if self.socket else HTTP, k=rng.randrange(1, 4))
        if self.socket:
            messages.insert(0, rng.choice([ACCEPT, ACCEPT, SOCKET[-1]]))
        for message in messages:
            try:
                await send(dict(message))
            except Exception:
                if rng.random() < 0.5:
                    raise
                if not self.socket:
                    messages.append({**START, "status": 500})  # a page about the error
            await turns(rng.randrange(3))

    async def run(self) -> BaseException | None:
        """Serve it; return the error that reached the server."""
        kind = "websocket" if self.socket else "http"
        scope = {"type": kind, "method": "GET", "scheme": "http", "headers": []}
        middleware = SessionMiddleware(self.app, AsyncManager(self.store))

        async def receive() -> Any:
            raise AssertionError("nothing is received")

        serving = asyncio.ensure_future(middleware(scope, receive, self.server.send))
        if self.rng.random() < 0.15:
            await turns(self.rng.randrange(20))
            self.cancelled = self.cancelled or not serving.done()
            serving.cancel()
        [error] = await asyncio.gather(serving, return_exceptions=True)
        self.server.over = error is not None
        await asyncio.gather(*self.left, return_exceptions=True)
        return error


def check(program: Program, error: BaseException | None) -> None:
    """Say what holds, whatever happened."""
    session, server = program.session, program.server
    sent = [message for message in server.sent if message["type"] != HINT]
    released = None if session is None else session.released
    outcome = released and released.outcome
    kept = outcome not in (None, ReleaseOutcome.DISCARDED)
    ours = bool(sent) and (sent[0].get("status") == 503 or sent[0].get("code") == 1013)
    if sent and not ours:
        first = sent[0]["type"]
        assert first == START["type"] or first.startswith("websocket."), "a body before its head"
        assert kept or first == "websocket.close", "a response without a release"
        heads = [m for m in sent if m["type"] in (START["type"], ACCEPT["type"])]
        assert all(message.get("status") != 500 for message in heads), "a page after a failure"
    cut_off = server.raised or program.cancelled
    if ours:
        assert len(sent) == (1 if program.socket else 2) or cut_off, "more than a 503"
        assert error is None or cut_off, "a 503 and an error"
        assert program.store.created == [], "a 503 and a session"
    if error is None and not sent and not server.raised:
        missing = outcome is ReleaseOutcome.DISCARDED  # the body, which the head promised
        assert program.socket or program.cancelled or missing, "neither a response nor an error"
        assert kept is False or program.socket or program.cancelled
    if isinstance(error, StoreError):
        assert sent or cut_off, "an outage that is no 503"
    if program.store.created and not (program.failed or cut_off):
        tokens = [
            value
            for message in sent
            for name, value in message.get("headers", ())
            if name == b"set-cookie"
        ]
        assert len(tokens) == 1, "a session that nobody can open"


@pytest.mark.parametrize("part", range(4))
async def test_whatever_happens_the_server_sees_a_whole_answer_or_one_error(part: int) -> None:
    for seed in range(part, PROGRAMS, 4):
        program = Program(seed)
        error = await program.run()
        try:
            assert not isinstance(error, AssertionError), error
            check(program, error)
        except AssertionError as wrong:
            raise AssertionError(
                f"seed {seed}: {wrong}; {error!r}; {[m['type'] for m in program.server.sent]}"
            ) from error
