"""The client: `wrk`, with 64 connections in one thread."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.serving.pages import BODIES
from bench.serving.site import Site, headers

AT_ONCE = 64
SCRIPT = Path(__file__).with_name("load.lua")


class Load(NamedTuple):
    """The requests that were answered, and the seconds that they took."""

    requests: int
    seconds: float


def run(site: Site, page: str, cookies: Sequence[str | None], seconds: int, folder: Path) -> Load:
    """Ask for a page for so many seconds, with each of these cookies in turn.

    Raises AssertionError if a response has another status or body than it should.
    """
    file = folder / "requests"
    file.write_text("".join(_request(page, cookie) for cookie in cookies), newline="")
    command = ["wrk", "-t1", f"-c{AT_ONCE}", f"-d{seconds}s", "-s", str(SCRIPT)]
    address = f"http://127.0.0.1:{site.port}"
    done = subprocess.run(
        [*command, address, "--", str(file), BODIES[page]],
        check=True,
        capture_output=True,
        text=True,
    )
    [line] = (line for line in done.stdout.splitlines() if line.startswith("served "))
    requests, duration, wrong = map(int, line.split()[1:])
    assert not wrong, f"{site.framework}, {site.library}, {page}: {wrong} wrong\n{done.stdout}"
    return Load(requests, duration / 1e6)


def _request(page: str, cookie: str | None) -> str:
    lines = [
        f"GET /{page} HTTP/1.1",
        *(f"{name}: {text}" for name, text in headers(cookie).items()),
    ]
    return "\r\n".join([*lines, "", ""])
