"""Code that the applications of all frameworks share."""

# ruff: noqa: D102 - methods are documented in `Subject`

from __future__ import annotations

from typing import Any, TypeVar

from bench.asgi import Asgi
from bench.subject import QUIET, Subject

SECRET = "0123456789abcdef" * 4

QUIET_PAGE = [QUIET]
"""Sojourn's `quiet` in asynchronous frameworks: the page that never uses the session."""

S = TypeVar("S", bound=Subject)
Subjects = tuple[type[Subject], ...]


def over(kind: type[S], *stores: str) -> tuple[type[S], ...]:
    """Return one subject class for each of these stores."""
    return tuple(type(f"{kind.__name__}-{store}", (kind,), {"store": store}) for store in stores)


class Ours(Subject):
    """A subject of Sojourn, which closes its manager."""

    name = "Sojourn"
    ours = True
    manager: Any

    def close(self) -> None:
        if isinstance(self, Asgi):
            self.loop.run(self.manager.close())
        else:
            self.manager.close()
        super().close()
