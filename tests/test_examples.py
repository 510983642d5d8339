"""The examples do what they say: in process, and behind a real server."""

from __future__ import annotations

import asyncio
import http.client
import inspect
import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any
from urllib.parse import urlencode
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from examples import login, stores
from tests.architecture import pages
from tests.servers.redis import Redis

SET_COOKIE = re.compile(
    r"gosessionid=(?P<token>[\w-]{43}); Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"
)
SEED = {
    "cookieName": "gosessionid",
    "enableSetCookie,omitempty": True,
    "gclifetime": 3600,
    "maxLifetime": 3600,
    "secure": False,
    "sessionIDHashFunc": "sha1",
    "sessionIDHashKey": "",
    "cookieLifeTime": 3600,
    "providerConfig": "",
}


def ask(cookie: str = "", username: str | None = None) -> tuple[dict[str, str], str]:
    """One request, in process: the headers and the page of its answer."""
    body = b"" if username is None else urlencode({"username": username}).encode()
    environ = {
        "REQUEST_METHOD": "GET" if username is None else "POST",
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **({"HTTP_COOKIE": cookie} if cookie else {}),
    }
    setup_testing_defaults(environ)
    answered: dict[str, str] = {}

    def start_response(
        status: str, headers: list[tuple[str, str]], _: object = None
    ) -> Callable[[bytes], object]:
        assert status == "200 OK"
        answered.update(headers)
        return lambda _: None

    chunks = validator(login.login)(environ, start_response)
    page = b"".join(chunks).decode()
    chunks.close()  # type: ignore[attr-defined]  # the validator insists on it
    return answered, page


def cookie_of(headers: dict[str, str]) -> str:
    match = SET_COOKIE.fullmatch(headers["Set-Cookie"])
    assert match
    return f"gosessionid={match['token']}"


def token_of(headers: dict[str, str]) -> str:
    return cookie_of(headers).partition("=")[2]


def test_the_login_is_configured_by_beegos_text() -> None:
    text = inspect.getsource(login)
    [written] = re.findall(r'"""(\{.*\})"""', text)
    assert json.loads(written) == SEED
    assert login.sessions.config.cookie_name == "gosessionid"
    assert login.sessions.config.hash_func == "sha1"


def test_a_visitor_is_asked_and_leaves_no_trace() -> None:
    before = login.sessions.active_count()
    headers, page = ask()
    assert "<form" in page
    assert "Set-Cookie" not in headers
    assert login.sessions.active_count() == before


def test_who_signed_in_is_greeted() -> None:
    headers, page = ask(username="ada")
    assert page == "Hello, ada"
    assert headers["Cache-Control"] == "no-store, private"
    headers, page = ask(cookie_of(headers))
    assert page == "Hello, ada"
    assert "Set-Cookie" not in headers


def test_each_sign_in_gives_a_new_token_and_the_old_one_is_dead() -> None:
    first = cookie_of(ask(username="ada")[0])
    second = cookie_of(ask(first, username="eve")[0])
    assert first != second
    assert ask(second)[1] == "Hello, eve"
    assert "<form" in ask(first)[1]


def test_a_token_that_nobody_issued_names_no_session() -> None:
    headers, page = ask(f"gosessionid={'A' * 43}")
    assert "<form" in page
    headers, _ = ask(f"gosessionid={'A' * 43}", username="ada")
    assert token_of(headers) != "A" * 43


def test_a_name_is_text_and_not_html() -> None:
    assert ask(username="<b>&")[1] == "Hello, &lt;b&gt;&amp;"


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object, **__: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[http.client.HTTPConnection]:
    with make_server("127.0.0.1", 0, login.login, handler_class=Quiet) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        client = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        yield client
        client.close()
        server.shutdown()
        thread.join()


def test_it_works_behind_a_real_server(server: http.client.HTTPConnection) -> None:
    server.request("GET", "/")
    assert b"<form" in server.getresponse().read()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    server.request("POST", "/", "username=Ada+Lovelace", form)
    answer = server.getresponse()
    assert answer.read() == b"Hello, Ada Lovelace"
    server.request("GET", "/", headers={"Cookie": cookie_of(dict(answer.getheaders()))})
    assert server.getresponse().read() == b"Hello, Ada Lovelace"


