"""The ASGI middleware, before a server in process that insists on the order of messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pytest

from sojourn import (
    AsyncManager,
    ConfigError,
    EncodeError,
    Manager,
    Session,
    SessionError,
    SessionGone,
    SessionReleased,
    SessionTooLarge,
    StoreError,
    StoreUnavailable,
)
from sojourn.providers.file import FileProvider
from sojourn.providers.memory import MemoryProvider
from sojourn.providers.threads import Adapted
from sojourn.record import Record
from sojourn.web._lifespan import App, Message, Receive, Scope, Send
from sojourn.web.asgi import SessionMiddleware
from tests.web.stores import FAULTS, MERGED, READS, Failing, Pairs, cookie, note_into, values


class Answer(NamedTuple):
    status: int
    headers: Pairs
    body: bytes


class Server:
    """Serves one scope, and keeps what the application sent."""

    def __init__(self, scope: Scope, *incoming: str) -> None:
        self.scope = {"headers": [], **scope}
        self.sent: list[Message] = []
        self._incoming = [{"type": kind} for kind in incoming]

    async def run(self, app: App) -> list[Message]:
        await app(self.scope, self.receive, self.send)
        return self.sent

    async def receive(self) -> Message:
        if not self._incoming:
            await asyncio.Event().wait()  # for ever
        return self._incoming.pop(0)

    async def send(self, message: Message) -> None:
        await asyncio.sleep(0)
        kind = message["type"]
        if kind.endswith("response.start"):
            assert kind not in self.kinds, "started twice"
        elif kind in {"http.response.body", "http.response.pathsend"}:
            assert "http.response.start" in self.kinds, "a body before its start"
        assert all(name == name.lower() for name, _ in message.get("headers", ()))
        self.sent.append(message)

    @property
    def kinds(self) -> list[str]:
        return [message["type"] for message in self.sent]


def http(headers: dict[str, str] | None = None, **scope: Any) -> Scope:
    pairs = [(name.lower().encode(), text.encode()) for name, text in (headers or {}).items()]
    return {"type": "http", "method": "GET", "scheme": "http", "headers": pairs, **scope}


def websocket(headers: dict[str, str] | None = None, **scope: Any) -> Scope:
    return {**http(headers), "type": "websocket", "scheme": "ws", **scope}


async def ask(app: App, headers: dict[str, str] | None = None, **scope: Any) -> Answer:
    return answer_of(await Server(http(headers, **scope), "http.request").run(app))


def answer_of(sent: list[Message]) -> Answer:
    heads = [message for message in sent if "response.start" in message["type"]]
    body = b"".join(message.get("body", b"") for message in sent)
    return Answer(heads[0]["status"], text_of(heads[0]), body)


def text_of(message: Message) -> Pairs:
    pairs = message.get("headers", ())
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]


@pytest.fixture(params=["memory", "file"])
async def manager(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncManager]:
    provider = MemoryProvider() if request.param == "memory" else FileProvider(tmp_path / "s")
    manager = AsyncManager(provider)
    yield manager
    await manager.close()


async def stored(manager: AsyncManager, headers: Pairs) -> dict[Any, Any]:
    """What the visitor finds who comes again."""
    async with manager.open({"Cookie": cookie(headers)}) as session:
        return dict(session)


async def visit(manager: AsyncManager, **data: Any) -> dict[str, str]:
    """The headers of a visitor for whom `data` is stored."""
    async with manager.open({}) as session:
        session.update(data)
    assert session.released is not None
    return {"Cookie": cookie(session.released.headers)}


def start(status: int = 200, headers: Pairs | None = None) -> Message:
    pairs = [(name.encode(), value.encode()) for name, value in headers or []]
    return {"type": "http.response.start", "status": status, "headers": pairs}


def body(data: bytes = b"", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


def put(scope: Scope) -> None:
    scope["session"]["late"] = True


def fail() -> NoReturn:
    raise LookupError("broken")


async def counter(scope: Scope, receive: Receive, send: Send) -> None:
    session = scope["session"]
    session["n"] = session.get("n", 0) + 1
    await send(start())
    await send(body(str(session["n"]).encode()))


# -- where a change still counts --------------------------------------------------------------


async def test_a_visitor_is_known_again(manager: AsyncManager) -> None:
    app = SessionMiddleware(counter, manager)
    first = await ask(app)
    assert (first.status, first.body) == (200, b"1")
    second = await ask(app, {"Cookie": cookie(first.headers)})
    assert second.body == b"2"
    assert values(second.headers, "Set-Cookie") == []


async def before_the_start(scope: Scope, receive: Receive, send: Send) -> None:
    put(scope)
    await send(start())
    await send(body(b"ab", more=True))
    await send(body(b"c"))


async def before_the_body(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start())
    put(scope)
    await send(body(b"abc"))


async def after_a_hint(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.early_hint", "links": [b"</style.css>"]})
    await send(start())
    await send({"type": "http.response.push", "path": "/style.css", "headers": []})
    put(scope)
    await send(body(b"abc"))


async def in_a_second_start(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(500))
    put(scope)
    await send(start(200))
    await send(body(b"abc"))


@pytest.mark.parametrize(
    "app", [before_the_start, before_the_body, after_a_hint, in_a_second_start]
)
async def test_a_change_before_the_first_byte_counts(app: App, manager: AsyncManager) -> None:
    answer = await ask(SessionMiddleware(app, manager))
    assert (answer.status, answer.body) == (200, b"abc")
    assert await stored(manager, answer.headers) == {"late": True}
    assert await manager.active_count() == 1


@pytest.mark.parametrize(
    "message",
    [
        body(),
        body(more=True),
        {"type": "http.response.pathsend", "path": "/file"},
        {"type": "http.response.zerocopysend", "file": 3},
        {"type": "http.response.trailers", "headers": []},
        None,
    ],
    ids=["empty", "empty and more", "pathsend", "zerocopysend", "trailers", "none"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_response_without_bytes_is_saved(message: Message | None, method: str) -> None:
    manager = AsyncManager(MemoryProvider())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(304))
        put(scope)
        if message is not None:
            await send(message)

    server = Server(http(method=method))
    await server.run(SessionMiddleware(app, manager))
    assert server.kinds == ["http.response.start", *([message["type"]] if message else [])]
    assert await stored(manager, text_of(server.sent[0])) == {"late": True}


@pytest.mark.parametrize("status", [200, 302, 500])
async def test_a_stream_that_is_cut_off_before_its_first_part_saves_nothing(status: int) -> None:
    """Starlette cancels it when the client is gone, Quart when its time is up, and both return."""
    manager = AsyncManager(MemoryProvider())
    known = await visit(manager, n=1)
    late: list[BaseException] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(status))
        scope["session"]["n"] = 2

        async def go_on() -> None:
            try:
                await send(body(b"late"))
            except SessionError as error:
                late.append(error)

        tasks.append(asyncio.ensure_future(go_on()))

    tasks: list[asyncio.Task[None]] = []
    server = Server(http(known))
    await server.run(SessionMiddleware(app, manager))
    await asyncio.gather(*tasks)
    assert server.sent == []
    assert len(late) == 1
    async with manager.open(known) as session:
        assert session["n"] == 1


async def test_an_error_that_became_a_response_is_saved(manager: AsyncManager) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        put(scope)
        await send(start(500))
        await send(body(b"sorry"))

    answer = await ask(SessionMiddleware(app, manager))
    assert answer.status == 500
    assert await stored(manager, answer.headers) == {"late": True}


# -- the order, and what comes too late -------------------------------------------------------


async def test_the_store_has_it_before_the_server_hears_of_it() -> None:
    events: list[str] = []
    manager = AsyncManager(MemoryProvider(), on_event=note_into(events))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        put(scope)
        for message in (start(), body(b"a", more=True), body(b"b")):
            events.append("app")
            await send(message)

    async def send(message: Message) -> None:
        events.append(message["type"])

    server = Server(http())
    await SessionMiddleware(app, manager)(server.scope, server.receive, send)
    head = ["app", "app", "created", "http.response.start", "http.response.body"]
    assert events == [*head, "app", "http.response.body"]


async def test_a_change_after_the_first_byte_raises() -> None:
    manager = AsyncManager(MemoryProvider())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(more=True))
        assert scope["session"].get("name") is None
        put(scope)

    with pytest.raises(SessionReleased):
        await ask(SessionMiddleware(app, manager))
    assert await manager.active_count() == 0


# -- errors and cancellations -----------------------------------------------------------------


async def raises_at_once(scope: Scope, receive: Receive, send: Send) -> None:
    fail()


async def raises_after_its_start(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start())
    fail()


async def raises_after_a_hint(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.early_hint", "links": []})
    fail()


@pytest.mark.parametrize("app", [raises_at_once, raises_after_its_start, raises_after_a_hint])
@pytest.mark.parametrize(
    "intend",
    [
        lambda session: session.update(n=2),
        lambda session: session.destroy(),
        lambda session: session.regenerate_id(),
        lambda session: session.login("ann"),
    ],
    ids=["put", "destroy", "regenerate", "login"],
)
async def test_an_error_saves_nothing(
    app: App, intend: Callable[[Session], object], manager: AsyncManager
) -> None:
    visitor = await visit(manager, n=1)

    async def intending(scope: Scope, receive: Receive, send: Send) -> None:
        intend(scope["session"])
        await app(scope, receive, send)

    server = Server(http(visitor))
    with pytest.raises(LookupError, match="broken"):
        await server.run(SessionMiddleware(intending, manager))
    assert "http.response.start" not in server.kinds
    async with manager.open(visitor) as session:
        assert (dict(session), session.user) == ({"n": 1}, None)


async def test_an_error_after_the_first_byte_leaves_what_is_saved() -> None:
    manager = AsyncManager(MemoryProvider())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        put(scope)
        await send(start())
        await send(body(b"a", more=True))
        fail()

    with pytest.raises(LookupError):
        await ask(SessionMiddleware(app, manager))
    assert await manager.active_count() == 1


async def test_an_application_that_answers_nothing_is_not_saved() -> None:
    manager = AsyncManager(MemoryProvider())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        put(scope)

    assert await Server(http()).run(SessionMiddleware(app, manager)) == []
    assert await manager.active_count() == 0


def unencodable(session: Session) -> None:
    session["list"] = []
    session["list"].append(object())


def oversized(session: Session) -> None:
    session["big"] = "x" * 2_000_000


@pytest.mark.parametrize(
    ("change", "error"), [(unencodable, EncodeError), (oversized, SessionTooLarge)]
)
@pytest.mark.parametrize("messages", [[start(204)], [start(), body(b"a")]])
async def test_what_cannot_be_stored_is_an_error_before_the_first_byte(
    change: Callable[[Session], None], error: type[Exception], messages: list[Message]
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        change(scope["session"])
        for message in messages:
            await send(message)

    manager = AsyncManager(MemoryProvider())
    server = Server(http())
    with pytest.raises(error):
        await server.run(SessionMiddleware(app, manager))
    assert server.sent == []
    assert await manager.active_count() == 0


async def test_a_page_about_a_failed_release_gives_way_to_the_error() -> None:
    """As with a 503: what else the application may send then, nobody can tell apart."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        unencodable(scope["session"])
        await send(start())
        for message in (body(b"a"), start(500), body(b"sorry")):
            with pytest.raises(EncodeError):
                await send(message)

    server = Server(http())
    with pytest.raises(EncodeError):
        await server.run(SessionMiddleware(app, AsyncManager(MemoryProvider())))
    assert server.sent == []


