"""The WSGI middleware, between two validators and before a server of the standard library."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from wsgiref.handlers import SimpleHandler
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from sojourn import (
    AsyncManager,
    ConfigError,
    EncodeError,
    Manager,
    Session,
    SessionReleased,
    SessionTooLarge,
    StoreError,
    StoreUnavailable,
)
from sojourn.providers.file import FileProvider
from sojourn.providers.memory import MemoryProvider
from sojourn.web.wsgi import SessionMiddleware
from tests.web.stores import FAULTS, MERGED, READS, Failing, Pairs, cookie, note_into, values

PLAIN = [("Content-Type", "text/plain")]
Environ = WSGIEnvironment
Start = StartResponse


class Answer(NamedTuple):
    status: int
    headers: Pairs
    body: bytes


class Server(SimpleHandler):
    """The standard library's server for one request; what an application raises, `run` raises."""

    def handle_error(self) -> None:
        raise  # noqa: PLE0704 - it is called where the error was caught


def environ_of(**environ: Any) -> Environ:
    setup_testing_defaults(environ)
    environ.setdefault("QUERY_STRING", "")
    return environ


def noting(statuses: list[str], heads: list[Pairs] | None = None) -> StartResponse:
    """A `start_response` that only notes what it is given."""

    def start_response(status: str, headers: Pairs, exc_info: Any = None, /) -> Any:
        statuses.append(status)
        if heads is not None:
            heads.append(headers)
        return len

    return start_response


def ask(app: WSGIApplication, **environ: Any) -> Answer:
    """Serve one request, and read what went over the wire."""
    wire = io.BytesIO()
    server = Server(io.BytesIO(), wire, io.StringIO(), {}, multithread=False)
    server.base_env = environ_of(**environ)
    server.os_environ = {}
    server.run(app)
    return parse(wire.getvalue())


def parse(wire: bytes) -> Answer:
    head, _, body = wire.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    pairs = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    return Answer(int(status.split()[1]), pairs, body)


def between(app: WSGIApplication, manager: Manager) -> WSGIApplication:
    return validator(SessionMiddleware(validator(app), manager))


@pytest.fixture(params=["memory", "file"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    provider = MemoryProvider() if request.param == "memory" else FileProvider(tmp_path / "s")
    manager = Manager(provider)
    yield manager
    manager.close()


def session_of(environ: Environ) -> Session:
    session = environ["sojourn.session"]
    assert isinstance(session, Session)
    return session


def stored(manager: Manager, answer: Answer) -> dict[Any, Any]:
    """What the visitor finds who comes again."""
    with manager.open({"Cookie": cookie(answer.headers)}) as session:
        return dict(session)


def visit(manager: Manager, **data: Any) -> dict[str, str]:
    """The environ of a visitor for whom `data` is stored."""
    with manager.open({}) as session:
        session.update(data)
    assert session.released is not None
    return {"HTTP_COOKIE": cookie(session.released.headers)}


def counter(environ: Environ, start_response: Start) -> Iterable[bytes]:
    session = session_of(environ)
    session["n"] = session.get("n", 0) + 1
    start_response("200 OK", list(PLAIN))
    return [str(session["n"]).encode()]


# -- where a change still counts --------------------------------------------------------------


def test_a_visitor_is_known_again(manager: Manager) -> None:
    app = between(counter, manager)
    first = ask(app)
    assert (first.status, first.body) == (200, b"1")
    second = ask(app, HTTP_COOKIE=cookie(first.headers))
    assert second.body == b"2"
    assert values(second.headers, "Set-Cookie") == []


def fail() -> NoReturn:
    raise LookupError("broken")


def put(environ: Environ) -> None:
    session_of(environ)["late"] = True


def in_a_list(environ: Environ, start_response: Start) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN))
    put(environ)
    return [b"", b"ab", b"c"]


def in_a_tuple(environ: Environ, start_response: Start) -> Iterable[bytes]:
    return tuple(in_a_list(environ, start_response))


def before_the_first_chunk(environ: Environ, start_response: Start) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN))
    put(environ)
    yield b"ab"
    yield b"c"


def after_empty_chunks(environ: Environ, start_response: Start) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN))
    yield b""
    yield b""
    put(environ)
    yield b"abc"


def before_a_late_start_response(environ: Environ, start_response: Start) -> Iterable[bytes]:
    put(environ)
    start_response("200 OK", list(PLAIN))
    yield b"abc"


