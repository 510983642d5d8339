"""A subject of the benchmark: a session library in a minimal application, in this process.

A subject serves each request through the library, and through the same application without it.
The difference is the cost of the library.  A request carries a *work*, a function of the session
that the view calls.  It returns True if it assigned a value, for libraries that must be told so.
It may return a coroutine, which an async view awaits.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

Work = Callable[[Any], Any]

WORK = "bench.work"
"""The key under which a work is passed in an environ or a scope."""

QUIET = "/quiet"
"""The page that never uses the session, in an application that has pages."""

HEADERS = {
    "Host": "shop.example",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Referer": "https://shop.example/basket",
    "Connection": "keep-alive",
}
"""The headers that a browser sends besides the cookie."""


class Answer(NamedTuple):
    """The response to a request."""

    status: int
    headers: list[tuple[str, str]]


class Subject:
    """One library over one store.  Each instance begins with an empty store."""

    name = ""
    store = ""
    """One of `bench.registry.STORES`."""
    settings = ""
    """The settings that differ from the defaults, for the page."""
    ours = False
    weighed = True
    """Whether its memory use is measured; one subject per library and store is enough."""

    def __init__(self, folder: Path) -> None:
        """Open an empty store, which puts its files into `folder`."""

    def close(self) -> None:
        """Release everything that is not in the folder."""

    # -- requests ----------------------------------------------------------------------------

    def request(self, cookie: str | None) -> Any:
        """Return a request with this cookie, which can be served any number of times."""
        raise NotImplementedError

    def quiet(self, request: Any) -> Any:
        """Return the same request for a page that never uses the session, if there is one."""
        raise NotImplementedError

    def serve(self, request: Any, work: Work) -> Answer:
        """Serve a request with the session."""
        raise NotImplementedError

    def time(self, request: Any, work: Work, times: int, *, bare: bool) -> float:
        """Return the seconds that `times` requests take; with `bare`, without a session."""
        raise NotImplementedError

    # -- what differs in what an application writes ----------------------------------------------

    def leave(self, session: Any) -> None:
        """Log out."""
        session.clear()

    def increment(self, session: Any, seen: int) -> None:
        """Increment a counter in the session as the library recommends it."""
        session["n"] = seen + 1

    def stored(self) -> int | None:
        """Return the number of records in the store; None if there is no store."""
        return None


def cookie_of(answer: Answer, kept: str | None) -> str | None:
    """Return the cookie of a browser after an answer, if it had the cookie `kept` before."""
    for name, text in answer.headers:
        if name.lower() == "set-cookie":
            pair, _, attributes = text.partition(";")
            dead = "max-age=0" in attributes.lower() or "1970" in attributes
            dead = dead or pair.partition("=")[2].strip("\"'") in ("", "null")
            kept = None if dead else pair
    return kept


def set_cookie_size(answer: Answer) -> int:
    """Return the size in bytes of the largest cookie that was sent, name and value."""
    sent = [text for name, text in answer.headers if name.lower() == "set-cookie"]
    return max((len(text.partition(";")[0]) for text in sent), default=0)


def files_in(folder: Path, pattern: str = "*") -> int:
    """Return the number of files below a folder."""
    return sum(path.is_file() for path in folder.rglob(pattern))
