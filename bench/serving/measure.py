"""The measurement: all applications of a framework take turns, page by page, round by round.

All servers run from the beginning, and an idle one costs nothing.  Each round begins with an empty
store and with new sessions.  The runs that are compared follow each other within seconds, so that
a slow phase of the machine affects all of them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, Self

from bench import cpu, servers
from bench.serving import load, processor
from bench.serving.apps import LIBRARIES, NONE
from bench.serving.pages import NAMES, NEW, QUIET
from bench.serving.site import Site

SESSIONS = 4 * load.AT_ONCE
"""So many that two requests at the same time never belong to one session."""
SETTLING = 0.05
"""Seconds in which a server ends the requests that it has begun."""
SOFTWARE = ("gunicorn", "uvicorn", "uvloop", "httptools")


class Run(NamedTuple):
    """One run of the client."""

    framework: str
    library: str
    page: str
    rate: float
    """Requests per second."""
    application: float
    """Processor time of the server with its application per request, in microseconds."""
    store: float
    """Processor time of the store per request, in microseconds."""


class Figures(NamedTuple):
    """What was measured; as JSON it is a list of these values."""

    versions: str
    seconds: int
    """The length of a run."""
    runs: list[Run]
    """All runs, those of one application and page in the order of the rounds."""

    @classmethod
    def of(cls, values: Sequence[Any]) -> Self:
        """Return the figures that were JSON."""
        versions, seconds, runs = values
        return cls(versions, seconds, [Run(*values) for values in runs])


def measure(
    frameworks: Collection[str],
    folder: Path,
    rounds: int,
    seconds: int,
    say: Callable[[str], None],
) -> Figures:
    """Measure these frameworks, in runs of so many seconds, after a round that only warms up."""
    folder.mkdir(parents=True, exist_ok=True)
    runs: list[Run] = []
    with ExitStack() as stack:
        cpu.pin()
        stack.callback(os.sched_setaffinity, 0, os.sched_getaffinity(0))
        databases = count()
        sites = [
            [stack.enter_context(_site(framework, name, next(databases))) for name in libraries]
            for framework, libraries in LIBRARIES.items()
            if framework in frameworks
        ]
        cpu.move()  # this process and the client leave the CPU to the servers
        for number in range(rounds + 1):
            say(f"real servers: round {number} of {rounds}" if number else "real servers: warm-up")
            for its in sites:
                found = _round(its if number % 2 else its[::-1], folder, seconds if number else 1)
                runs += found if number else []
    shown = ", ".join(f"{name} {version(name)}" for name in SOFTWARE)
    return Figures(shown, seconds, runs)


def _site(framework: str, library: str, database: int) -> Site:
    return Site(framework, library, servers.redis().url(database=database))


def _round(sites: Sequence[Site], folder: Path, seconds: int) -> list[Run]:
    """Measure all pages of these applications, of each page all applications in turn."""
    servers.redis().flush()
    cookies = {site: _cookies(site) for site in sites}
    return [
        _run(site, page, cookies[site], seconds, folder)
        for page in NAMES
        for site in sites
        if page == QUIET or site.library != NONE
    ]


def _cookies(site: Site) -> list[str | None]:
    if site.library == NONE:
        return ["session=0123456789abcdef0123456789abcdef0123456789a"]
    _check(site)
    return [site.visitor() for _ in range(SESSIONS)]


def _run(site: Site, page: str, cookies: Sequence[str | None], seconds: int, folder: Path) -> Run:
    pids = [processor.group(site.pid), [servers.redis().pid]]
    before = [*map(processor.seconds, pids)]
    done = load.run(site, page, [None] if page == NEW else cookies, seconds, folder)
    site.get(QUIET)  # until it is answered, the server has requests of closed connections
    time.sleep(SETTLING)
    after = [*map(processor.seconds, pids)]
    # Those whose connections `wrk` closed at the end are not in its count, but were served too.
    served = done.requests + load.AT_ONCE
    application, store = (
        (end - begin) / served * 1e6 for begin, end in zip(before, after, strict=True)
    )
    return Run(site.framework, site.library, page, done.requests / done.seconds, application, store)


def _check(site: Site) -> None:
    """Check that a change is stored, which `wrk` cannot see."""
    cookie = site.visitor()
    site.get("change", cookie)
    answer, body = site.get("read", cookie)
    assert (answer.status, body.isdigit()) == (200, True), (
        f"{site.framework}, {site.library}: what was written did not come back"
    )
