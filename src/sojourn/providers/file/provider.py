"""A provider that stores each session in a file: `<path>/x/s/xsnk…`.

The two levels of folders are the first two hex digits of the id.  The file's content is
authoritative.  Its mtime is a hint of the expiry, and a tombstone is marked by mode 0400, so that
gc and count need not open files.  For a user's session there is also an empty marker file,
`<path>/users/ab/<digest of the user>.<id>`.  It is written before the session and deleted after
it, so a marker may exist without its session, but never the reverse.

A session's old and new id share their first two digits, so a move happens in one locked folder:
the new record is written, then the tombstone replaces the old record.  If the second step fails,
the new record is deleted.  Once the last file is renamed or deleted, the change has happened;
a failed cleanup after that is not an error.

Folders have mode 0700 and files 0600.  Files whose name is not an id are skipped.  A symbolic link
in the place of a folder or file is not followed; it affects only the sessions stored there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from sojourn.errors import CorruptRecord, OutcomeUnknown, StoreError, StoreUnavailable
from sojourn.providers.base import followed
from sojourn.providers.file.locked_folder import (
    NEW,
    Folder,
    InTheWay,
    read,
    read_nowait,
    refusal,
)
from sojourn.providers.file.tree import Tree, supports_nowait, translated, usable
from sojourn.providers.file.user_index import UserIndex
from sojourn.providers.serialization import pack, unpack
from sojourn.record import Changes, Merged, Outcome, Record, is_id, is_live, merge

LIVE, TOMBSTONE = 0o600, 0o400
DIGITS = "0123456789abcdef"
FOLDERS = [f"{a}/{b}" for a in DIGITS for b in DIGITS]
"""The 256 folders that hold session files, relative to the provider's path."""
USERS = "users"


class Sweep:
    """One batch of `gc`: how many files it deleted, and the first error, raised at the end."""

    def __init__(self, now: float, limit: int, trouble: StoreError | None) -> None:
        self.now = now
        self.limit = limit
        self.trouble = trouble
        self.removed = 0

    @contextlib.contextmanager
    def noting(self, path: str) -> Iterator[None]:
        """Record an error raised in the block, and continue.

        A foreign object in the place of a folder is not an error, nor is a file that was deleted in
        the meantime.
        """
        try:
            yield
        except (InTheWay, FileNotFoundError):
            return
        except OSError as error:
            if self.trouble is None:
                self.trouble = refusal(error, path)
                self.trouble.__cause__ = error
        except StoreError as error:
            self.trouble = self.trouble or error


