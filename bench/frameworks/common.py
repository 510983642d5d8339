"""What the frameworks' applications share."""

# ruff: noqa: D102 - what a method does stands once, in `Subject`

from __future__ import annotations

from typing import Any, TypeVar

from bench.asgi import Asgi
from bench.subject import Subject

SECRET = "0123456789abcdef" * 4

S = TypeVar("S", bound=Subject)
Subjects = tuple[type[Subject], ...]


def over(kind: type[S], *stores: str) -> tuple[type[S], ...]:
    """Return the same subject over each of these stores."""
    return tuple(type(f"{kind.__name__}-{store}", (kind,), {"store": store}) for store in stores)


class Ours(Subject):
    """Sojourn: what has a manager closes it."""

    name = "Sojourn"
    ours = True
    manager: Any

    def close(self) -> None:
        if isinstance(self, Asgi):
            self.loop.run(self.manager.close())
        else:
            self.manager.close()
        super().close()