async def test_a_body_without_its_start_is_not_saved() -> None:
    manager = AsyncManager(MemoryProvider())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        put(scope)
        await send(body(b"a"))

    with pytest.raises(AssertionError, match="a body before its start"):
        await ask(SessionMiddleware(app, manager))
    assert await manager.active_count() == 0


async def test_a_cancelled_handler_saves_nothing() -> None:
    manager = AsyncManager(MemoryProvider())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        put(scope)
        await send(start())
        await asyncio.Event().wait()

    server = Server(http())
    task = asyncio.create_task(server.run(SessionMiddleware(app, manager)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert server.sent == []
    assert await manager.active_count() == 0


class Slow(Adapted):
    """A store that takes its time until it is let go."""

    def __init__(self) -> None:
        super().__init__(MemoryProvider())
        self.asked = asyncio.Event()
        self.go = asyncio.Event()

    async def create(self, record: Record) -> bool:
        self.asked.set()
        await self.go.wait()
        return await super().create(record)


async def test_a_cancelled_release_sends_nothing() -> None:
    store = Slow()
    server = Server(http())
    app = SessionMiddleware(before_the_body, AsyncManager(store))
    task = asyncio.create_task(server.run(app))
    await store.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert server.sent == []
    assert await store.count(0) == 0


async def test_nothing_is_sent_while_the_release_is_under_way() -> None:
    store = Slow()
    server = Server(http())
    app = SessionMiddleware(before_the_body, AsyncManager(store))
    task = asyncio.create_task(server.run(app))
    await store.asked.wait()
    assert server.sent == []
    store.go.set()
    assert [message["type"] for message in await task] == [start()["type"], body()["type"]]


# -- the store is down ------------------------------------------------------------------------


def assert_unavailable(answer: Answer) -> None:
    assert answer.status == 503
    assert b"unavailable" in answer.body
    assert values(answer.headers, "Content-Type") == ["text/plain; charset=utf-8"]
    assert values(answer.headers, "Content-Length") == [str(len(answer.body))]
    assert int(*values(answer.headers, "Retry-After")) > 0
    assert values(answer.headers, "Set-Cookie") == []


async def raises_unavailable(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start())
    raise StoreUnavailable("asked the store myself")


async def ends_with_its_start(scope: Scope, receive: Receive, send: Send) -> None:
    put(scope)
    await send(start(204))


async def makes_another_error_of_it(scope: Scope, receive: Receive, send: Send) -> None:
    """As frameworks do that know of the start, and not that it was held back."""
    try:
        await before_the_body(scope, receive, send)
    except StoreUnavailable as error:
        raise RuntimeError("too late for an error page") from error


async def goes_on_regardless(scope: Scope, receive: Receive, send: Send) -> None:
    put(scope)
    for message in (start(), body(b"a", more=True), body(b"b")):
        try:
            await send(message)
        except StoreUnavailable:
            continue


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("app", "verb"),
    [
        (counter, "read"),
        (before_the_start, "update"),
        (before_the_body, "update"),
        (after_a_hint, "update"),
        (ends_with_its_start, "update"),
        (makes_another_error_of_it, "update"),
        (goes_on_regardless, "update"),
        (raises_unavailable, "none"),
    ],
)
async def test_without_a_store_the_answer_is_503(
    app: App, verb: str, fault: type[StoreError]
) -> None:
    store = Failing(fault)
    manager = AsyncManager(store)
    visitor = await visit(manager, n=1)
    store.down = {verb}
    assert_unavailable(await ask(SessionMiddleware(app, manager), visitor))
    head = await ask(SessionMiddleware(app, manager), visitor, method="HEAD")
    assert (head.status, head.body) == (503, b"")
    store.down = set()
    async with manager.open(visitor) as session:
        assert dict(session) == {"n": 1}


async def test_an_application_is_ended_once_503_was_sent() -> None:
    """An endless stream would otherwise go on, with nobody to hear it."""
    store = Failing()
    store.down = {"create"}
    ended = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        put(scope)
        await send(start())
        try:
            while True:
                await send(body(b"tick", more=True))
        finally:
            ended.append(True)

    server = Server(http())
    await server.run(SessionMiddleware(app, AsyncManager(store)))
    assert_unavailable(answer_of(server.sent))
    assert ended == [True]


async def test_what_is_sent_after_503_is_dropped_and_not_saved() -> None:
    manager = AsyncManager(MemoryProvider())
    tasks = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        tasks.append(asyncio.create_task(before_the_body(scope, receive, send)))
        raise StoreUnavailable("asked the store myself")

    server = Server(http())
    await server.run(SessionMiddleware(app, manager))
    with pytest.raises(StoreUnavailable, match="myself"):
        await tasks[0]
    assert_unavailable(answer_of(server.sent))
    assert await manager.active_count() == 0


async def test_an_outage_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    store = Failing()
    store.down = {"create"}
    await ask(SessionMiddleware(before_the_start, AsyncManager(store)))
    assert "no create today" in caplog.text


async def test_an_outage_after_the_first_byte_is_an_error() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"a", more=True))
        raise StoreUnavailable("asked the store myself")

    with pytest.raises(StoreUnavailable, match="myself"):
        await ask(SessionMiddleware(app, AsyncManager(MemoryProvider())))


