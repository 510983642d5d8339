"""The CPU on which this process and the servers that it starts run."""

from __future__ import annotations

import os


def pin() -> None:
    """Restrict this process, and all processes that it starts, to one CPU."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def move() -> None:
    """Move this process to another CPU, and leave the current one to the servers started there."""
    if hasattr(os, "sched_setaffinity"):
        here = os.sched_getaffinity(0)
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0) - here, default=max(here))})
