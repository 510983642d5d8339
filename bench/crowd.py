"""One measurement with very many sessions in a separate process: `python -m bench.crowd`.

It prints its result as JSON.  The sessions are created as by an application, through the
middleware or the manager, and no two of them share a string object.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from time import thread_time
from typing import Any

from bench import servers
from bench.subject import Subject
from bench.sweeping import Found, payload, redis_bytes, sweep


def _resident() -> int:
    """Return the resident memory of this process in bytes."""
    with open("/proc/self/statm", encoding="ascii") as pages:  # noqa: PTH123 - no path of ours
        return int(pages.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Pauses:
    """Measures how long Python's garbage collector stops the process during the block.

    The time is processor time, so that other processes do not distort it.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self._begin = 0.0
        gc.callbacks.append(self._called)

    def _called(self, phase: str, _: object) -> None:
        if phase == "start":
            self._begin = thread_time()
        else:
            self.longest = max(self.longest, thread_time() - self._begin)

    def stop(self) -> float:
        """Return the longest pause, in milliseconds."""
        gc.callbacks.remove(self._called)
        return self.longest * 1e3


def _memory(fill: Callable[[int], None], sessions: int) -> Found:
    """Measure the memory of so many sessions, and the pauses of the collector that they cause.

    Objects from before are not scanned: libraries and applications have their own.
    """
    fill(100)
    gc.collect()
    gc.freeze()
    before = _resident()
    pauses = Pauses()
    fill(sessions)
    for _ in range(5):
        gc.collect()
    return {"bytes": (_resident() - before) / sessions, "pause_ms": pauses.stop()}


def weigh(kind: type[Subject], sessions: int, folder: Path) -> Found:
    """Return bytes per session and the collector's pauses, for a subject in memory."""
    return _memory(_filling(kind(folder)), sessions)


def keep(kind: type[Subject], sessions: int, folder: Path) -> Found:
    """Return bytes of Redis per session, for a subject over Redis."""
    fill = _filling(kind(folder))
    fill(1)
    before = servers.memory("redis")
    fill(sessions)
    return redis_bytes("redis", before, sessions)


def _filling(subject: Subject) -> Callable[[int], None]:
    request = subject.request(None)

    def fill(sessions: int) -> None:
        for number in range(sessions):
            subject.serve(request, _putting(payload(number)))

    return fill


def _putting(payload: dict[str, Any]) -> Callable[[Any], bool]:
    def put(session: Any) -> bool:
        for key, value in payload.items():
            session[key] = value
        return True

    return put


def main() -> None:
    """Run the measurement that the arguments name."""
    job, which, sessions, folder = sys.argv[1:]
    if job == "sweep":
        found = sweep(which, int(sessions), Path(folder))
    else:
        module, _, name = which.rpartition(".")
        kind = getattr(import_module(module), name)
        found = (weigh if job == "weigh" else keep)(kind, int(sessions), Path(folder))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