async def test_an_application_may_go_on_without_its_session() -> None:
    store = Failing()
    manager = AsyncManager(store, on_outage="anonymous")
    visitor = await visit(manager, n=1)
    store.down = {"read", "create", "update"}
    answer = await ask(SessionMiddleware(counter, manager), visitor)
    assert (answer.status, answer.body) == (200, b"1")
    assert values(answer.headers, "Set-Cookie") == []


# -- headers ----------------------------------------------------------------------------------


def with_headers(headers: Pairs, handle: Callable[[Scope], object] = put) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        handle(scope)
        await send(start(headers=[(name.lower(), value) for name, value in headers]))
        await send(body(b"a"))

    return app


@pytest.mark.parametrize(("headers", "vary", "cache"), MERGED)
async def test_headers_are_merged(headers: Pairs, vary: list[str], cache: list[str]) -> None:
    app = with_headers([*headers, ("content-type", "text/plain")])
    answer = await ask(SessionMiddleware(app, AsyncManager(MemoryProvider())))
    assert values(answer.headers, "Vary") == vary
    assert values(answer.headers, "Cache-Control") == cache
    assert values(answer.headers, "Content-Type") == ["text/plain"]


async def test_headers_stay_where_nothing_is_to_be_said() -> None:
    manager = AsyncManager(MemoryProvider())
    headers = [("cache-control", "public, max-age=60"), ("vary", "Accept"), ("x-own", "\xe4")]
    untouched = await ask(SessionMiddleware(with_headers(headers, len), manager))
    assert untouched.headers == [
        (name, value.encode().decode("latin-1")) for name, value in headers
    ]
    reader = with_headers(headers, lambda scope: scope["session"].get("name"))
    read = (await ask(SessionMiddleware(reader, manager))).headers
    assert values(read, "Cache-Control") == ["public, max-age=60"]
    assert values(read, "Vary") == ["Accept, Cookie"]


