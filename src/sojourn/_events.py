"""Reports events of sessions to the logger `sojourn` and to the application's `on_event(name, id)`.

Only ids are reported, never tokens (OWASP, Session Management Cheat Sheet, "Logging Sessions
Life Cycle").  An error of the function, or of a filter of the logger, does not fail the request;
errors of log handlers are handled by `logging` itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

logger = logging.getLogger("sojourn")

Event = Literal[
    "created",
    "renewed",
    "destroyed",
    "expired",
    "late",
    "retired",
    "rejected",
    "corrupt",
    "collided",
]

_LEVELS = {"corrupt": logging.ERROR, "rejected": logging.INFO, "late": logging.INFO}


def emit(on_event: Callable[[str, str | None], object] | None, name: Event, id: str | None) -> None:
    """Report one event.  id: None if the client sent a text that is not a token and has no id."""
    # Debug unless it is listed, since these events are frequent on a busy site.
    level = _LEVELS.get(name, logging.DEBUG)
    if logger.isEnabledFor(level):
        # A filter may use the session of the request, which is just being read.
        with suppress(Exception):
            logger.log(level, "session %s: %s", name, id)
    if on_event is None:
        return
    try:
        on_event(name, id)
    except Exception:
        with suppress(Exception):
            logger.exception("on_event failed for %r", name)
