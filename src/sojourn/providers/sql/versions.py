"""Versions: numbers of which no two writes have the same.

So a version says who wrote a row, and a writer whose answer was lost knows its own row from one
that another wrote with the very same bytes.  Each process counts on from a place of its own.
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
    """Return what counts from where no other process does, of this machine or another."""
    place = f"{node()} {os.getpid()} {time.time_ns()} {id(object())}"
    digest = blake2b(place.encode(), digest_size=8).digest()
    return count(int.from_bytes(digest) >> 2).__next__  # a column has 63 bits


_next = PerProcess(_counter)


def own_version() -> int:
    """Return a version that no other write has."""
    return _next()()