async def test_a_start_may_have_no_headers() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        put(scope)
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    answer = await ask(SessionMiddleware(app, AsyncManager(MemoryProvider())))
    assert cookie(answer.headers)


@pytest.mark.parametrize(
    ("scope", "secure"),
    [
        (http(), False),
        (http(scheme="https"), True),
        (http({"X-Forwarded-Proto": "https"}), True),
        (http({"Forwarded": "for=1.2.3.4;proto=https"}), True),
        (http({"X-Forwarded-Proto": "http"}, scheme="https"), True),
        (websocket(), False),
        (websocket(scheme="wss"), True),
    ],
)
async def test_the_cookie_is_secure_over_https(scope: Scope, secure: bool) -> None:
    app = SessionMiddleware(either, AsyncManager(MemoryProvider()))
    sent = await Server(scope, "websocket.connect").run(app)
    [line] = values(text_of(sent[0]), "Set-Cookie")
    assert ("; Secure" in line) is secure


async def either(scope: Scope, receive: Receive, send: Send) -> None:
    put(scope)
    if scope["type"] == "http":
        await send(start(204))
    else:
        await send({"type": "websocket.accept"})


async def test_the_token_may_travel_in_a_header() -> None:
    manager = AsyncManager(MemoryProvider(), header_name="X-Session-Token")
    app = SessionMiddleware(counter, manager)
    first = await ask(app, {"X-Session-Token": ""})
    [token] = values(first.headers, "X-Session-Token")
    second = await ask(app, {"X-Session-Token": token})
    assert second.body == b"2"
    assert values(first.headers + second.headers, "Set-Cookie") == []


