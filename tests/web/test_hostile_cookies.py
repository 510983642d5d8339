"""Cookie headers that attackers have thought of, sent byte by byte to every server.

A server may refuse such a header (400), fold it, split it or decode it.  Whatever it does, the
application must see the session that a browser would mean, or none.
"""

from __future__ import annotations

import http.client
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from sojourn import Manager
from sojourn.providers.file import FileProvider
from tests.servers.process import Process, free_port
from tests.test_cookies import HOSTILE
from tests.web.test_servers import ROOT, granian, gunicorn, python, uvicorn, wsgiref

NAME = "__Host-sid"
UNKNOWN = [f"{number:040}AAA" for number in range(9)]
"""Tokens that name nothing."""
REFUSED = {400, 431, None}
"""What a server says to a request that it does not like, or nothing."""
BLANKS = "\x0b\x0c\x1c\x85\xa0"
"""Of one byte, taken for blanks by `str.strip`."""


def hypercorn(folder: Path) -> Process:
    port = free_port()
    words = ("-m", "hypercorn", "--bind", f"127.0.0.1:{port}", "tests.web.served:asgi_app")
    return python(*words, port=port, folder=folder)


def granian_asgi(folder: Path) -> Process:
    port = free_port()
    words = ("-m", "granian", "--interface", "asgi", "--port", str(port))
    return python(*words, "tests.web.served:asgi_app", port=port, folder=folder)


def uwsgi(folder: Path) -> Process:
    port = free_port()
    words = ("--http-socket", f"127.0.0.1:{port}", "--master", "--die-on-term", "--need-app")
    command = (Path(sys.executable).with_name("uwsgi"), *words, "--module", "tests.web.served")
    env = {"FOLDER": str(folder), "PYTHONPATH": "src:."}
    return Process(*command, "--callable", "wsgi_app", port=port, cwd=ROOT, env=env)


def aiohttp(folder: Path) -> Process:
    port = free_port()
    return python("-m", "tests.web.served", str(port), "aiohttp", port=port, folder=folder)


SERVERS = [wsgiref, gunicorn, granian, granian_asgi, uvicorn, hypercorn, uwsgi, aiohttp]


class Site(NamedTuple):
    server: str
    port: int
    visitor: str
    """A token whose session has counted to 1."""
    attacker: str
    """One whose session has counted to 2."""


@pytest.fixture(scope="module", params=SERVERS)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    make: Callable[[Path], Process] = request.param
    folder = tmp_path_factory.mktemp(make.__name__)
    with closing(Manager(FileProvider(folder / "sessions"))) as manager:
        tokens = []
        for count in (1, 2):
            with manager.open({}) as session:
                session["n"] = count
            assert session.released is not None
            tokens.append(str(session.released.token))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COOKIE", NAME)
        with make(folder) as process:
            yield Site(make.__name__, process.port, *tokens)


def ask(site: Site, *cookies: bytes) -> tuple[int | None, str]:
    """Return the status, and to what the session has counted that the application saw."""
    head = b"GET /read HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    lines = b"".join(b"Cookie: " + cookie + b"\r\n" for cookie in cookies)
    with socket.create_connection(("127.0.0.1", site.port), 30) as line:
        line.sendall(head + lines + b"\r\n")
        with closing(http.client.HTTPResponse(line)) as response:
            try:
                response.begin()
            except ConnectionError:
                return None, ""
            if response.status != 200:  # some servers show what they do not like
                return response.status, ""
            said = response.read().decode()
            assert site.visitor not in f"{response.headers}{said}"
            return 200, said


def spelled(header: str, site: Site) -> bytes:
    """Return a header of `HOSTILE` with the name and the tokens in it."""
    words = {"N": NAME, "T": site.attacker, "V": site.visitor}
    return "".join(words.get(letter, letter) for letter in header).encode("latin-1")


def seen(found: str) -> str:
    """Return what the application says if it sees the first of these tokens."""
    return {"V": "1", "T": "2", "": "0"}[found[:1]]


def test_a_hostile_header_opens_the_session_that_a_browser_means_or_none(site: Site) -> None:
    wrong = {}
    for header, found, _ in HOSTILE:
        status, said = ask(site, spelled(header, site))
        rightly = {seen(found), *as_the_server_passes_it_on(site.server, header)}
        if status not in REFUSED and (status != 200 or said not in rightly):
            wrong[header] = status, said
    assert wrong == {}


def as_the_server_passes_it_on(server: str, header: str) -> set[str]:
    """Return what an application sees besides, because of what the server makes of a header."""
    if server == "wsgiref" and header.strip(BLANKS) != header:
        return {
            "1",
            "2",
        }  # it trims the whole header; a server for development, which no site runs on
    if server == "granian" and not header.isascii():
        return {"0"}  # it leaves the header away
    return set()


def test_a_token_in_two_fields_is_none_and_a_whole_one_beside_others_counts(site: Site) -> None:
    half = f"{NAME}={site.visitor[:20]}", site.visitor[20:]
    assert ask(site, *(part.encode() for part in half)) in [(200, "0"), (400, "")]
    # Some servers join two fields with a comma, as RFC 9110 says of other headers.
    assert ask(site, b"theme=dark", spelled("N=V", site)) in [(200, "1"), (200, "0"), (400, "")]


@pytest.mark.parametrize(("before", "after"), [(1, 0), (3, 0), (3, 3), (9, 0), (0, 9)])
def test_planted_cookies_that_name_nothing_hide_nobodys(
    site: Site, before: int, after: int
) -> None:
    values = [*UNKNOWN[:before], site.visitor, *UNKNOWN[:after]]
    assert ask(site, "; ".join(f"{NAME}={value}" for value in values).encode()) == (200, "1")


@pytest.mark.parametrize("filler", ["N" + " " * 50_000, ";" * 60_000 + "N", "N=a; " * 7_000 + "N"])
def test_a_long_header_is_read_or_refused(site: Site, filler: str) -> None:
    status, said = ask(site, spelled(f"{filler}=V", site))
    assert status in REFUSED or (status, said) == (200, "1")
