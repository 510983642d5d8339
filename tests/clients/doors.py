"""The processes of the site: the same application behind http, https and a proxy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlencode

from tests.clients.kinds import HOSTS, SHOP
from tests.servers.certificates import Certificate
from tests.servers.process import Process, free_port

ROOT = Path(__file__).parents[2]

Door = Literal["http", "https", "proxied"]
Colour = Literal["wsgi", "asgi"]


class Site(NamedTuple):
    """Where the site is to be found."""

    certificate: Certificate
    ports: dict[Door, int]

    def url(self, door: Door, path: str, host: str = SHOP, **query: str) -> str:
        """An address of the site; `path` is a kind of cookie and a deed."""
        scheme = "http" if door == "http" else "https"
        asked = f"?{urlencode(query)}" if query else ""
        return f"{scheme}://{host}:{self.ports[door]}/{path}{asked}"


def python(*words: str | Path, port: int, folder: Path) -> Process:
    env = {"FOLDER": str(folder)}
    return Process(sys.executable, "-m", *words, port=port, cwd=ROOT, env=env)


def gunicorn(folder: Path, port: int, tls: Certificate | None) -> Process:
    # A thread for each connection that a browser holds open, for what it may ask later.
    words: tuple[str | Path, ...] = ("--bind", f"127.0.0.1:{port}", "--threads", "64")
    if tls is not None:
        words += ("--certfile", tls.certificate, "--keyfile", tls.key)
    words += ("--no-control-socket", "--forwarded-allow-ips", "")  # what a proxy says, we read
    return python("gunicorn", *words, "tests.clients.site:wsgi_app", port=port, folder=folder)


def uvicorn(folder: Path, port: int, tls: Certificate | None) -> Process:
    words: tuple[str | Path, ...] = ("--port", str(port), "--lifespan", "off")
    if tls is not None:
        words += ("--ssl-certfile", tls.certificate, "--ssl-keyfile", tls.key)
    words += ("--no-proxy-headers",)  # likewise
    return python("uvicorn", *words, "tests.clients.site:asgi_app", port=port, folder=folder)


def proxy(folder: Path, port: int, behind: int, tls: Certificate) -> Process:
    words = ("tests.clients.proxy", str(port), str(behind), tls.certificate, tls.key)
    return python(*words, port=port, folder=folder)


@contextmanager
def opened(colour: Colour, folder: Path) -> Iterator[Site]:
    """The site with its three doors, in one colour."""
    server = {"wsgi": gunicorn, "asgi": uvicorn}[colour]
    tls = Certificate.new(*HOSTS)
    site = Site(tls, {"http": free_port(), "https": free_port(), "proxied": free_port()})
    with (
        server(folder, site.ports["http"], None),
        server(folder, site.ports["https"], tls),
        proxy(folder, site.ports["proxied"], site.ports["http"], tls),
    ):
        yield site