# -- WebSockets -------------------------------------------------------------------------------


async def test_a_websocket_has_the_session_of_its_visitor(manager: AsyncManager) -> None:
    visitor = await visit(manager, name="Ann")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        name = scope["session"]["name"]
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": name})

    server = Server(websocket(visitor), "websocket.connect")
    sent = await server.run(SessionMiddleware(app, manager))
    assert server.kinds == ["websocket.accept", "websocket.send"]
    assert sent[1]["text"] == "Ann"
    assert values(text_of(sent[0]), "Set-Cookie") == []
    assert values(text_of(sent[0]), "Vary") == ["Cookie"]


async def test_accept_carries_the_cookie(manager: AsyncManager) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        put(scope)
        own = [(b"x-own", b"1"), (b"vary", b"Accept")]
        await send({"type": "websocket.accept", "subprotocol": "chat", "headers": own})

    [accept] = await Server(websocket()).run(SessionMiddleware(app, manager))
    assert accept["subprotocol"] == "chat"
    assert values(text_of(accept), "x-own") == ["1"]
    assert values(text_of(accept), "Vary") == ["Accept, Cookie"]
    assert await stored(manager, text_of(accept)) == {"late": True}


async def test_after_accept_a_change_raises_and_open_id_goes_on(manager: AsyncManager) -> None:
    visitor = await visit(manager, n=1)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        session = scope["session"]
        await send({"type": "websocket.accept"})
        with pytest.raises(SessionReleased):
            session["n"] = 2
        async with manager.open_id(session.id) as later:
            later["n"] += 2

    await Server(websocket(visitor)).run(SessionMiddleware(app, manager))
    async with manager.open(visitor) as session:
        assert session["n"] == 3


