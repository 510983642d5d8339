"""ASGI: a release that fails, whatever the error, ends the response of the application."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import pytest

from sojourn import (
    AsyncManager,
    EncodeError,
    Session,
    SessionError,
    SessionReleased,
    SessionTooLarge,
    StoreUnavailable,
)
from sojourn.record import Record
from sojourn.web._lifespan import App, Message, Receive, Scope, Send
from sojourn.web.asgi import SessionMiddleware
from tests.web.test_asgi import Server, http, oversized, start, stored, text_of, unencodable, visit
from tests.web.test_asgi import websocket as socket
from tests.web.test_hostile_async_order import START, Slow, part

ACCEPT = {"type": "websocket.accept"}


class Broken(Slow):
    """A store with a bug: it takes its time, and raises what no store may raise."""

    async def create(self, record: Record) -> bool:
        await super().create(record)
        raise ZeroDivisionError("a bug")


def fails_in_apply(session: Session) -> None:
    """Add to a number that another request changes meanwhile: then the function raises."""
    calls: list[int] = []

    def add(number: int) -> int:
        calls.append(number)
        return number + 1 if len(calls) == 1 else fail()

    session.apply("n", add, 0)


def fail() -> NoReturn:
    raise LookupError("broken")


def put(session: Session) -> None:
    session["n"] = 2


Change = Callable[[Session], None]
FAULTS: dict[str, tuple[Change, type[Slow], type[Exception]]] = {
    "what cannot be encoded": (unencodable, Slow, EncodeError),
    "too much": (oversized, Slow, SessionTooLarge),
    "an error of the application": (fails_in_apply, Slow, LookupError),
    "a bug": (put, Broken, ZeroDivisionError),
}


async def told(send: Send, *messages: Message) -> list[Exception]:
    """The errors that an application is told that sends these, one after another."""
    errors: list[Exception] = []
    for message in messages:
        try:
            await send(message)
        except Exception as error:  # noqa: BLE001 - as careless applications do
            errors.append(error)
    return errors


async def pass_on(send: Send, message: Message) -> None:
    await send(message)


# -- any error --------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [[], [START, part(b"page", more=False)]])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_nothing_of_the_response_is_sent_and_one_error_reaches_the_server(
    fault: str, method: str, extra: list[Message]
) -> None:
    """Three tasks send at once, the application swallows every error, and may send a page."""
    change, kind, error = FAULTS[fault]
    manager = AsyncManager(kind())
    visitor = await visit(AsyncManager(manager._provider._store), n=1)  # type: ignore[attr-defined]
    errors: list[Exception] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        session = scope["session"]
        change(session)
        if change is fails_in_apply:
            async with manager.open_id(session.id) as other:
                other["n"] = 5
        await send(START)
        parts = [part(b"1"), part(b"2"), {"type": "http.response.early_hint", "links": []}]
        for told_one in await asyncio.gather(*(told(send, each) for each in parts)):
            errors.extend(told_one)
        with pytest.raises(SessionReleased):
            session["late"] = True
        errors.extend(await told(send, *extra))

    headers = {} if kind is Broken else visitor
    server = Server(http(headers, method=method), "http.request")
    with pytest.raises(error):
        await server.run(SessionMiddleware(app, manager))
    assert server.sent == []
    assert [type(each) for each in errors] == [error] * (3 + len(extra))


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_socket_is_not_accepted_and_says_nothing(fault: str) -> None:
    change, kind, error = FAULTS[fault]
    if change is fails_in_apply:
        change = unencodable  # a new session has nobody to collide with
        error = EncodeError

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        change(scope["session"])
        hello = {"type": "websocket.send", "text": "hello"}
        await asyncio.gather(told(send, ACCEPT), told(send, hello))
        await told(send, {"type": "websocket.close", "code": 1000})

    server = Server(socket(), "websocket.connect")
    with pytest.raises(error):
        await server.run(SessionMiddleware(app, AsyncManager(kind())))
    assert server.sent == []


async def test_an_error_that_the_application_makes_of_it_is_the_one() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        unencodable(scope["session"])
        await send(START)
        async with asyncio.TaskGroup() as tasks:
            for number in range(3):
                tasks.create_task(pass_on(send, part(b"%d" % number)))

    server = Server(http(), "http.request")
    with pytest.raises(ExceptionGroup) as caught:
        await server.run(SessionMiddleware(app, AsyncManager(Slow())))
    assert {type(error) for error in caught.value.exceptions} == {EncodeError}
    assert server.sent == []


# -- cancellation -----------------------------------------------------------------------------


async def three_tasks(
    scope: Scope, send: Send, cancelled: int, errors: list[BaseException | None]
) -> None:
    """Send from three tasks, of which the first releases; cancel one of them meanwhile."""
    put(scope["session"])
    await send(START)
    tasks = [asyncio.ensure_future(send(part(b"%d" % number))) for number in range(3)]
    await asyncio.sleep(0.005)
    tasks[cancelled].cancel()
    errors.extend(await asyncio.gather(*tasks, return_exceptions=True))


async def test_a_task_that_is_cancelled_in_the_release_ends_the_response() -> None:
    errors: list[BaseException | None] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await three_tasks(scope, send, 0, errors)
        with pytest.raises(SessionError):
            await send(part(b"", more=False))

    server = Server(http(), "http.request")
    with pytest.raises(SessionError, match="given up because of CancelledError"):
        await server.run(SessionMiddleware(app, AsyncManager(Slow())))
    assert server.sent == []
    assert [type(error) for error in errors] == [asyncio.CancelledError, SessionError, SessionError]


async def test_a_task_that_is_cancelled_while_it_waits_sends_nothing() -> None:
    errors: list[BaseException | None] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await three_tasks(scope, send, 1, errors)
        await send(part(b"", more=False))

    manager = AsyncManager(Slow())
    sent = await Server(http(), "http.request").run(SessionMiddleware(app, manager))
    assert [message.get("body") for message in sent] == [None, b"0", b"2", b""]
    assert await stored(manager, text_of(sent[0])) == {"n": 2}


@pytest.mark.parametrize("pause", [0, 0.001, 0.01, 0.05])
async def test_a_request_that_is_cancelled_sends_nothing_afterwards(pause: float) -> None:
    """Not from a task that it left behind either, whatever state that is in."""
    left: list[asyncio.Task[Any]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        put(scope["session"])

        async def stream() -> None:
            await asyncio.sleep(0.005)
            await send(START)
            while True:
                await send(part(b"tick"))
                await asyncio.sleep(0.005)

        left.append(asyncio.ensure_future(stream()))
        await asyncio.Event().wait()

    server = Server(http(), "http.request")
    serving = asyncio.ensure_future(server.run(SessionMiddleware(app, AsyncManager(Slow()))))
    await asyncio.sleep(pause)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    before = list(server.sent)
    if left:
        with pytest.raises(SessionError, match="given up"):
            await asyncio.wait_for(left[0], 5)
    assert server.sent == before


# -- tasks that are left behind ---------------------------------------------------------------


@pytest.mark.parametrize("change", [put, unencodable])
async def test_what_fails_while_another_task_releases_ends_the_response(change: Change) -> None:
    left: list[asyncio.Task[Any]] = []
    manager = AsyncManager(Slow())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        change(scope["session"])
        await send(START)
        left.append(asyncio.ensure_future(send(part(b"1"))))
        await asyncio.sleep(0)
        fail()

    server = Server(http(), "http.request")
    with pytest.raises(LookupError):
        await server.run(SessionMiddleware(app, manager))
    with pytest.raises((LookupError, EncodeError)):
        await left[0]
    assert server.sent == []


async def test_an_application_that_failed_has_no_task_that_saves() -> None:
    left: list[asyncio.Task[Any]] = []
    manager = AsyncManager(store := Slow())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        put(scope["session"])
        await send(START)
        left.append(asyncio.ensure_future(send(part(b"1"))))
        fail()

    server = Server(http(), "http.request")
    with pytest.raises(LookupError):
        await server.run(SessionMiddleware(app, manager))
    with pytest.raises(LookupError):
        await left[0]
    assert (server.sent, store.creates) == ([], 0)


async def test_a_release_that_fails_behind_the_application_is_an_error_of_the_server() -> None:
    left: list[asyncio.Task[Any]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        put(scope["session"])
        await send(START)
        left.append(asyncio.ensure_future(send(part(b"1"))))
        await asyncio.sleep(0)

    server = Server(http(), "http.request")
    with pytest.raises(ZeroDivisionError):
        await server.run(SessionMiddleware(app, AsyncManager(Broken())))
    with pytest.raises(ZeroDivisionError):
        await left[0]
    assert server.sent == []


# -- a server that raises ---------------------------------------------------------------------


class Gone(Server):
    """A server whose client leaves: it raises at one of the messages, and takes none after it."""

    def __init__(self, scope: Scope, at: str) -> None:
        super().__init__(scope, "http.request")
        self.at = at
        self.gone = False

    async def send(self, message: Message) -> None:
        await asyncio.sleep(0)
        assert not self.gone, "sent to nobody"
        if message["type"] == self.at:
            self.gone = True
            raise OSError("the client is gone")
        await super().send(message)


async def swallows(scope: Scope, receive: Receive, send: Send) -> None:
    put(scope["session"])
    await send(START)
    told_all = await asyncio.gather(*(told(send, part(b"%d" % n)) for n in range(3)))
    assert [type(error) for errors in told_all for error in errors] == [OSError] * 3


async def raises(scope: Scope, receive: Receive, send: Send) -> None:
    put(scope["session"])
    await send(START)
    await send(part(b"", more=False))


@pytest.mark.parametrize("app", [swallows, raises])
async def test_nothing_is_sent_after_a_head_that_the_server_did_not_take(app: App) -> None:
    """The server knows of the error, so it is not told again."""
    server = Gone(http(), "http.response.start")
    served = server.run(SessionMiddleware(app, AsyncManager(Slow())))
    if app is raises:
        with pytest.raises(OSError, match="gone"):
            await served
    else:
        await served
    assert server.sent == []


@pytest.mark.parametrize("at", ["http.response.start", "http.response.body"])
async def test_nothing_is_sent_after_a_503_that_the_server_did_not_take(at: str) -> None:
    store = Slow()
    store.down = True

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        put(scope["session"])
        await send(START)
        await asyncio.gather(*(send(part(b"%d" % number)) for number in range(3)))

    server = Gone(http(), at)
    with pytest.raises((OSError, StoreUnavailable)):
        await server.run(SessionMiddleware(app, AsyncManager(store)))
    assert server.kinds == ["http.response.start"] * (at == "http.response.body")


async def test_an_outage_that_another_task_waits_for_is_told_to_it() -> None:
    """With the very error: it says whether anything may have been written."""
    store = Slow()
    store.down = True
    errors: list[Exception] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        put(scope["session"])
        await send(START)
        for each in await asyncio.gather(*(told(send, part(b"%d" % n)) for n in range(3))):
            errors.extend(each)

    server = Server(http(), "http.request")
    await server.run(SessionMiddleware(app, AsyncManager(store)))
    assert [message.get("status") for message in server.sent] == [503, None]
    assert len(errors) == 3
    assert len(set(map(id, errors))) == 1


# -- two managers -----------------------------------------------------------------------------


@pytest.mark.parametrize("failing", ["session", "staff"])
async def test_of_two_managers_either_may_fail(failing: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        put(scope["session"])
        put(scope["staff"])
        unencodable(scope[failing])
        await send(START)
        await asyncio.gather(*(told(send, part(b"%d" % number)) for number in range(3)))

    staff = AsyncManager(Slow(), cookie_name="staff")
    both = SessionMiddleware(SessionMiddleware(app, staff, key="staff"), AsyncManager(Slow()))
    server = Server(http(), "http.request")
    with pytest.raises(EncodeError):
        await server.run(both)
    assert server.sent == []


# -- what is no failure -----------------------------------------------------------------------

SENT_AFTER_THE_START: list[Message] = [
    {"type": "http.response.pathsend", "path": "/etc/hostname"},
    {"type": "http.response.zerocopysend", "file": 1},
    {"type": "http.response.trailers", "headers": [], "more_trailers": False},
]


@pytest.mark.parametrize("message", SENT_AFTER_THE_START, ids=lambda message: message["type"])
@pytest.mark.parametrize("change", [put, unencodable])
async def test_every_kind_of_body_waits_for_the_head(message: Message, change: Change) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        change(scope["session"])
        await send({**START, "trailers": True})
        await asyncio.gather(send(message), told(send, {"type": "http.response.early_hint"}))

    server = Server(http(), "http.request")
    serving: Awaitable[Any] = server.run(SessionMiddleware(app, AsyncManager(Slow())))
    if change is put:
        await serving
        assert server.kinds[:2] == ["http.response.start", message["type"]]
    else:
        with pytest.raises(EncodeError):
            await serving
        assert server.sent == []


async def test_a_start_that_says_none_for_headers_has_none() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({**start(204), "headers": None})

    [head] = await Server(http()).run(SessionMiddleware(app, AsyncManager(Slow())))
    assert head["headers"] == []
