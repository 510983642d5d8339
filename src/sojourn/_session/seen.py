"""The sessions that this process has read or stored a short time ago.

A request counts as seen even if it does not use its session.  But "last seen" is stored once per
`touch_interval` only, so for a session in this memory there is nothing to store, and no reason to
read it.  The keys are ids, which are no secrets.
"""

from __future__ import annotations

MOST = 100_000
"""The largest number of sessions that are remembered, which takes some 20 MB."""
ENDS = 10_000
"""The largest number of ended sessions that are remembered."""

NEVER = float("-inf")
"""In place of "last seen", for a session that always has to be read.

The negative of a time stands for an id under which no session was found at that time.
"""


class Seen:
    """The stored "last seen" of sessions, by their ids, in seconds since the epoch."""

    def __init__(self, interval: float) -> None:
        """Begin with an empty memory.  interval: the `touch_interval`, in seconds."""
        self.interval = interval
        self.used = False
        """Whether requests consult it; if none does, nothing is remembered."""
        # The older half is dropped whenever the younger one is full or out of date.  So nothing has
        # to be moved or sorted, and threads can share the dicts: each step is one operation.
        self._younger: dict[str, float] = {}
        self._older: dict[str, float] = {}
        self._began = 0.0
        self.ends = 0
        """How many ends this process has noted: a clock for the order of events."""
        self._ended: dict[str, int] = {}
        self._forgotten = 0
        """How many ends had been noted when all were last forgotten."""
        self._expired: dict[str, float] = {}

    def interval_of(self, lifetime: float | None) -> float:
        """Return the seconds between two touches of a session with this lifetime of its own."""
        # `touch_interval` is chosen for `max_lifetime`; a session with a shorter lifetime of its own
        # could expire between two touches.
        return self.interval if lifetime is None else min(self.interval, lifetime / 60)

    def note(self, id: str, seen: float, lifetime: float | None, now: float) -> None:
        """Remember that a session is stored with this "last seen" and lifetime of its own."""
        self._turn(now)
        # `covers` goes by the interval of most sessions, which is too long for this one.
        if self.interval_of(lifetime) < self.interval:
            self._younger[id] = NEVER
        # Requests that began before the lifetime was set still note the session with the old one.
        elif self._younger.get(id, self._older.get(id)) != NEVER:
            self._younger[id] = seen

    def note_absence(self, id: str, now: float) -> None:
        """Remember that no session is stored under an id."""
        self._turn(now)
        self._younger[id] = -now

    def note_end(self, id: str) -> None:
        """Remember that this process has ended a session."""
        if not self.used:  # no request is under way that has not read its session
            return
        if len(self._ended) >= ENDS:
            self._ended.clear()
            self._forgotten = self.ends
        self.ends += 1
        self._ended[id] = self.ends

    def ended_since(self, id: str, ends: int) -> bool:
        """Return whether a session was ended after the process had ended so many.

        If some that were ended since are forgotten, it may be one of them, and is taken for it.
        """
        return ends < self._forgotten or self._ended.get(id, 0) > ends

    def note_expiry(self, id: str, expired: float) -> None:
        """Remember when a session expired."""
        if len(self._expired) >= ENDS:
            self._expired.clear()
        self._expired[id] = expired

    def expired_since(self, id: str, time: float) -> bool:
        """Return whether a session is known to have expired after this time."""
        return self._expired.get(id, NEVER) > time

    def covers(self, id: str, now: float) -> bool:
        """Return whether no new time has to be stored: a session was just seen, or there is none."""
        seen = self._get(id)
        if seen is None or seen == NEVER:
            return False
        since = now - abs(seen)
        # A clock that was ahead for a while has taken living sessions for expired ones.
        if seen < 0 and since <= -self.interval:
            return False
        return since < self.interval

    def _turn(self, now: float) -> None:
        """Drop the older half, if the younger one is full or out of date."""
        if now - self._began >= self.interval or len(self._younger) >= MOST // 2:
            self._older, self._younger = self._younger, {}
            self._began = now

    def _get(self, id: str) -> float | None:
        seen = self._younger.get(id)
        return self._older.get(id) if seen is None else seen