async def test_an_open_websocket_learns_that_its_session_ended(manager: AsyncManager) -> None:
    visitor = await visit(manager, n=1)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        session = scope["session"]
        id = session.id
        await send({"type": "websocket.accept"})
        assert await manager.destroy(id)
        with pytest.raises(SessionGone):
            async with manager.open_id(id):
                pytest.fail("it lives")

    await Server(websocket(visitor)).run(SessionMiddleware(app, manager))


async def test_a_denial_carries_the_cookie(manager: AsyncManager) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.http.response.start", "status": 401, "headers": []})
        put(scope)
        await send({"type": "websocket.http.response.body", "body": b"no"})

    server = Server(websocket())
    answer = answer_of(await server.run(SessionMiddleware(app, manager)))
    assert server.kinds == ["websocket.http.response.start", "websocket.http.response.body"]
    assert (answer.status, answer.body) == (401, b"no")
    assert await stored(manager, answer.headers) == {"late": True}


async def test_a_websocket_that_fails_before_accept_is_not_saved() -> None:
    manager = AsyncManager(MemoryProvider())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        put(scope)
        fail()

    server = Server(websocket())
    with pytest.raises(LookupError):
        await server.run(SessionMiddleware(app, manager))
    assert server.sent == []
    assert await manager.active_count() == 0


