"""The memory that very many sessions take, and the cost of counting and sweeping them.

Each figure is measured in a separate process, so that nothing else is in its memory.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from bench.subject import Subject
from bench.sweeping import Found


class Weight(NamedTuple):
    """The memory use of a store in memory or in Redis."""

    name: str
    sessions: int
    found: Found


class Sweep(NamedTuple):
    """The cost of Sojourn's housekeeping over one store."""

    sessions: int
    found: Found


def weigh(
    subjects: Iterable[type[Subject]], folder: Path, share: float, say: Callable[[str], None]
) -> list[Weight]:
    """Weigh every store in memory: Sojourn with 1,000,000 sessions, the others with 100,000."""
    weights = []
    for kind in subjects:
        sessions = int((1_000_000 if kind.ours else 100_000) * share)
        say(f"size: {sessions:,} sessions of {kind.name} in memory")
        weights.append(Weight(kind.name, sessions, _run("weigh", _path(kind), sessions, folder)))
    return weights


def keep(
    subjects: Iterable[type[Subject]], folder: Path, share: float, say: Callable[[str], None]
) -> list[Weight]:
    """Weigh every store in Redis with 100,000 sessions, and Sojourn with 1,000,000 as well."""
    found = []
    for kind in subjects:
        for all_of_them in (100_000, 1_000_000) if kind.ours else (100_000,):
            sessions = int(all_of_them * share)
            say(f"size: {sessions:,} sessions of {kind.name} in Redis")
            found.append(Weight(kind.name, sessions, _run("keep", _path(kind), sessions, folder)))
    return found


MANY = {
    "memory": 1_000_000,
    "redis": 1_000_000,
    "cluster": 1_000_000,
    "mysql": 1_000_000,
    "file": 100_000,
}
"""The number of sessions that are counted and swept."""


def sweep(folder: Path, share: float, say: Callable[[str], None]) -> dict[str, Sweep]:
    """Measure counting, listing and sweeping."""
    sweeps = {}
    for store, all_of_them in MANY.items():
        sessions = int(all_of_them * share)
        say(f"size: count and gc of {sessions:,} sessions, {store}")
        sweeps[store] = Sweep(sessions, _run("sweep", store, sessions, folder))
    return sweeps


def _path(kind: type[Subject]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _run(job: str, which: str, sessions: int, folder: Path) -> Found:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "bench.crowd", job, which, str(sessions), str(folder)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: Found = json.loads(output)
    return found
