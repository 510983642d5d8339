"""Versions: each change of a stored record gets a number that no other change has.

A version therefore identifies the write that produced a row.  If the answer to a write is lost, the
writer reads the row and compares versions: it can tell its own row from one that another process
wrote with exactly the same bytes.  Each process counts up from its own starting point.  Only new
records and the tombstones of moves keep the versions that they come with (see `writes`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from hashlib import blake2b
from itertools import count
from platform import node

from sojourn._processes import PerProcess


def _counter() -> Callable[[], int]:
    """Return a counter whose start no other process uses, on this machine or another."""
    # Process ids repeat, across machines, containers and reboots: the host name, the time and the
    # address of an object make the start distinct.
    place = f"{node()} {os.getpid()} {time.time_ns()} {id(object())}"
    digest = blake2b(place.encode(), digest_size=8).digest()
    # A BIGINT column holds 63 bits without the sign; a start of 62 bits leaves room to count up.
    return count(int.from_bytes(digest) >> 2).__next__


# A child of `fork` must not count on from the parent's number: both would use the same versions.
_next = PerProcess(_counter)


def own_version() -> int:
    """Return a version that no other call returns, in this process or another."""
    return _next()()
