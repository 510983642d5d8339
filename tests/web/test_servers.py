"""Both middlewares before real servers, over loopback."""

from __future__ import annotations

import http.client
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from sojourn import Manager
from sojourn._sweeper import LEASE
from sojourn.providers.file import FileProvider
from tests.servers.process import Process, free_port
from tests.web.stores import Pairs, cookie, values

ROOT = Path(__file__).parents[2]


class Answer(NamedTuple):
    status: int
    headers: Pairs
    body: bytes


def python(*words: str, port: int, folder: Path, **env: str) -> Process:
    command = (sys.executable, *words)
    return Process(*command, port=port, cwd=ROOT, env={"FOLDER": str(folder), **env})


def wsgiref(folder: Path) -> Process:
    port = free_port()
    return python("-m", "tests.web.served", str(port), port=port, folder=folder)


def gunicorn(folder: Path) -> Process:
    port = free_port()
    options = ("--bind", f"127.0.0.1:{port}", "--threads", "4", "--no-control-socket")
    words = ("-m", "gunicorn", *options, "tests.web.served:wsgi_app")
    return python(*words, port=port, folder=folder)


def uvicorn(folder: Path, *options: str, **env: str) -> Process:
    port = free_port()
    words = ("-m", "uvicorn", "--port", str(port), *options, "tests.web.served:asgi_app")
    return python(*words, port=port, folder=folder, **env)


def granian(folder: Path) -> Process:
    """Over WSGI, where it reads status and headers as soon as the application has returned."""
    port = free_port()
    options = ("--interface", "wsgi", "--port", str(port), "--blocking-threads", "4")
    return python("-m", "granian", *options, "tests.web.served:wsgi_app", port=port, folder=folder)


@pytest.fixture(scope="module", params=[wsgiref, gunicorn, granian, uvicorn])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Process, Path]]:
    folder = tmp_path_factory.mktemp(request.param.__name__)
    with request.param(folder) as process:
        yield process, folder


def ask(process: Process, path: str, visitor: str = "", method: str = "GET") -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=10)
    with closing(connection):
        connection.request(method, path, headers={"Cookie": visitor})
        response = connection.getresponse()
        return Answer(response.status, response.getheaders(), response.read())


def test_a_visitor_is_known_again(server: tuple[Process, Path]) -> None:
    process, _ = server
    first = ask(process, "/count")
    assert (first.status, first.body) == (200, b"1")
    assert values(first.headers, "Vary") == ["Cookie"]
    assert values(first.headers, "Cache-Control") == ["no-store, private"]
    visitor = cookie(first.headers)
    assert ask(process, "/count", visitor).body == b"2"
    assert ask(process, "/count", visitor, "HEAD").body == b""
    assert ask(process, "/empty", visitor).status == 204
    read = ask(process, "/read", visitor)
    assert (read.body, values(read.headers, "Set-Cookie")) == (b"4", [])
    assert cookie(ask(process, "/logout", visitor).headers) == "session="
    assert ask(process, "/read", visitor).body == b"0"


def test_a_response_without_a_body_carries_the_cookie(server: tuple[Process, Path]) -> None:
    process, _ = server
    empty = ask(process, "/empty")
    assert empty.status == 204
    assert ask(process, "/read", cookie(empty.headers)).body == b"1"


@pytest.mark.parametrize("page", ["/broken", "/unstorable"])
def test_an_error_is_500_and_saves_nothing(server: tuple[Process, Path], page: str) -> None:
    process, _ = server
    visitor = cookie(ask(process, "/count").headers)
    failed = ask(process, page, visitor)
    assert failed.status == 500
    assert b"never sent" not in failed.body
    assert values(failed.headers, "Set-Cookie") == []
    assert ask(process, "/read", visitor).body == b"1"


def test_a_stream_stays_a_stream(server: tuple[Process, Path]) -> None:
    """Its first part comes, and with it the cookie, while the second is not yet there."""
    process, folder = server
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=10)
    with closing(connection):
        connection.request("GET", "/stream")
        response = connection.getresponse()
        assert response.read(7) == b"first 1"
        assert ask(process, "/read", cookie(response.getheaders())).body == b"1"
        (folder / "go").touch()
        assert response.read() == b" second"


def test_visitors_who_only_read_leave_no_trace(server: tuple[Process, Path]) -> None:
    process, folder = server
    with closing(Manager(FileProvider(folder / "sessions"))) as manager:
        before = manager.active_count()
        for page, vary in [("/read", ["Cookie"]), ("/pass", [])] * 50:
            answer = ask(process, page)
            assert values(answer.headers, "Vary") == vary
            assert values(answer.headers, "Set-Cookie") == []
        assert manager.active_count() == before


# -- what only ASGI has -----------------------------------------------------------------------


def test_a_websocket_works_on_the_session_of_its_visitor(tmp_path: Path) -> None:
    with uvicorn(tmp_path) as process:
        with connect(f"ws://127.0.0.1:{process.port}/") as client:
            assert client.response is not None
            visitor = cookie(client.response.headers.raw_items())
            client.send("once")
            assert client.recv() == b"2"
            assert ask(process, "/count", visitor).body == b"3"
            client.send("again")
            assert client.recv() == b"4"
        with pytest.raises(InvalidStatus, match="403"):
            connect(f"ws://127.0.0.1:{process.port}/denied", additional_headers={"Cookie": visitor})
        assert ask(process, "/read", visitor).body == b"5"


def until(happened: Callable[[], bool]) -> bool:
    """Whether it happens within ten seconds."""
    deadline = time.monotonic() + 10
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.02)
    return happened()


def files(folder: Path) -> list[Path]:
    """The files of the sessions; the worker that sweeps has one more."""
    found = (folder / "sessions").rglob("*")
    return [path for path in found if path.is_file() and path.name != LEASE]


@pytest.mark.parametrize("lifespan", ["on", "auto"])
def test_the_server_sweeps_and_closes(tmp_path: Path, lifespan: str) -> None:
    """Though the application knows nothing of a lifespan."""
    with uvicorn(tmp_path, "--lifespan", lifespan, LIFETIME="0.3") as process:
        ask(process, "/count")
        assert len(files(tmp_path)) > 0
        assert until(lambda: files(tmp_path) == [])
        assert not (tmp_path / "closed").exists()
    assert (tmp_path / "closed").exists()


def test_a_server_without_a_lifespan_serves(tmp_path: Path) -> None:
    with uvicorn(tmp_path, "--lifespan", "off") as process:
        visitor = cookie(ask(process, "/count").headers)
        assert ask(process, "/count", visitor).body == b"2"
    assert not (tmp_path / "closed").exists()