def notes_of(application: Any, cookie: str = "", note: str = "") -> tuple[str, str]:
    """One request to the notes: the cookie that the visitor has then, and the page."""
    form = urlencode({"note": note}).encode() if note else b""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST" if note else "GET",
        "CONTENT_LENGTH": str(len(form)),
        "HTTP_COOKIE": cookie,
        "wsgi.input": io.BytesIO(form),
    }
    setup_testing_defaults(environ)
    answered: dict[str, str] = {}
    body = application(environ, lambda _, headers: answered.update(headers))
    return answered.get("Set-Cookie", cookie).partition(";")[0], b"".join(body).decode()


def program(address: str | None) -> dict[str, Any]:
    """What the example of the stores defines; with an address, after the change that it names."""
    source, words = inspect.getsource(stores), stores.__doc__ or ""
    if address is not None:
        [changed] = re.findall("(?m)^    (manager = .*)$", words)
        lines = source.replace(words, "").splitlines()
        assert sum(line.startswith("manager = ") for line in lines) == 1
        source = "\n".join(changed if line.startswith("manager = ") else line for line in lines)
        source = source.replace("127.0.0.1:6379", address)
    defined: dict[str, Any] = {"__name__": "stores"}
    exec(compile(source, "stores.py", "exec"), defined)
    return defined


@pytest.mark.parametrize("store", ["file", "redis"])
def test_one_line_moves_an_application_to_redis(
    store: str, redis_server: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = redis_server.cli("DBSIZE")
    address = redis_server.address if store == "redis" else None
    application = program(address)["application"]
    cookie, _ = notes_of(application, note="one")
    for note in ("two", "<b>"):
        assert notes_of(application, cookie, note)[0] == cookie
    again = program(address)["application"]  # as after a restart
    assert notes_of(again, cookie)[1].endswith("<p>one</p><p>two</p><p>&lt;b&gt;</p>")
    assert (redis_server.cli("DBSIZE") > before) == (store == "redis")
    assert (tmp_path / "sessions").exists() == (store == "file")


@pytest.fixture
def readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_server: Redis) -> ModuleType:
    """What the README defines, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "page", raising=False)
    pages.run(pages.ROOT / "README.md", {pages.SHOWN["redis_server"]: redis_server.address})
    return sys.modules["page"]


def test_the_readme_keeps_a_cart(readme: ModuleType) -> None:
    headers = dict(readme.add_to_cart({}, "apple"))
    cookie = {"Cookie": headers["Set-Cookie"].partition(";")[0]}
    readme.add_to_cart(cookie, "pear")
    assert readme.manager.start(cookie)["cart"] == ["apple", "pear"]


def test_the_readme_serves_wsgi(readme: ModuleType) -> None:
    headers: dict[str, str] = {}
    for visit in ("1", "2"):
        environ: dict[str, object] = {"HTTP_COOKIE": headers.get("Set-Cookie", "")}
        setup_testing_defaults(environ)
        chunks = readme.application(environ, lambda _, pairs: headers.update(pairs))
        assert b"".join(chunks).decode() == f"visit {visit}"


async def visit_asgi(app: Any, cookie: bytes) -> tuple[dict[bytes, bytes], bytes]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "scheme": "http", "headers": [(b"cookie", cookie)]}
    await app(scope, receive, send)
    headers = {name.lower(): value for name, value in sent[0]["headers"]}
    return headers, b"".join(message["body"] for message in sent[1:])


def test_the_readme_serves_asgi(readme: ModuleType) -> None:
    with asyncio.Runner() as runner:
        headers, first = runner.run(visit_asgi(readme.asgi_application, b""))
        cookie = headers[b"set-cookie"].partition(b";")[0]
        _, second = runner.run(visit_asgi(readme.asgi_application, cookie))
    assert (first, second) == (b"visit 1", b"visit 2")
