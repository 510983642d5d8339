"""Sessions in the memory of one process: gone with it, and never evicted while they live.

A session is one bytes object under a bytes key, so that a million of them are no work for
Python's collector, which passes dicts of bytes by.  Beside them stand three indexes, kept exact
under one lock: which sessions expire when, which tombstones, and whose sessions are whose.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from itertools import islice
from threading import Lock

from sojourn.providers.base import followed
from sojourn.providers.frame import expiry, pack, unpack_own
from sojourn.record import Changes, Merged, Outcome, Record, is_live, merge

WIDTH = 8.0
"""Seconds of expiry that share a bucket of the schedule."""


class MemoryProvider:
    """Keeps records in this process; its threads and managers may share one."""

    blocking = False
    """No call waits for anything: an AsyncManager calls it without a thread."""

    def __init__(self) -> None:
        self._frames: dict[bytes, bytes] = {}
        self._sessions = _Schedule()
        self._tombstones = _Schedule()
        self._users: dict[str, dict[bytes, None]] = {}
        self._lock = Lock()

    def read(self, id: str) -> Record | None:
        """As the contract says; without the lock, since a frame is replaced in one step."""
        frame = self._frames.get(bytes.fromhex(id))
        return None if frame is None else unpack_own(id, frame)

    def create(self, record: Record) -> bool:
        """As the contract says."""
        with self._lock:
            if bytes.fromhex(record.id) in self._frames:
                return False
            self._add(record)
            return True

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """As the contract says: a merge under the lock."""
        with self._lock:
            stands = self.read(record.id)
            merged = merge(stands, changes)
            if stands is None or not isinstance(merged, Merged):
                return merged if isinstance(merged, Record) else Outcome.GONE
            if merged.record is None:
                self._remove(stands)
            elif merged.tombstone is None:
                self._replace(stands, merged.record)
            else:  # who reads meanwhile finds the successor before the tombstone that names it
                self._add(merged.record)
                self._unlist(stands)
                self._add(merged.tombstone)
            return merged.outcome

    def destroy(self, id: str) -> Record | None:
        """As the contract says."""
        with self._lock:
            record = self.read(id)
            if record is not None:
                self._remove(record)
            return record

    def find(self, user: str | None, now: float) -> Iterator[Record]:
        """As the contract says: the ids of this moment, their records as they are asked for."""
        with self._lock:
            keys = dict.fromkeys(self._frames if user is None else self._users.get(user, ()))
        for key in keys:
            record = followed(self.read, key.hex(), lambda id: bytes.fromhex(id) in keys)
            if record is not None and is_live(record, now):
                yield record

    def count(self, now: float) -> int:
        """As the contract says: looks closely only at what expires within seconds of `now`."""
        with self._lock:
            expired = sum(map(len, self._sessions.before(now)))
            expired += sum(1 for _ in self._expired(self._sessions.at(now), now))
            return len(self._frames) - self._tombstones.size - expired

    def gc(self, now: float, limit: int) -> int:
        """As the contract says: costs what has expired, not what lives."""
        with self._lock:
            removed = 0
            for schedule in (self._sessions, self._tombstones):
                for bucket in (*schedule.before(now), schedule.at(now)):
                    for key in list(islice(self._expired(bucket, now), limit - removed)):
                        self._remove(unpack_own(key.hex(), self._frames[key]))
                        removed += 1
            return removed

    def close(self) -> None:
        """Keep everything: the sessions end with the process."""

    def _expired(self, bucket: dict[bytes, None], now: float) -> Iterator[bytes]:
        return (key for key in bucket if expiry(self._frames[key]) <= now)

    def _schedule_of(self, record: Record) -> _Schedule:
        return self._sessions if record.successor is None else self._tombstones

    def _add(self, record: Record) -> None:
        key = bytes.fromhex(record.id)
        self._frames[key] = pack(record)
        self._schedule_of(record).add(key, record.expires)
        if record.user is not None:
            self._users.setdefault(record.user, {})[key] = None

    def _replace(self, old: Record, new: Record) -> None:
        key = bytes.fromhex(old.id)
        self._frames[key] = pack(new)
        if old.expires // WIDTH != new.expires // WIDTH:
            self._sessions.discard(key, old.expires)
            self._sessions.add(key, new.expires)

    def _remove(self, record: Record) -> None:
        del self._frames[bytes.fromhex(record.id)]
        self._unlist(record)

    def _unlist(self, record: Record) -> None:
        key = bytes.fromhex(record.id)
        self._schedule_of(record).discard(key, record.expires)
        if record.user is not None:
            mine = self._users[record.user]
            del mine[key]
            if not mine:
                del self._users[record.user]


class _Schedule:
    """Keys by when they expire, in buckets of `WIDTH` seconds."""

    def __init__(self) -> None:
        self._buckets: dict[float, dict[bytes, None]] = {}
        self._order: list[float] = []
        self.size = 0

    def add(self, key: bytes, expires: float) -> None:
        number = expires // WIDTH
        if number not in self._buckets:
            self._buckets[number] = {}
            insort(self._order, number)
        self._buckets[number][key] = None
        self.size += 1

    def discard(self, key: bytes, expires: float) -> None:
        number = expires // WIDTH
        bucket = self._buckets[number]
        del bucket[key]
        self.size -= 1
        if not bucket:
            del self._buckets[number]
            del self._order[bisect_left(self._order, number)]

    def before(self, now: float) -> list[dict[bytes, None]]:
        """The buckets in which everything has expired."""
        past = self._order[: bisect_left(self._order, now // WIDTH)]
        return [self._buckets[number] for number in past]

    def at(self, now: float) -> dict[bytes, None]:
        """The bucket in which some may have expired."""
        return self._buckets.get(now // WIDTH, {})
