"""The time that a new process needs to import Sojourn."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from time import perf_counter

PROGRAMS = {
    "Python alone": "pass",
    "import sojourn": "import sojourn",
    "import asyncio, ssl": "import asyncio, ssl",
}
"""The last one is a reference: an asynchronous application imports these anyway."""
BARE, OURS = "Python alone", "import sojourn"


def measure(rounds: int, say: Callable[[str], None]) -> dict[str, float]:
    """Return the median milliseconds of each program; they take turns."""
    found: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    say(f"imports: {rounds} rounds")
    for program in PROGRAMS.values():
        _run(program)  # writes the bytecode
    for _ in range(rounds):
        for name, program in PROGRAMS.items():
            found[name].append(_run(program))
    return {name: statistics.median(times) for name, times in found.items()}


def _run(program: str) -> float:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    begin = perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
    return (perf_counter() - begin) * 1e3
