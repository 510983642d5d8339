"""What is measured: a session library in an application as thin as it allows, in this process.

A subject serves requests twice: through the library, and through the same application without
it.  The difference is what the library costs.  A request carries a *work*, a function of the
session that the view calls; it returns True if it assigned something, for libraries that want to
be told, and a coroutine where an async view shall wait.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

Work = Callable[[Any], Any]

WORK = "bench.work"
"""Where a work travels, in an environ or a scope."""

QUIET = "/quiet"
"""The page that never asks for the session, in an application that has pages."""

HEADERS = {
    "Host": "shop.example",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Referer": "https://shop.example/basket",
    "Connection": "keep-alive",
}
"""What a browser sends besides the cookie."""


class Answer(NamedTuple):
    """What came of a request."""

    status: int
    headers: list[tuple[str, str]]


class Subject:
    """One library over one store.  A new one begins with an empty store."""

    name = ""
    store = ""
    """One of `bench.registry.STORES`."""
    settings = ""
    """What was set otherwise than by default, for the page."""
    ours = False
    weighed = True
    """Whether its store in memory or Redis is weighed; one name of each is enough."""

    def __init__(self, folder: Path) -> None:
        """Open an empty store; what it puts into files goes into `folder`."""

    def close(self) -> None:
        """Give back what is not in the folder."""

    # -- requests ----------------------------------------------------------------------------

    def request(self, cookie: str | None) -> Any:
        """Return a request that carries the cookie, to be served any number of times."""
        raise NotImplementedError

    def quiet(self, request: Any) -> Any:
        """Return the same request for a page that never asks for the session, if there is one."""
        raise NotImplementedError

    def serve(self, request: Any, work: Work) -> Answer:
        """Serve a request with the session."""
        raise NotImplementedError

    def time(self, request: Any, work: Work, times: int, *, bare: bool) -> float:
        """Return the seconds that `times` requests take; bare: without a session."""
        raise NotImplementedError

    # -- what differs in what an application writes ----------------------------------------------

    def leave(self, session: Any) -> None:
        """Log out."""
        session.clear()

    def increment(self, session: Any, seen: int) -> None:
        """Count one more, as the library recommends."""
        session["n"] = seen + 1

    def stored(self) -> int | None:
        """Return how many records the store holds; None if there is no store."""
        return None


def cookie_of(answer: Answer, kept: str | None) -> str | None:
    """Return the cookie that a browser holds after an answer, if it held `kept` before."""
    for name, text in answer.headers:
        if name.lower() == "set-cookie":
            pair, _, attributes = text.partition(";")
            dead = "max-age=0" in attributes.lower() or "1970" in attributes
            dead = dead or pair.partition("=")[2].strip("\"'") in ("", "null")
            kept = None if dead else pair
    return kept


def set_cookie_size(answer: Answer) -> int:
    """Return the bytes of the largest cookie that was sent, name and value."""
    sent = [text for name, text in answer.headers if name.lower() == "set-cookie"]
    return max((len(text.partition(";")[0]) for text in sent), default=0)


def files_in(folder: Path, pattern: str = "*") -> int:
    """Return how many files are below a folder."""
    return sum(path.is_file() for path in folder.rglob(pattern))
