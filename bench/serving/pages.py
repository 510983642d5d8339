"""The pages of each application, and the responses that are expected of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.payloads import KEYS, PAYLOADS, differing, work

SIZE = "200 B"
QUIET = "quiet"
"""The page that never uses the session, though its requests carry a cookie."""
NEW = "new"
"""The page whose requests carry no cookie, and which begins a session."""
OK = "ok"

Page = Callable[[Any], str]
"""Uses the session, and returns the body of the response."""


def _read(session: Any) -> str:
    return str(session[KEYS[SIZE]])


def _answering_ok(work: Callable[[Any], Any]) -> Page:
    def page(session: Any) -> str:
        work(session)
        return OK

    return page


PAGES: dict[str, Page] = {
    "read": _read,
    "change": _answering_ok(differing(SIZE)),
    NEW: _answering_ok(work(SIZE, "new")),
}
"""The pages that use the session, by name; `/read` is the path of the first."""
NAMES = (QUIET, *PAGES)
"""All pages in the order in which they are asked: `read` expects what `new` stored."""
BODIES = {**dict.fromkeys(NAMES, OK), "read": str(PAYLOADS[SIZE][KEYS[SIZE]])}
"""The body that each page returns for a new session."""
