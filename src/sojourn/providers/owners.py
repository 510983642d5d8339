"""The owner of a file or folder, and write permission, for the messages of permission errors."""

from __future__ import annotations

import os
from contextlib import suppress

# By default os.access checks the real user, but files are opened as the effective user.
_BY_EFFECTIVE_IDS = os.access in os.supports_effective_ids


def may_write(path: str) -> bool:
    """Whether this process may read and write the file or folder."""
    return os.access(path, os.R_OK | os.W_OK, effective_ids=_BY_EFFECTIVE_IDS)


def whose(path: str) -> str:
    """Return an addition to an error message: which part of a path belongs to another user.

    The part is the last one on the path that this process can look at.  Returns "" if this process
    owns that part or may write it, since the error then has another cause, and on systems without
    file owners.
    """
    if not hasattr(os, "geteuid"):
        return ""
    while True:
        try:
            owner = os.lstat(path).st_uid
            break
        except OSError:  # absent, or in a folder that this process may not enter
            if path == os.path.dirname(path):
                return ""
            path = os.path.dirname(path)
    if may_write(path) or owner == os.geteuid():
        return ""
    return f" ({path} belongs to {_name(owner)}, and this process runs as {_name(os.geteuid())})"


def _name(user: int) -> str:
    """Return the login name of a user id, or the number if it has none."""
    # Imported here, since Windows has no such module.
    import pwd

    with suppress(KeyError):
        return pwd.getpwuid(user).pw_name
    return f"user {user}"
