"""Which sessions are whose, for the file provider: an empty file for each.

`<path>/ab/<digest of the user>.<id>`: the user's name could be anything, so its digest stands for
it, and spreads the markers over folders.  A marker is a hint; the session's own file is the truth.
"""

from __future__ import annotations

import contextlib
import hashlib
import os

from sojourn.providers.leaf import entries, make_folder, sync_folder


class Markers:
    """The markers in a folder of their own."""

    def __init__(self, path: str, *, fsync: bool) -> None:
        self._path = path
        self._fsync = fsync

    def add(self, user: str, id: str) -> None:
        """Mark a session as the user's."""
        path = self._marker(user, id)
        folder = os.path.dirname(path)
        make_folder(self._path, fsync=self._fsync)
        make_folder(folder, fsync=self._fsync)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600))
        if self._fsync:
            sync_folder(folder)

    def remove(self, user: str, id: str) -> None:
        """Take the mark away, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._marker(user, id))

    def of(self, user: str) -> set[str]:
        """Return the ids of the sessions marked as the user's."""
        folder, prefix = os.path.split(self._marker(user, ""))
        names = (entry.name for entry in entries(folder))
        return {name[len(prefix) :] for name in names if name.startswith(prefix)}

    def _marker(self, user: str, id: str) -> str:
        digest = hashlib.sha256(user.encode()).hexdigest()
        return f"{self._path}/{digest[:2]}/{digest}.{id}"
