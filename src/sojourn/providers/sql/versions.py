"""Versions: numbers of which no two writes have the same.

So a version says who wrote a row, and a writer whose answer was lost knows its own row from one
that another wrote with the very same bytes.  Each process counts on from a place of its own.
"""

from __future__ import annotations

import os
import time
from hashlib import blake2b
from itertools import count
from platform import node


class _Versions:
    """Counts; in a child of `fork` from another place than its parent."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin where no other process does, of this machine or another."""
        place = f"{node()} {os.getpid()} {time.time_ns()} {id(self)}"
        digest = blake2b(place.encode(), digest_size=8).digest()
        self.next = count(int.from_bytes(digest) >> 2).__next__  # a column has 63 bits


_versions = _Versions()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_versions.begin)


def own_version() -> int:
    """Return a version that no other write has."""
    return _versions.next()
