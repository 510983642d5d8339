"""A provider that keeps sessions in the memory of one process.

Sessions are lost when the process ends, and are never evicted before they expire.  Each session is
one bytes object under a bytes key: Python's garbage collector does not track dicts of bytes, so
even a million sessions add nothing to its work.  The version at the end of these bytes tells an
update whether the record is still the one that its caller has read.  Three indexes are kept beside
the sessions and are updated under one lock: sessions by expiry, tombstones by expiry, and session
ids by user.

The sessions are divided into 256 parts by the first byte of their ids, since all writes wait while
a dict grows or its keys are copied: with a million sessions in one dict, for 0.2 seconds.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from itertools import count, islice
from struct import Struct
from threading import Lock

from sojourn._processes import PerProcess
from sojourn.providers.base import followed
from sojourn.providers.serialization import expiry, pack_as, unpack_own
from sojourn.record import GONE, Changes, Merged, Outcome, Record, is_live, merge

_VERSION = Struct(">q")
"""The end of a record's stored form."""
_version = _VERSION.unpack_from

PARTS = 256
"""The number of dicts that hold the sessions: one for each first byte of an id."""
WIDTH = 8.0
"""The width of a bucket of a schedule: the seconds within which expiries share one bucket."""


class MemoryProvider:
    """Stores records in this process's memory; its threads and managers may share an instance."""

    blocking = False
    """False: no method waits for I/O, so an AsyncManager calls it directly, not in a thread."""
    shared = False
    """False: no other process can reach the records, so each one sweeps its own."""

    def __init__(self) -> None:
        self._frames: list[dict[bytes, bytes]] = [{} for _ in range(PARTS)]
        self._births = count(id(self))
        self._lock = PerProcess(Lock, self._take_over)
        self._index()

    def read(self, id: str) -> Record | None:
        """See `Provider.read`.  Takes no lock, since a record is replaced in one step."""
        key = bytes.fromhex(id)
        frame = self._frames[key[0]].get(key)
        return None if frame is None else unpack_own(id, frame)

    def create(self, record: Record) -> bool:
        """See `Provider.create`."""
        key = bytes.fromhex(record.id)
        part = self._frames[key[0]]
        with self._lock():
            if key in part:
                return False
            # The versions of each record count up from a number far from that of any other, so
            # they also differ from those of a record that was stored under the same id before, or
            # in another provider.
            part[key] = _frame(record, (next(self._births) & 0x3FFFFFFF) << 32)
            self._list(record)
            return True

    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """See `Provider.update`.  Merges under the lock.

        A record of the stored version is taken for the stored record, which is then not decoded.
        """
        key = bytes.fromhex(record.id)
        part = self._frames[key[0]]
        with self._lock():
            frame = part.get(key)
            if frame is None:
                return GONE
            same = _version(frame, len(frame) - _VERSION.size)[0] == record.version
            stored = record if same else unpack_own(record.id, frame)
            merged = merge(stored, changes)
            if not isinstance(merged, Merged):
                return merged
            if merged.record is None:
                self._remove(stored)
            elif merged.tombstone is None:
                self._replace(stored, merged.record)
            else:
                self._move(stored, merged.record, merged.tombstone)
            return merged.outcome

    def destroy(self, id: str) -> Record | None:
        """See `Provider.destroy`."""
        with self._lock():
            record = self.read(id)
            if record is not None:
                self._remove(record)
            return record

    def find(self, user: str | None, now: float) -> Iterator[Record]:
        """See `Provider.find`.  Reads each record when it is yielded."""
        for keys in self._listed(user):
            ids = dict.fromkeys(key.hex() for key in keys)
            for id in ids:
                record = followed(self.read, id, ids.__contains__)
                if record is not None and is_live(record, now):
                    yield record

    def count(self, now: float) -> int:
        """See `Provider.count`.  Looks only at sessions that expire within seconds of `now`."""
        with self._lock():
            expired = sum(map(len, self._sessions.before(now)))
            expired += sum(1 for _ in self._expired(self._sessions.at(now), now))
            return self._sessions.size - expired

    def gc(self, now: float, limit: int) -> int:
        """See `Provider.gc`.  The cost grows with the number of expired records only."""
        with self._lock():
            removed = 0
            for schedule in (self._sessions, self._tombstones):
                for bucket in (*schedule.before(now), schedule.at(now)):
                    # A list, since removing a key changes the bucket that the iterator walks.
                    for key in list(islice(self._expired(bucket, now), limit - removed)):
                        self._remove(unpack_own(key.hex(), self._frames[key[0]][key]))
                        removed += 1
            return removed

    def close(self) -> None:
        """Keep all sessions: they last as long as the process."""

    def _take_over(self, lock: Lock) -> None:
        """Rebuild the indexes in a forked child if a thread of the parent was changing them."""
        # A thread of the parent held the lock during the fork, and does not exist in this child:
        # the frames are complete, since each change of them is one step, but the indexes may be
        # half updated.
        if lock.locked():
            with self._lock():
                self._index()

    def _index(self) -> None:
        """Build the indexes from the stored records, which are authoritative."""
        self._sessions = _Schedule()
        self._tombstones = _Schedule()
        self._users: dict[str, dict[bytes, None]] = {}
        for part in self._frames:
            for key, frame in part.items():
                self._list(unpack_own(key.hex(), frame))

    def _listed(self, user: str | None) -> Iterator[list[bytes]]:
        """Yield the keys of a user, or the keys of all sessions part by part.

        A move stays in its part, so the keys of one part tell whether a successor is listed too.
        """
        # Copies, since the caller may take any time between two records.
        if user is not None:
            with self._lock():
                keys = [*self._users.get(user, ())]
            yield keys
            return
        for part in self._frames:
            with self._lock():
                keys = [*part]
            yield keys

    def _expired(self, bucket: dict[bytes, None], now: float) -> Iterator[bytes]:
        return (key for key in bucket if expiry(self._frames[key[0]][key]) <= now)

    def _schedule_of(self, record: Record) -> _Schedule:
        return self._sessions if record.successor is None else self._tombstones

    def _list(self, record: Record) -> None:
        key = bytes.fromhex(record.id)
        self._schedule_of(record).add(key, record.expires)
        if record.user is not None:
            # A dict in place of a set, which the garbage collector would track (see above).
            self._users.setdefault(record.user, {})[key] = None

    def _replace(self, old: Record, new: Record) -> None:
        """Store a changed record; reschedule it only if its expiry is in another bucket."""
        # The user is the same: only a move can change it, and a move adds a new record.
        key = bytes.fromhex(old.id)
        self._frames[key[0]][key] = _frame(new, new.version)
        if new.expires != old.expires and new.expires // WIDTH != old.expires // WIDTH:
            self._sessions.discard(key, old.expires)
            self._sessions.add(key, new.expires)

    def _move(self, old: Record, new: Record, tombstone: Record) -> None:
        """Replace a session by its tombstone and a record under its new id."""
        # In one step: `read` takes no lock, and a forked child goes on from what is stored.  Both ids
        # begin with the same byte (see `Move`), so the records are in one part.
        both = {
            bytes.fromhex(record.id): _frame(record, record.version) for record in (new, tombstone)
        }
        self._frames[bytes.fromhex(old.id)[0]].update(both)
        self._unlist(old)
        self._list(new)
        self._list(tombstone)

    def _remove(self, record: Record) -> None:
        key = bytes.fromhex(record.id)
        del self._frames[key[0]][key]
        self._unlist(record)

    def _unlist(self, record: Record) -> None:
        key = bytes.fromhex(record.id)
        self._schedule_of(record).discard(key, record.expires)
        if record.user is not None:
            mine = self._users[record.user]
            del mine[key]
            if not mine:
                del self._users[record.user]