def before_write(environ: Environ, start_response: Start) -> Iterable[bytes]:
    write = start_response("200 OK", list(PLAIN))
    put(environ)
    write(b"ab")
    write(b"c")
    return []


def before_write_and_a_body(environ: Environ, start_response: Start) -> Iterable[bytes]:
    write = start_response("200 OK", list(PLAIN))
    put(environ)
    write(b"a")
    return iter([b"b", b"c"])


def in_a_second_start(environ: Environ, start_response: Start) -> Iterable[bytes]:
    start_response("500 Broken", list(PLAIN))
    try:
        fail()
    except LookupError:
        put(environ)
        start_response("200 OK", list(PLAIN), sys.exc_info())
    return iter([b"abc"])


class Body:
    """An iterable with `close`, that tells how often it was closed."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.chunks = chunks
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.chunks)

    def close(self) -> None:
        self.closed += 1


def with_close(environ: Environ, start_response: Start) -> Iterable[bytes]:
    return Body(before_the_first_chunk(environ, start_response))


CHANGING = [
    in_a_list,
    in_a_tuple,
    before_the_first_chunk,
    after_empty_chunks,
    before_a_late_start_response,
    before_write,
    before_write_and_a_body,
    in_a_second_start,
    with_close,
]


@pytest.mark.parametrize("app", CHANGING)
def test_a_change_before_the_first_byte_counts(app: WSGIApplication, manager: Manager) -> None:
    answer = ask(SessionMiddleware(app, manager))
    assert (answer.status, answer.body) == (200, b"abc")
    assert stored(manager, answer) == {"late": True}
    assert ask(between(app, manager)).body == b"abc"
    assert manager.active_count() == 2


def nothing(status: str, headers: Pairs, chunks: Iterable[bytes]) -> WSGIApplication:
    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response(status, headers)
        put(environ)
        return chunks

    return app


@pytest.mark.parametrize(
    "chunks", [list, lambda: [b""], lambda: iter([]), lambda: iter([b"", b""])]
)
@pytest.mark.parametrize(
    ("status", "headers", "method"),
    [
        ("200 OK", PLAIN, "HEAD"),
        ("200 OK", PLAIN, "GET"),
        ("204 No Content", [], "GET"),
        ("302 Found", [("Content-Type", "text/html"), ("Location", "/")], "POST"),
        ("304 Not Modified", [("ETag", '"1"')], "GET"),
    ],
)
def test_a_response_without_a_body_is_saved(
    status: str, headers: Pairs, method: str, chunks: Callable[[], Iterable[bytes]]
) -> None:
    manager = Manager(MemoryProvider())
    app = nothing(status, list(headers), chunks())
    answer = ask(between(app, manager), REQUEST_METHOD=method)
    assert (answer.status, answer.body) == (int(status[:3]), b"")
    assert stored(manager, answer) == {"late": True}


def test_an_error_that_became_a_response_is_saved(manager: Manager) -> None:
    app = nothing("500 Internal Server Error", list(PLAIN), [b"sorry"])
    answer = ask(between(app, manager))
    assert answer.status == 500
    assert stored(manager, answer) == {"late": True}


# -- the order, and what comes too late -------------------------------------------------------


def test_the_store_has_it_before_the_server_hears_of_it() -> None:
    events: list[str] = []
    manager = Manager(MemoryProvider(), on_event=note_into(events))

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", list(PLAIN))
        put(environ)
        for chunk in ("", "one", "", "two"):
            events.append(f"yields {chunk}")
            yield chunk.encode()

    body = SessionMiddleware(app, manager)(environ_of(), noting(events))
    events.extend(f"sent {chunk.decode()}" for chunk in body)
    order = ["yields ", "yields one", "created", "200 OK", "sent one"]
    assert events == [*order, "yields ", "sent ", "yields two", "sent two"]


def test_an_endless_stream_streams() -> None:
    manager = Manager(MemoryProvider())
    closed = []

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", list(PLAIN))
        put(environ)
        try:
            while True:
                yield b"tick"
        finally:
            closed.append(True)

    statuses: list[str] = []
    body: Any = between(app, manager)(environ_of(), noting(statuses))
    chunks = iter(body)
    assert [next(chunks) for _ in range(3)] == [b"tick"] * 3
    assert manager.active_count() == len(statuses) == 1
    chunks.close()
    assert closed == [True]


def too_late_in_the_body(environ: Environ, start_response: Start) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN))
    yield b"a"
    put(environ)


def too_late_after_write(environ: Environ, start_response: Start) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN))(b"a")
    put(environ)
    return []


def too_late_after_an_empty_write(environ: Environ, start_response: Start) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN))(b"")
    put(environ)
    return []


class Straggler(Body):
    def __init__(self, environ: Environ) -> None:
        super().__init__([])
        self.environ = environ

    def close(self) -> None:
        put(self.environ)


def too_late_in_close(environ: Environ, start_response: Start) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN))
    return Straggler(environ)


@pytest.mark.parametrize(
    "app",
    [
        too_late_in_the_body,
        too_late_after_write,
        too_late_after_an_empty_write,
        too_late_in_close,
    ],
)
def test_a_change_after_the_first_byte_raises(app: WSGIApplication) -> None:
    manager = Manager(MemoryProvider())
    with pytest.raises(SessionReleased):
        ask(between(app, manager))
    assert manager.active_count() == 0


def test_reading_goes_on_after_the_first_byte() -> None:
    manager = Manager(MemoryProvider())

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", list(PLAIN))
        yield b"you are "
        yield session_of(environ)["name"].encode()

    assert ask(between(app, manager), **visit(manager, name="Ann")).body == b"you are Ann"


# -- close ------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [0, 1, 2, 3])
def test_the_body_is_closed_once(asked: int) -> None:
    """Whether the server asked for nothing, for a part, or for all and beyond."""
    manager = Manager(MemoryProvider())
    inner = Body([b"a", b"b"])
    body: Any = SessionMiddleware(nothing("200 OK", [], inner), manager)(environ_of(), noting([]))
    chunks = iter(body)
    taken = [next(chunks, None) for _ in range(asked)]
    body.close()
    body.close()
    assert taken == [b"a", b"b", None][:asked]
    assert inner.closed == 1


def test_a_body_that_raises_is_closed_once() -> None:
    inner = Body(_raising([b"a"]))
    with pytest.raises(LookupError):
        ask(SessionMiddleware(nothing("200 OK", [], inner), Manager(MemoryProvider())))
    assert inner.closed == 1


def _raising(chunks: Iterable[bytes]) -> Iterator[bytes]:
    yield from chunks
    fail()


@pytest.mark.parametrize("app", CHANGING)
def test_the_server_knows_the_status_before_it_has_the_body(app: WSGIApplication) -> None:
    """granian sends a 200 without headers if it hears of them later; some adapters do likewise."""
    manager = Manager(MemoryProvider())
    statuses: list[str] = []
    heads: list[Pairs] = []
    body: Any = SessionMiddleware(app, manager)(environ_of(), noting(statuses, heads))
    assert statuses == ["200 OK"]
    assert "Set-Cookie" in dict(heads[0])
    assert manager.active_count() == 1  # even if the client is gone, and nobody reads on
    if hasattr(body, "close"):
        body.close()


# -- errors -----------------------------------------------------------------------------------


def raises_at_once(environ: Environ, start_response: Start) -> Iterable[bytes]:
    fail()


def raises_after_its_status(environ: Environ, start_response: Start) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN))
    fail()


def raises_before_its_first_chunk(environ: Environ, start_response: Start) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN))
    return _raising([])


def raises_after_empty_chunks(environ: Environ, start_response: Start) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN))
    return _raising([b"", b""])


@pytest.mark.parametrize(
    "app",
    [
        raises_at_once,
        raises_after_its_status,
        raises_before_its_first_chunk,
        raises_after_empty_chunks,
    ],
)
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
def test_an_error_saves_nothing(
    app: WSGIApplication, intend: Callable[[Session], object], manager: Manager
) -> None:
    visitor = visit(manager, n=1)

    def intending(environ: Environ, start_response: Start) -> Iterable[bytes]:
        intend(session_of(environ))
        return app(environ, start_response)

    with pytest.raises(LookupError, match="broken"):
        ask(between(intending, manager), **visitor)
    with manager.open({"Cookie": visitor["HTTP_COOKIE"]}) as session:
        assert (dict(session), session.user) == ({"n": 1}, None)


class Interrupt(BaseException):
    """As a worker's timeout is."""