@pytest.mark.parametrize("verb", ["read", "update"])
@pytest.mark.parametrize("denial", [True, False])
async def test_without_a_store_a_websocket_is_refused(verb: str, denial: bool) -> None:
    store = Failing()
    manager = AsyncManager(store)
    visitor = await visit(manager, n=1)
    store.down = {verb}
    extensions: Any = {"websocket.http.response": {}} if denial else None
    server = Server(websocket(visitor, extensions=extensions), "websocket.connect")
    sent = await server.run(SessionMiddleware(either, manager))
    if denial:
        assert_unavailable(answer_of(sent))
    else:
        assert sent == [{"type": "websocket.close", "code": 1013}]


# -- lifespan ---------------------------------------------------------------------------------

STARTED, STOPPED = "lifespan.startup.complete", "lifespan.shutdown.complete"


class Watched(MemoryProvider):
    """A store that tells when it is closed, and whether it was swept."""

    def __init__(self, events: list[str]) -> None:
        super().__init__()
        self.events = events

    def gc(self, now: float, limit: int) -> int:
        self.events.append("swept")
        return super().gc(now, limit)

    def close(self) -> None:
        self.events.append("closed")


class Life:
    """A server with a lifespan: `events` tells what was said, and what happened to the store."""

    def __init__(self, app: App) -> None:
        self.events: list[str] = []
        manager = AsyncManager(Watched(self.events), gc_interval=0.001)
        self.app = SessionMiddleware(app, manager)
        self.incoming = asyncio.Queue[Message]()
        self.started = asyncio.Event()

    async def send(self, message: Message) -> None:
        self.events.append(message["type"])
        self.started.set()

    async def run(self) -> list[str]:
        """Start up, let the sweeper have its turn, shut down."""
        serving = self.app({"type": "lifespan"}, self.incoming.get, self.send)
        task = asyncio.create_task(serving)
        self.incoming.put_nowait({"type": "lifespan.startup"})
        await self.started.wait()
        await asyncio.sleep(0.02)
        self.incoming.put_nowait({"type": "lifespan.shutdown"})
        await task
        return self.events


async def with_a_lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    for event in ("startup", "shutdown"):
        assert (await receive())["type"] == f"lifespan.{event}"
        await send({"type": f"lifespan.{event}.complete"})