class FileProvider:
    """Stores records as files in a folder, which any number of processes may share."""

    def __init__(self, path: str | os.PathLike[str], *, fsync: bool = False) -> None:
        """Check the path, and create nothing: the folder is made when the first session is stored.

        path: the folder for the sessions.  Raises ConfigError if it cannot hold any.
        fsync: whether to wait for the disk at each write.  With it, acknowledged changes survive a
            power failure; without it, they survive only the death of the process.
        """
        self._path = usable(path)
        self._tree = Tree(self._path, fsync=fsync)
        self._users = UserIndex(self._tree, USERS)
        self._nowait = supports_nowait(self._path)
        self._reached: tuple[float, int, StoreError | None] = 0.0, 0, None
        """The last sweep: its `now`, the index of the folder it reached, and its first error."""

    @translated
    def read(self, id: str) -> Record | None:
        """See `Provider.read`.  Takes no lock."""
        try:
            data = read(f"{self._path}/{id[0]}/{id[1]}/{id}")
        # A file is in the place of a folder: `check` below raises InTheWay for it.
        except NotADirectoryError:
            data = None
        if not data:
            # A foreign object in the place of a folder also makes the file look absent.  This must
            # raise InTheWay: an absent session would log the visitor out.
            self._tree.check(_folder_of(id))
        return None if data is None else unpack(id, data)

    def read_nowait(self, id: str) -> Record | None:
        """See `ReadsNowait.read_nowait`.  Reads what the system has in its cache."""
        if not self._nowait:
            raise BlockingIOError
        try:
            data = read_nowait(f"{self._path}/{id[0]}/{id[1]}/{id}")
        except FileNotFoundError:
            data = None
        except OSError as error:
            # A folder may lead to another file system, by a link or a mount.
            if error.errno == errno.EOPNOTSUPP:
                self._nowait = False
            raise BlockingIOError from error
        if data is None:
            try:
                self._tree.check(_folder_of(id))  # as in `read`
            except OSError as error:
                raise BlockingIOError from error  # `read` raises the StoreUnavailable for it
            return None
        return unpack(id, data)

    @translated
    def create(self, record: Record) -> bool:
        """See `Provider.create`.  Writes the file and its marker, or neither."""
        with self._tree.make(_folder_of(record.id)).locked() as folder:
            if folder.has(record.id):
                return False
            self._add(folder, record)
            return True

    @translated
    def update(self, record: Record, changes: Changes) -> Outcome | Record:
        """See `Provider.update`.  Merges under the lock of the folder."""
        id = record.id
        try:
            folder = self._tree.open(_folder_of(id)).locked()
        except FileNotFoundError:
            return Outcome.GONE
        with folder:
            stored = _record_in(folder, id)
            merged = merge(stored, changes)
            if stored is None or not isinstance(merged, Merged):
                return merged if isinstance(merged, Record) else Outcome.GONE
            self._store(folder, stored, merged)
            return merged.outcome

    @translated
    def destroy(self, id: str) -> Record | None:
        """See `Provider.destroy`.  A file that cannot be read is deleted too."""
        try:
            folder = self._tree.open(_folder_of(id)).locked()
        except FileNotFoundError:
            return None
        with folder:
            try:
                record = _record_in(folder, id)
            except CorruptRecord:
                # The user of an unreadable record is unknown; `find` deletes the marker later.
                record = Record(id, {}, 0.0, 0.0, 0.0)
            if record is not None:
                self._delete(folder, record)
            return record

    def find(self, user: str | None, now: float) -> Iterator[Record]:
        """See `Provider.find`.  Skips sessions whose folder is blocked by a foreign file."""
        # All sessions are listed folder by folder: a move stays in its folder, so `followed` can
        # decide from the ids of one folder whether the successor is listed by itself.
        for ids in map(self._ids, FOLDERS) if user is None else [self._marked(user)]:
            for id in ids:
                try:
                    record = followed(self.read, id, ids.__contains__)
                except (CorruptRecord, InTheWay):
                    continue
                if record is not None and is_live(record, now) and user in (None, record.user):
                    yield record
                # Not for an expired session of this user, whose marker `gc` deletes with its file.
                elif user is not None and (record is None or record.user != user):
                    self._repair(user, id)

    @translated
    def count(self, now: float) -> int:
        """See `Provider.count`.  Relies on the hints in mode and mtime, and opens no file."""
        live = 0
        for folder in FOLDERS:
            for name, status in self._statuses(folder):
                if stat.S_ISREG(status.st_mode) and status.st_mode & stat.S_IWUSR:
                    # A file without the owner's write permission is a tombstone.
                    live += status.st_mtime > now and _belongs(name, folder)
        return live

    def gc(self, now: float, limit: int) -> int:
        """See `Provider.gc`.  Calls with the same `now` form one sweep over all folders.

        An error in one folder does not keep the sweep from the others; it is raised at the end.
        """
        swept_for, reached, trouble = self._reached
        if swept_for != now:
            reached, trouble = 0, None
        sweep = Sweep(now, limit, trouble)
        for number in range(reached, len(FOLDERS)):
            with sweep.noting(self._path):
                self._sweep(FOLDERS[number], sweep)
            # The limit may have left expired files in this folder, so the next call starts with it.
            if sweep.removed >= limit:
                self._reached = now, number, sweep.trouble
                return sweep.removed
        self._reached = now, 0, None
        if sweep.trouble is not None:
            raise sweep.trouble
        return sweep.removed

    @translated
    def check(self) -> list[str]:
        """Return warnings about unsafe permissions, and about foreign files among the folders."""
        unsafe = []
        with contextlib.suppress(FileNotFoundError):  # nothing was written yet
            if os.stat(self._path).st_mode & 0o022:
                unsafe.append(f"{self._path} can be written by others: chmod 0700 it")
        in_the_way = set[str]()
        for folder in [USERS, *DIGITS, *FOLDERS]:
            try:
                self._tree.open(folder).close()
            except FileNotFoundError:
                continue
            except InTheWay as error:
                in_the_way.add(str(error))
        return [*unsafe, *sorted(in_the_way)]

    def close(self) -> None:
        """Do nothing: no descriptor is held open between calls."""

    # -- reading --------------------------------------------------------------------------------

    @translated
    def _ids(self, folder: str) -> set[str]:
        return {name for name, _ in self._statuses(folder) if _belongs(name, folder)}

    @translated
    def _marked(self, user: str) -> set[str]:
        return self._users.of(user)

    def _statuses(self, folder: str) -> Iterator[tuple[str, os.stat_result]]:
        """Yield name and status of each file in a folder; yield nothing if it is not a folder."""
        with contextlib.suppress(InTheWay):
            yield from self._tree.statuses(folder)

    @translated
    def _repair_locked(self, user: str, id: str) -> None:
        """Delete a marker, unless its session exists and belongs to the user."""
        # A writer adds the marker before the record, with this lock held.  Without the lock, the
        # marker of a session that is being created could be deleted here.
        with self._tree.make(_folder_of(id)).locked() as folder:
            record = _record_in(folder, id)
            if record is None or record.user != user:
                self._users.remove(user, id)

    def _repair(self, user: str, id: str) -> None:
        """Delete a marker that a killed process left, unless a session is about to use it."""
        with contextlib.suppress(StoreError, CorruptRecord):
            self._repair_locked(user, id)

    # -- writing --------------------------------------------------------------------------------

    def _store(self, folder: Folder, old: Record, merged: Merged) -> None:
        """Write the result of a merge: delete the record, replace it, or move it."""
        if merged.record is None:
            self._delete(folder, old)
        elif merged.tombstone is None:
            _write(folder, merged.record)
            folder.settle()
        else:
            self._move(folder, old, merged.record, merged.tombstone)

    def _add(self, folder: Folder, record: Record) -> None:
        """Write a new record and its marker, or neither."""
        try:
            if record.user is not None:
                self._users.add(record.user, record.id)
            _write(folder, record)
            folder.settle()
        # These two mean that no file was written, so the marker has no session.
        except (OSError, StoreUnavailable):
            self._unmark(record)
            raise
        except OutcomeUnknown as error:
            # The file may or may not be there; deleting it makes sure that nothing is stored.
            self._take_back(folder, record, error)
            raise StoreUnavailable(str(error)) from error

    def _move(self, folder: Folder, old: Record, new: Record, tombstone: Record) -> None:
        """Write the new record, then replace the old one by its tombstone; or change nothing."""
        # Both files must be in the one folder whose lock is held.
        if new.id[:2] != old.id[:2]:
            raise StoreError("a session moves only to an id with the same first two digits")
        # `_add` leaves nothing behind if it fails, so the old record is still valid then.
        self._add(folder, new)
        try:
            _write(folder, tombstone)
        except OSError as error:
            self._take_back(folder, new, error)
            raise
        # The tombstone has its name now, so the move has happened and is not reversed.
        folder.settle()
        self._unmark(old)

    def _take_back(self, folder: Folder, record: Record, error: Exception) -> None:
        """Delete a new record after an error.

        Raises OutcomeUnknown if deleting it fails too.  The record then remains and is listed until
        it expires, although no client has a token for it.
        """
        try:
            folder.withdraw(record.id)
            folder.settle()
        except (OSError, StoreError) as another:
            raise OutcomeUnknown(
                f"{folder.path} refused a change, and then to undo it ({another}): "
                f"the session {record.id}, of which nobody has the token, may stay until it expires"
            ) from error
        self._unmark(record)

    def _delete(self, folder: Folder, record: Record) -> None:
        # The file is deleted first: a marker without a session is harmless, the reverse is not.
        folder.remove(record.id)
        folder.settle()
        self._unmark(record)

    def _unmark(self, record: Record) -> None:
        if record.user is not None:
            self._users.remove(record.user, record.id)

    # -- gc -------------------------------------------------------------------------------------

    def _sweep(self, name: str, sweep: Sweep) -> None:
        """Delete the expired files in a folder, and temporary files that killed writers left."""
        # Listed without the lock, so that a folder with nothing to delete is not locked at all.
        due = self._due(name, sweep.now)
        if not due:
            return
        with self._tree.open(name).locked() as folder:
            for id in due:
                if id.startswith(NEW):
                    folder.remove(id)
                elif sweep.removed < sweep.limit:
                    with sweep.noting(folder.path):
                        sweep.removed += self._sweep_one(folder, id, sweep.now)

    def _due(self, name: str, now: float) -> list[str]:
        """Return the files that seem expired by their mtime, and leftover temporary files."""
        due = []
        for id, status in self._statuses(name):
            hinted = status.st_mtime <= now and _belongs(id, name)
            if (hinted or id.startswith(NEW)) and not stat.S_ISDIR(status.st_mode):
                due.append(id)
        return due

    def _sweep_one(self, folder: Folder, id: str, now: float) -> bool:
        """Delete a file if its record has expired; correct its mtime if only that has passed."""
        try:
            record = _record_in(folder, id)
        except CorruptRecord:
            folder.remove(id)  # its content is unreadable, so its mtime decides
            return True
        if record is None:
            return False
        if record.expires > now:
            folder.set_mtime(id, record.expires)
            return False
        self._delete(folder, record)
        return True


def _folder_of(id: str) -> str:
    """Return the folder in which the session with this id is stored."""
    return f"{id[0]}/{id[1]}"


def _belongs(name: str, folder: str) -> bool:
    """Whether a file of this name could be a session stored in that folder."""
    return is_id(name) and _folder_of(name) == folder


def _record_in(folder: Folder, id: str) -> Record | None:
    """Return the record in a folder, or None if there is none."""
    data = folder.read(id)
    return None if data is None else unpack(id, data)


def _write(folder: Folder, record: Record) -> None:
    """Write a record, with mode and mtime as the hints for `count` and `gc`."""
    mode = LIVE if record.successor is None else TOMBSTONE
    folder.write(record.id, pack(record), mode, record.expires)