def _frame(record: Record, version: int) -> bytes:
    """Return the stored form of a record.  Decoding ignores the bytes at the end."""
    return pack_as(record, version) + _VERSION.pack(version)


class _Schedule:
    """Keys ordered by expiry, in buckets that are `WIDTH` seconds wide.

    A session that is used often gets a new expiry often.  Within one bucket that costs nothing.
    """

    def __init__(self) -> None:
        self._buckets: dict[float, dict[bytes, None]] = {}
        self._order: list[float] = []
        self.size = 0

    def add(self, key: bytes, expires: float) -> None:
        """Add a key that expires at `expires`."""
        number = expires // WIDTH
        # The sorted list holds the numbers of buckets, not keys: it stays short with many sessions.
        if number not in self._buckets:
            self._buckets[number] = {}
            insort(self._order, number)
        self._buckets[number][key] = None
        self.size += 1

    def discard(self, key: bytes, expires: float) -> None:
        """Remove a key that was added with this expiry, or another one in the same bucket."""
        number = expires // WIDTH
        bucket = self._buckets[number]
        del bucket[key]
        self.size -= 1
        if not bucket:
            del self._buckets[number]
            del self._order[bisect_left(self._order, number)]

    def before(self, now: float) -> list[dict[bytes, None]]:
        """Return the buckets in which every key has expired."""
        past = self._order[: bisect_left(self._order, now // WIDTH)]
        return [self._buckets[number] for number in past]

    def at(self, now: float) -> dict[bytes, None]:
        """Return the bucket in which some keys may have expired."""
        return self._buckets.get(now // WIDTH, {})