def test_an_interruption_saves_nothing() -> None:
    manager = Manager(MemoryProvider())

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", list(PLAIN))
        put(environ)
        raise Interrupt
        yield b""

    with pytest.raises(Interrupt):
        ask(between(app, manager))
    assert manager.active_count() == 0


def test_an_error_after_the_first_byte_leaves_what_is_saved() -> None:
    manager = Manager(MemoryProvider())
    with pytest.raises(LookupError):
        ask(between(nothing("200 OK", list(PLAIN), _raising([b"a"])), manager))
    assert manager.active_count() == 1


def test_exc_info_raises_once_the_headers_are_sent() -> None:
    """PEP 3333, "The start_response() Callable"."""

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", list(PLAIN))
        yield b"a"
        try:
            fail()
        except LookupError:
            start_response("500 Internal Server Error", list(PLAIN), sys.exc_info())

    with pytest.raises(LookupError, match="broken"):
        ask(between(app, Manager(MemoryProvider())))


def test_a_status_that_the_server_may_still_change_keeps_the_cookie() -> None:
    """An empty `write` releases, though the server has sent nothing yet."""
    statuses: list[str] = []
    heads: list[Pairs] = []

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        put(environ)
        start_response("200 OK", list(PLAIN))(b"")
        try:
            fail()
        except LookupError:
            start_response("500 Oh", list(PLAIN), sys.exc_info())
        return [b"sorry"]

    served = SessionMiddleware(app, Manager(MemoryProvider()))
    served(environ_of(), noting(statuses, heads))
    assert statuses == ["200 OK", "500 Oh"]
    assert cookie(heads[0]) == cookie(heads[1])


