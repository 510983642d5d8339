"""Compares values for a merge, within a limit on the time that this may take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

Marker = Callable[[Any], bytes]
"""Returns the mark of a value: bytes that are equal for values equal in type and order too."""

PLAIN = frozenset({int, str, bytes, bool, type(None)})
"""Types whose values are the same if they are equal, so that no marks are needed."""

LIMIT = 0.4
"""Seconds of processor time that all merges of one release may take."""
CHECKED_AFTER = 1000
"""Microseconds of estimated work after which the clock is read."""
CHUNK = 2000
"""The number of values that are marked between two looks at the clock."""


class TooMuchWork(Exception):
    """The time limit of the merge was reached."""


class Comparer:
    """Compares values by their marks, within a limit on the processor time.

    The time is measured, since marks of some values take twenty times as long as those of others.
    """

    def __init__(self, mark: Marker, seconds: float = LIMIT) -> None:
        """Set the limit in seconds of this thread's processor time.

        The time starts when the clock is first read.
        """
        self._mark = mark
        self._seconds = seconds
        self._until: float | None = None
        self._unchecked = 0

    def spend(self, work: int) -> None:
        """Count work that is about to be done.  Raises TooMuchWork when the time is used up.

        work: a rough estimate in microseconds.  The clock is read only now and then, since reading
        it takes time too.
        """
        self._unchecked += work
        if self._unchecked > CHECKED_AFTER:
            # Not the time of day: other threads and a busy machine must not shorten the work.
            now = time.thread_time()
            if self._until is None:
                self._until = now + self._seconds
            # The announced work counts as well: one large step could exceed the limit by far.
            if now + work / 1e6 > self._until:
                raise TooMuchWork
            self._unchecked = 0

    def mark(self, value: Any) -> bytes:
        """Return the mark of a value."""
        data = self._mark(value)
        # One microsecond for the call, and one for 20 bytes.  It is spent after the work, since the
        # size is not known before.
        self.spend(1 + len(data) // 20)
        return data

    def marks(self, values: Iterable[Any]) -> list[bytes]:
        """Return the marks of several values."""
        found: list[bytes] = []
        rest = iter(values)
        while chunk := [*map(self._mark, islice(rest, CHUNK))]:
            found += chunk
            self.spend(len(chunk))
        return found

    def same(self, value: Any, other: Any) -> bool:
        """Whether two values are equal in type and order too."""
        if type(value) is not type(other):
            return False
        if type(value) in PLAIN:
            return bool(value == other)
        return self.mark(value) == self.mark(other)
