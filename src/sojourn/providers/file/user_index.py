"""UserIndex of the file provider: one empty file for each session of a user.

The name is `<path>/ab/<digest of the user>.<id>`.  A user's name may contain any character, so its
digest is used instead, which also spreads the markers over folders.  A marker is a hint: the
session file itself contains the user.  A marker may exist without such a session, but
every session of a user has its marker.
"""

from __future__ import annotations

import contextlib
import hashlib

from sojourn.errors import StoreError
from sojourn.providers.file.tree import Tree
from sojourn.record import is_id


class UserIndex:
    """The markers below one folder of a tree."""

    def __init__(self, tree: Tree, folder: str) -> None:
        self._tree = tree
        self._folder = folder

    def add(self, user: str, id: str) -> None:
        """Create the marker of a user's session."""
        folder, prefix = self._place(user)
        with self._tree.make(folder) as markers:
            markers.mark(prefix + id)

    def remove(self, user: str, id: str) -> None:
        """Delete a marker.  If the system refuses, the marker stays, which does no harm.

        So it does if a symbolic link is in the place of a folder: no file is deleted through it.
        """
        folder, prefix = self._place(user)
        with contextlib.suppress(OSError, StoreError), self._tree.open(folder) as markers:
            markers.remove(prefix + id)

    def of(self, user: str) -> set[str]:
        """Return the ids of the sessions that are marked as the user's."""
        folder, prefix = self._place(user)
        # One folder holds the markers of many users, and may hold files of other programs.
        names = (entry.name for entry in self._tree.entries(folder))
        ids = {name[len(prefix) :] for name in names if name.startswith(prefix)}
        return set(filter(is_id, ids))

    def _place(self, user: str) -> tuple[str, str]:
        """Return the folder of a user's markers, and the prefix of their names."""
        digest = hashlib.sha256(user.encode()).hexdigest()
        return f"{self._folder}/{digest[:2]}", f"{digest}."