@pytest.mark.parametrize("chunks", [[], [b"a"]])
def test_a_second_status_without_exc_info_is_an_error(chunks: list[bytes]) -> None:
    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        put(environ)
        start_response("200 OK", list(PLAIN))
        yield from chunks
        start_response("200 OK", list(PLAIN))

    manager = Manager(MemoryProvider())
    with pytest.raises(AssertionError):
        ask(SessionMiddleware(app, manager))
    assert manager.active_count() == len(chunks)


@pytest.mark.parametrize("body", [[], [b"a"], iter([b"a"]), iter([])])
def test_a_body_without_a_status_is_an_error(body: Iterable[bytes]) -> None:
    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        put(environ)
        return body

    manager = Manager(MemoryProvider())
    with pytest.raises(AssertionError, match="never called start_response"):
        ask(SessionMiddleware(app, manager))
    assert manager.active_count() == 0


def unencodable(session: Session) -> None:
    session["list"] = []
    session["list"].append(object())


def oversized(session: Session) -> None:
    session["big"] = "x" * 2_000_000


@pytest.mark.parametrize("chunks", [list, iter])
@pytest.mark.parametrize(
    ("change", "error"), [(unencodable, EncodeError), (oversized, SessionTooLarge)]
)
def test_what_cannot_be_stored_is_an_error_before_the_first_byte(
    change: Callable[[Session], None],
    error: type[Exception],
    chunks: Callable[[list[bytes]], Iterable[bytes]],
) -> None:
    inner = Body([b"a"])

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        change(session_of(environ))
        start_response("200 OK", [])
        return [b"a"] if chunks is list else inner

    manager = Manager(MemoryProvider())
    with pytest.raises(error):
        ask(SessionMiddleware(app, manager))
    assert manager.active_count() == 0
    assert inner.closed == (chunks is iter)
    wire = io.BytesIO()
    SimpleHandler(io.BytesIO(), wire, io.StringIO(), environ_of()).run(
        SessionMiddleware(app, manager)
    )
    assert parse(wire.getvalue()).status == 500


# -- the store is down ------------------------------------------------------------------------


def assert_unavailable(answer: Answer) -> None:
    assert answer.status == 503
    assert b"unavailable" in answer.body
    assert values(answer.headers, "Content-Type") == ["text/plain; charset=utf-8"]
    assert values(answer.headers, "Content-Length") == [str(len(answer.body))]
    assert int(*values(answer.headers, "Retry-After")) > 0
    assert values(answer.headers, "Set-Cookie") == []


def raises_unavailable(environ: Environ, start_response: Start) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN))
    raise StoreUnavailable("asked the store myself")


