"""An event loop with a time of its own, which passes only when every task waits.

So a simulated hour takes milliseconds, and the order of events does not depend on how busy the
machine is.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from typing import Any
from unittest.mock import patch


class Deadlock(Exception):
    """Every task waits, and no timer is set."""


class _Selector(selectors.SelectSelector):
    """Moves the time on, where another selector would wait for sockets."""

    on_idle: Callable[[float | None], None]

    def select(self, timeout: float | None = None) -> list[Any]:
        """Call `on_idle` if no task can run.  There are never events of sockets."""
        if timeout is None or timeout > 0:
            self.on_idle(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time starts at 0 and jumps to the next timer when every task waits."""

    def __init__(self, on_idle: Callable[[], bool] = bool) -> None:
        """on_idle: is called before each jump; True means that it has woken a task instead."""
        selector = _Selector()
        selector.on_idle = self._idle
        self.on_idle = on_idle
        self._elapsed = 0.0
        super().__init__(selector)

    def time(self) -> float:
        """Return the seconds that have passed in this loop."""
        return self._elapsed

    def run(self, main: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine to its end, with the monotonic clock of Python set to this loop's time."""
        # Sojourn looks at that clock to see whether a release has taken too long.
        with patch.object(time, "monotonic", self.time):
            return self.run_until_complete(main)

    def _idle(self, timeout: float | None) -> None:
        if self.on_idle():
            return
        if timeout is None:
            raise Deadlock("every task waits, and no timer is set")
        self._elapsed += timeout