async def without_one(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "http"


async def that_fails_at_startup(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    fail()


async def that_ignores_it(scope: Scope, receive: Receive, send: Send) -> None:
    return


async def that_leaves_after_startup(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})


async def that_does_not_answer_shutdown(scope: Scope, receive: Receive, send: Send) -> None:
    await that_leaves_after_startup(scope, receive, send)
    await receive()


@pytest.mark.parametrize(
    "app",
    [
        with_a_lifespan,
        without_one,
        that_fails_at_startup,
        that_ignores_it,
        that_leaves_after_startup,
        that_does_not_answer_shutdown,
    ],
)
async def test_the_manager_lives_as_long_as_the_server(app: App) -> None:
    events = await Life(app).run()
    assert events[0] == STARTED
    assert set(events[1:-2]) == {"swept"}
    assert events[-2:] == ["closed", STOPPED]


async def test_the_sweeper_starts_before_the_startup_is_complete() -> None:
    running = []
    manager = AsyncManager(MemoryProvider())

    async def send(message: Message) -> None:
        running.append(manager._gc is not None)

    server = Server({"type": "lifespan"}, "lifespan.startup", "lifespan.shutdown")
    await SessionMiddleware(with_a_lifespan, manager)(server.scope, server.receive, send)
    assert running == [True, False]


async def test_a_failed_startup_closes_the_manager() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no disk"})

    events = await Life(app).run()
    assert events == ["closed", "lifespan.startup.failed"]


async def test_a_shutdown_that_raises_closes_the_manager() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await that_does_not_answer_shutdown(scope, receive, send)
        fail()

    life = Life(app)
    with pytest.raises(LookupError):
        await life.run()
    assert life.events[-2:] == ["closed", "lifespan.shutdown.failed"]


async def test_an_error_between_startup_and_shutdown_reaches_the_server() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await that_leaves_after_startup(scope, receive, send)
        fail()

    life = Life(app)
    with pytest.raises(LookupError):
        await life.run()
    assert "closed" not in life.events


async def test_the_state_of_the_lifespan_is_the_servers() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["pool"] = "open"
        await with_a_lifespan(scope, receive, send)

    server = Server({"type": "lifespan", "state": {}}, "lifespan.startup", "lifespan.shutdown")
    await server.run(SessionMiddleware(app, AsyncManager(MemoryProvider())))
    assert server.scope["state"] == {"pool": "open"}


# -- installation -----------------------------------------------------------------------------


async def test_two_managers_serve_one_application() -> None:
    shop = AsyncManager(MemoryProvider())
    staff = AsyncManager(MemoryProvider(), cookie_name="staff")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for key in ("session", "staff"):
            scope[key]["n"] = scope[key].get("n", 0) + 1
        await send(start())
        await send(body(f"{scope['session']['n']}{scope['staff']['n']}".encode()))

    both = SessionMiddleware(SessionMiddleware(app, staff, key="staff"), shop)
    first = await ask(both)
    cookies = [line.partition(";")[0] for line in values(first.headers, "Set-Cookie")]
    assert sorted(line.partition("=")[0] for line in cookies) == ["session", "staff"]
    assert values(first.headers, "Vary") == ["Cookie"]
    assert values(first.headers, "Cache-Control") == ["no-store, private"]
    assert (await ask(both, {"Cookie": "; ".join(cookies)})).body == b"22"
    assert (await shop.active_count(), await staff.active_count()) == (1, 1)


@pytest.mark.parametrize("scope", [http(), websocket()])
async def test_two_middlewares_under_one_key_are_refused(scope: Scope) -> None:
    manager = AsyncManager(MemoryProvider())
    twice = SessionMiddleware(SessionMiddleware(either, manager), manager)
    with pytest.raises(ConfigError, match=r"'session'.* installed twice"):
        await Server(scope).run(twice)


async def test_a_sync_manager_is_refused() -> None:
    manager: Any = Manager(MemoryProvider())
    with pytest.raises(ConfigError, match=r"needs an AsyncManager.*sojourn\.web\.wsgi"):
        SessionMiddleware(counter, manager)


async def test_what_it_does_not_know_it_passes_on() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        assert (receive, send) == (server.receive, server.send)

    server = Server({"type": "carrier-pigeon"})
    await server.run(SessionMiddleware(app, AsyncManager(MemoryProvider())))
    assert seen == [server.scope]


async def test_the_scope_of_the_server_stays_as_it_is() -> None:
    server = Server(http())
    await server.run(SessionMiddleware(counter, AsyncManager(MemoryProvider())))
    assert "session" not in server.scope


# -- quiet visitors ---------------------------------------------------------------------------


async def test_visitors_who_only_read_leave_no_trace() -> None:
    manager = AsyncManager(MemoryProvider())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        read, _ = READS[int(scope["path"][1:]) % len(READS)]
        read(scope["session"])
        await send(start())
        await send(body(b"hello"))

    served = SessionMiddleware(app, manager)
    for number in range(1000):
        headers = (await ask(served, path=f"/{number}")).headers
        touched = READS[number % len(READS)][1]
        assert values(headers, "Vary") == ["Cookie"] * touched
        assert values(headers, "Set-Cookie") == values(headers, "Cache-Control") == []
    assert await manager.active_count() == 0