def raises_unavailable_later(environ: Environ, start_response: Start) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN))
    put(environ)
    yield b""
    raise StoreUnavailable("asked the store myself")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("app", "verb"),
    [
        (counter, "read"),
        (in_a_list, "update"),
        (in_a_tuple, "update"),
        (before_the_first_chunk, "update"),
        (before_write, "update"),
        (with_close, "update"),
        (nothing("204 No Content", [], []), "update"),
        (nothing("204 No Content", [], iter([])), "update"),
        (raises_unavailable, "none"),
        (raises_unavailable_later, "none"),
    ],
)
def test_without_a_store_the_answer_is_503(
    app: WSGIApplication, verb: str, fault: type[StoreError]
) -> None:
    store = Failing(fault)
    manager = Manager(store)
    visitor = visit(manager, n=1)
    store.down = {verb}
    assert_unavailable(ask(between(app, manager), **visitor))
    head = ask(between(app, manager), REQUEST_METHOD="HEAD", **visitor)
    assert (head.status, head.body) == (503, b"")
    store.down = set()
    with manager.open({"Cookie": visitor["HTTP_COOKIE"]}) as session:
        assert dict(session) == {"n": 1}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("verb", ["read", "update"])
def test_without_a_store_a_request_may_go_on(verb: str, fault: type[StoreError]) -> None:
    store = Failing(fault)
    manager = Manager(store, on_outage="anonymous")
    visitor = visit(manager, n=1)
    store.down = {verb}
    answer = ask(between(counter, manager), **visitor)
    assert (answer.status, values(answer.headers, "Set-Cookie")) == (200, [])


def test_the_body_that_is_dropped_is_closed() -> None:
    store = Failing()
    store.down = {"create"}
    inner = Body([b"a", b"b"])
    assert_unavailable(ask(SessionMiddleware(nothing("200 OK", [], inner), Manager(store))))
    assert inner.closed == 1


def test_an_outage_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    store = Failing()
    store.down = {"create"}
    ask(between(in_a_list, Manager(store)))
    assert "no create today" in caplog.text


def test_an_outage_after_the_first_byte_is_an_error() -> None:
    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", list(PLAIN))(b"a")
        raise StoreUnavailable("asked the store myself")

    with pytest.raises(StoreUnavailable, match="myself"):
        ask(between(app, Manager(MemoryProvider())))


def test_an_application_may_go_on_without_its_session() -> None:
    store = Failing()
    manager = Manager(store, on_outage="anonymous")
    visitor = visit(manager, n=1)
    store.down = {"read", "create", "update"}
    answer = ask(between(counter, manager), **visitor)
    assert (answer.status, answer.body) == (200, b"1")
    assert values(answer.headers, "Set-Cookie") == []


# -- headers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("headers", "vary", "cache"), MERGED)
def test_headers_are_merged(headers: Pairs, vary: list[str], cache: list[str]) -> None:
    manager = Manager(MemoryProvider())
    answer = ask(between(nothing("200 OK", PLAIN + headers, [b"a"]), manager))
    assert values(answer.headers, "Vary") == vary
    assert values(answer.headers, "Cache-Control") == cache
    assert values(answer.headers, "Content-Type") == ["text/plain"]


def test_headers_stay_where_nothing_is_to_be_said() -> None:
    manager = Manager(MemoryProvider())
    headers = [*PLAIN, ("Cache-Control", "public, max-age=60"), ("Vary", "Accept")]

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", list(headers))
        return [b"a"]

    def reader(environ: Environ, start_response: Start) -> Iterable[bytes]:
        session_of(environ).get("name")
        return app(environ, start_response)

    untouched = ask(between(app, manager)).headers
    assert set(headers) <= set(untouched)
    read = ask(between(reader, manager)).headers
    assert values(read, "Cache-Control") == ["public, max-age=60"]
    assert values(read, "Vary") == ["Accept, Cookie"]


def test_the_cookies_of_the_application_stay() -> None:
    own = [("Set-Cookie", "theme=dark"), ("Set-Cookie", "lang=en")]
    app = nothing("200 OK", PLAIN + own, [b"a"])
    answer = ask(between(app, Manager(MemoryProvider())))
    names = [line.partition("=")[0] for line in values(answer.headers, "Set-Cookie")]
    assert names == ["theme", "lang", "session"]


