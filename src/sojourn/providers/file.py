"""Sessions in files: `<path>/x/s/xsnk…`, two levels of folders from the id's first two digits.

What the file holds is the truth.  Its mtime is a hint of its expiry, and a tombstone is a file
that its owner may not write (mode 0400), so that gc and count open nothing.  An empty file
`<path>/users/ab/<digest of the user>.<id>` marks whose session it is: it is written before the
session and taken away after it, so that it may be one too many but is never missing.

An old and a new id share their first two digits, so a move happens in one locked folder.  Folders
are 0700 and files 0600; names come only from ids, which are hex digits.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from stat import S_IWUSR

from sojourn.errors import CorruptRecord, StoreError
from sojourn.providers.base import followed
from sojourn.providers.frame import pack, unpack
from sojourn.providers.leaf import (
    NEW,
    Leaf,
    entries,
    make_folder,
    read,
    statuses,
    translated,
    usable,
)
from sojourn.providers.markers import Markers
from sojourn.record import Changes, Merged, Outcome, Record, is_live, merge

LIVE, TOMBSTONE = 0o600, 0o400
LEAVES = [f"{a}/{b}" for a in "0123456789abcdef" for b in "0123456789abcdef"]


class FileProvider:
    """Keeps records as files in a folder; any number of processes may share it."""

    def __init__(self, path: str | os.PathLike[str], *, fsync: bool = False) -> None:
        """Open the folder, making it if it is not there; raise ConfigError if it is no use.

        fsync: wait for the disk at each write, so that what was acknowledged survives a power
            failure.  Without it, it survives the death of the process.
        """
        self._path = usable(path)
        self._markers = Markers(f"{self._path}/users", fsync=fsync)
        self._fsync = fsync
        self._reached = 0.0, 0

    @translated
    def read(self, id: str) -> Record | None:
        """As the contract says; takes no lock."""
        data = read(f"{self._path}/{id[0]}/{id[1]}/{id}")
        return None if data is None else unpack(id, data)

    @translated
    def create(self, record: Record) -> bool:
        """As the contract says."""
        with self._leaf(record.id) as leaf:
            if leaf.has(record.id):
                return False
            self._put(leaf, record)
            return True

    @translated
    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """As the contract says: a merge under the folder's lock."""
        id = record.id
        try:
            leaf = Leaf(self._folder(id))
        except FileNotFoundError:
            return Outcome.GONE
        with leaf:
            stands = _record_in(leaf, id)
            merged = merge(stands, changes)
            if stands is None or not isinstance(merged, Merged):
                return merged if isinstance(merged, Record) else Outcome.GONE
            self._make_so(leaf, stands, merged)
            return merged.outcome

    @translated
    def destroy(self, id: str) -> Record | None:
        """As the contract says; what cannot be read is taken away too."""
        try:
            leaf = Leaf(self._folder(id))
        except FileNotFoundError:
            return None
        with leaf:
            try:
                record = _record_in(leaf, id)
            except CorruptRecord:
                record = Record(id, {}, 0.0, 0.0, 0.0)
            if record is not None:
                self._take(leaf, record)
            return record

    def find(self, user: str | None, now: float) -> Iterator[Record]:
        """As the contract says."""
        for ids in map(self._names, LEAVES) if user is None else [self._marked(user)]:
            for id in ids:
                try:
                    record = followed(self.read, id, ids.__contains__)
                except CorruptRecord:
                    continue
                if record is not None and is_live(record, now) and user in (None, record.user):
                    yield record
                elif user is not None and (record is None or record.user != user):
                    self._unmark(user, id)

    @translated
    def count(self, now: float) -> int:
        """As the contract says, by the hints."""
        live = 0
        for leaf in LEAVES:
            for name, status in statuses(f"{self._path}/{leaf}"):
                is_session = name != NEW and bool(status.st_mode & S_IWUSR)
                live += is_session and status.st_mtime > now
        return live

    @translated
    def gc(self, now: float, limit: int) -> int:
        """As the contract says; a sweep in batches, all for one `now`, goes around once."""
        swept_for, reached = self._reached
        removed = 0
        for number in range(reached if swept_for == now else 0, len(LEAVES)):
            removed += self._sweep(LEAVES[number], now, limit - removed)
            if removed >= limit:
                self._reached = now, number  # there may be more in this folder
                return removed
        self._reached = now, 0
        return removed

    def check(self) -> list[str]:
        """Say what is unsafe about the folder."""
        mode = os.stat(self._path).st_mode
        if mode & 0o022:
            return [f"{self._path} can be written by others: chmod 0700 it"]
        return []

    def close(self) -> None:
        """Nothing is held open between calls."""

    # -- files -------------------------------------------------------------------------------

    def _folder(self, id: str) -> str:
        return f"{self._path}/{id[0]}/{id[1]}"

    def _leaf(self, id: str) -> Leaf:
        """The locked folder of an id, made if it is not there."""
        path = self._folder(id)
        try:
            return Leaf(path)
        except FileNotFoundError:
            for folder in (self._path, os.path.dirname(path), path):
                make_folder(folder, fsync=self._fsync)
            return Leaf(path)

    @translated
    def _names(self, leaf: str) -> set[str]:
        found = entries(f"{self._path}/{leaf}")
        return {entry.name for entry in found if entry.name != NEW}

    @translated
    def _marked(self, user: str) -> set[str]:
        return self._markers.of(user)

    def _put(self, leaf: Leaf, record: Record) -> None:
        if record.user is not None:
            self._markers.add(record.user, record.id)
        mode = LIVE if record.successor is None else TOMBSTONE
        leaf.write(record.id, pack(record), mode, record.expires, fsync=self._fsync)

    def _take(self, leaf: Leaf, record: Record) -> None:
        leaf.remove(record.id)
        if self._fsync:
            os.fsync(leaf.fd)
        if record.user is not None:
            self._markers.remove(record.user, record.id)

    def _make_so(self, leaf: Leaf, old: Record, merged: Merged) -> None:
        if merged.record is None:
            self._take(leaf, old)
        elif merged.tombstone is None:
            mode, expires = LIVE, merged.record.expires
            leaf.write(old.id, pack(merged.record), mode, expires, fsync=self._fsync)
        else:
            if merged.record.id[:2] != old.id[:2]:
                raise StoreError("a session moves only to an id with the same first two digits")
            self._put(leaf, merged.record)
            self._put(leaf, merged.tombstone)
            if old.user is not None:
                self._markers.remove(old.user, old.id)

    def _sweep(self, name: str, now: float, limit: int) -> int:
        """Take away what has expired in one folder, and what a killed writer left."""
        path = f"{self._path}/{name}"
        found = statuses(path)
        due = [id for id, status in found if id == NEW or status.st_mtime <= now]
        if not due:
            return 0
        removed = 0
        with Leaf(path) as leaf:
            for id in due:
                if id == NEW:
                    leaf.remove(NEW)
                elif removed < limit:
                    removed += self._sweep_one(leaf, id, now)
        return removed

    def _sweep_one(self, leaf: Leaf, id: str, now: float) -> bool:
        """Take one away if it has expired indeed; if the hint was wrong, put it right."""
        try:
            record = _record_in(leaf, id)
        except CorruptRecord:
            leaf.remove(id)  # its time by the hint, which is all there is
            return True
        if record is None:
            return False
        if record.expires > now:
            leaf.set_mtime(id, record.expires)
            return False
        self._take(leaf, record)
        return True

    @translated
    def _unmark(self, user: str, id: str) -> None:
        """Take a marker away that a killed process left, unless it is about to be used."""
        with self._leaf(id) as leaf:
            try:
                record = _record_in(leaf, id)
            except CorruptRecord:
                return
            if record is None or record.user != user:
                self._markers.remove(user, id)


def _record_in(leaf: Leaf, id: str) -> Record | None:
    data = leaf.read(id)
    return None if data is None else unpack(id, data)
