"""Reports what happens to sessions: to the logger `sojourn` and to `on_event(name, id)`.

Only ids are reported, never tokens (OWASP, Session Management Cheat Sheet, "Logging Sessions
Life Cycle").  Neither the logger nor the function can break a request.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
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
    """Report one event; `id` is None where the client sent no token that could have one."""
    level = _LEVELS.get(name, logging.DEBUG)
    if logger.isEnabledFor(level):
        logger.log(level, "session %s: %s", name, id)
    if on_event is None:
        return
    try:
        on_event(name, id)
    except Exception:
        logger.exception("on_event failed for %r", name)