@pytest.mark.parametrize(
    ("environ", "secure"),
    [
        ({}, False),
        ({"wsgi.url_scheme": "https"}, True),
        ({"HTTP_X_FORWARDED_PROTO": "https"}, True),
        ({"HTTP_X_FORWARDED_PROTO": "http, https"}, False),
        ({"HTTP_FORWARDED": "for=1.2.3.4;proto=https"}, True),
        ({"wsgi.url_scheme": "https", "HTTP_X_FORWARDED_PROTO": "http"}, True),
    ],
)
def test_the_cookie_is_secure_over_https(environ: dict[str, str], secure: bool) -> None:
    heads: list[Pairs] = []
    app = SessionMiddleware(in_a_list, Manager(MemoryProvider()))
    app(environ_of(**environ), noting([], heads))
    [line] = values(heads[0], "Set-Cookie")
    assert ("; Secure" in line) is secure


def test_the_token_may_travel_in_a_header() -> None:
    manager = Manager(MemoryProvider(), header_name="X-Session-Token")
    first = ask(between(counter, manager), HTTP_X_SESSION_TOKEN="")
    [token] = values(first.headers, "X-Session-Token")
    second = ask(between(counter, manager), HTTP_X_SESSION_TOKEN=token)
    assert second.body == b"2"
    assert values(first.headers + second.headers, "Set-Cookie") == []


@pytest.mark.parametrize("settings", [{}, {"header_name": "X-Session-Token"}], ids=str)
def test_a_token_in_the_address_or_another_header_opens_nothing(settings: dict[str, Any]) -> None:
    manager = Manager(MemoryProvider(), **settings)
    token = visit(manager, n=7)["HTTP_COOKIE"].partition("=")[2]
    for name in ("session", "sojourn.session", "X-Session-Token"):
        answer = ask(
            between(counter, manager),
            SCRIPT_NAME="",
            PATH_INFO=f"/{token};{name}={token}",
            QUERY_STRING=f"{name}={token}",
            HTTP_REFERER=f"https://example.com/?{name}={token}",
            HTTP_AUTHORIZATION=f"Bearer {token}",
        )
        assert answer.body == b"1"
        assert token not in str(answer.headers)


# -- installation -----------------------------------------------------------------------------


def test_two_managers_serve_one_application() -> None:
    shop, staff = Manager(MemoryProvider()), Manager(MemoryProvider(), cookie_name="staff")

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        for key in ("sojourn.session", "staff.session"):
            session = environ[key]
            session["n"] = session.get("n", 0) + 1
        start_response("200 OK", list(PLAIN))
        return [f"{session['n']}".encode()]

    both = SessionMiddleware(SessionMiddleware(app, staff, key="staff.session"), shop)
    first = ask(validator(both))
    cookies = [line.partition(";")[0] for line in values(first.headers, "Set-Cookie")]
    assert sorted(line.partition("=")[0] for line in cookies) == ["session", "staff"]
    assert values(first.headers, "Vary") == ["Cookie"]
    assert values(first.headers, "Cache-Control") == ["no-store, private"]
    assert ask(validator(both), HTTP_COOKIE="; ".join(cookies)).body == b"2"
    assert (shop.active_count(), staff.active_count()) == (1, 1)


def test_two_middlewares_under_one_key_are_refused() -> None:
    manager = Manager(MemoryProvider())
    twice = SessionMiddleware(SessionMiddleware(counter, manager), manager)
    with pytest.raises(ConfigError, match=r"'sojourn\.session'.* installed twice"):
        ask(twice)


def test_an_async_manager_is_refused() -> None:
    manager: Any = AsyncManager(MemoryProvider())
    with pytest.raises(ConfigError, match=r"needs a Manager.*sojourn\.web\.asgi"):
        SessionMiddleware(counter, manager)


# -- quiet visitors ---------------------------------------------------------------------------


def test_visitors_who_only_read_leave_no_trace() -> None:
    manager = Manager(MemoryProvider())

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        read, _ = READS[int(environ["PATH_INFO"][1:]) % len(READS)]
        read(session_of(environ))
        start_response("200 OK", list(PLAIN))
        return [b"hello"]

    served = SessionMiddleware(app, manager)
    for number in range(1000):
        headers = ask(served, PATH_INFO=f"/{number}").headers
        touched = READS[number % len(READS)][1]
        assert values(headers, "Vary") == ["Cookie"] * touched
        assert values(headers, "Set-Cookie") == values(headers, "Cache-Control") == []
    assert manager.active_count() == 0
