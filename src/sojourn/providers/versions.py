"""Versions: each change of a stored record gets a number that no other change has.

A version therefore identifies the write that produced a record.  If the answer to a write is lost, the
writer reads the record and compares versions: it can tell its own from one that another process
wrote with exactly the same bytes.  And if a store loses its last writes, as in a failover to a replica
that lags, no later write has the version of a lost one: a request that has read a lost record, and
swaps it afterwards, does not overwrite another.  Each process counts up from its own starting point.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from hashlib import blake2b
from itertools import count
from platform import node

from sojourn._processes import PerProcess

STEP = 1024
"""The distance of two versions: a provider that counts up from one, by `version + 1`, needs many
writes to reach another."""


def _counter() -> Callable[[], int]:
    """Return a counter whose start no other process uses, on this machine or another."""
    # Process ids repeat, across machines, containers and reboots: the host name, the time and the
    # address of an object make the start distinct.
    place = f"{node()} {os.getpid()} {time.time_ns()} {id(object())}"
    digest = blake2b(place.encode(), digest_size=8).digest()
    # Stored forms hold 62 bits; a start of 61 bits leaves room to count up.
    start = int.from_bytes(digest) >> 3
    return count(start - start % STEP, STEP).__next__


# A child of `fork` must not count on from the parent's number: both would use the same versions.
_next = PerProcess(_counter)


def own_version() -> int:
    """Return a version that no other call returns, in this process or another."""
    return _next()()
