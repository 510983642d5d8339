"""Which CPU this process has; the servers that it starts have the same."""

from __future__ import annotations

import os


def pin() -> None:
    """Keep this process, and all that it starts, on one CPU."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def move() -> None:
    """Leave this CPU to the servers that were started on it, and go to another one."""
    if hasattr(os, "sched_setaffinity"):
        here = os.sched_getaffinity(0)
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0) - here, default=max(here))})
