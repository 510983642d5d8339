"""One measurement on very many sessions, in a process of its own: `python -m bench.crowd`.

It prints what it found as JSON.  The sessions are made as an application makes them, through
the middleware or the manager, and none of them shares a string with another.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from time import perf_counter, thread_time, time
from typing import Any

from bench.payloads import PAYLOADS
from bench.subject import HEADERS, Subject
from sojourn import Manager
from sojourn.providers.file import FileProvider
from sojourn.providers.memory import MemoryProvider

Found = dict[str, float]

LIFETIME = 3600.0
"""Seconds of idle lifetime, of Sojourn's sessions."""


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.at = time()

    def __call__(self) -> float:
        """Return the time it was set to."""
        return self.at


def _payload(number: int) -> dict[str, Any]:
    return {
        **PAYLOADS["200 B"],
        "csrf": f"{number:032d}",
        "name": f"Ada {number:08d}",
        "cart": [number, number + 1, 55, 3],
    }


def _resident() -> int:
    """Bytes of this process that are in memory."""
    with open("/proc/self/statm", encoding="ascii") as pages:  # noqa: PTH123 - no path of ours
        return int(pages.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Pauses:
    """How long Python's collector stops the process, while this is in force.

    In processor time: what other processes do meanwhile is not its fault.
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


def _collected() -> float:
    """The longest of five full collections, in milliseconds."""
    pauses = Pauses()
    for _ in range(5):
        gc.collect()
    return pauses.stop()


def _memory(fill: Callable[[int], None], sessions: int) -> Found:
    """What so many sessions weigh, and what they cost the collector."""
    fill(100)
    empty = _collected()
    before = _resident()
    pauses = Pauses()
    fill(sessions)
    filling = pauses.stop()
    full = _collected()
    return {
        "bytes": (_resident() - before) / sessions,
        "pause_empty_ms": empty,
        "pause_ms": max(full, filling),
    }


def weigh(kind: type[Subject], sessions: int, folder: Path) -> Found:
    """Bytes a session, and the collector's pauses, for any subject in memory."""
    subject = kind(folder)
    request = subject.request(None)

    def fill(sessions: int) -> None:
        for number in range(sessions):
            subject.serve(request, _putting(_payload(number)))

    return _memory(fill, sessions)


def _putting(payload: dict[str, Any]) -> Callable[[Any], bool]:
    def put(session: Any) -> bool:
        for key, value in payload.items():
            session[key] = value
        return True

    return put


# -- Sojourn alone -----------------------------------------------------------------------------


def _manager(store: str, folder: Path, clock: Clock) -> Any:
    provider = MemoryProvider() if store == "memory" else FileProvider(folder)
    return Manager(provider, clock=clock, max_lifetime=LIFETIME)


def _fill(manager: Any, numbers: range, *, users: bool) -> None:
    for number in numbers:
        session = manager.start(HEADERS)
        if users:
            session.login(f"user{number}")
        session.update(_payload(number))
        manager.release(session)


def _timed(function: Callable[[], Any], expected: int) -> float:
    """Milliseconds of a call that must return `expected`."""
    begin = perf_counter()
    found = function()
    spent = perf_counter() - begin
    assert found == expected, f"{found} instead of {expected}"
    return spent * 1e3


def _often(function: Callable[[], Any], expected: int) -> float:
    """Milliseconds, the median of five calls."""
    return statistics.median(_timed(function, expected) for _ in range(5))


def sweep(store: str, sessions: int, folder: Path) -> Found:
    """Count, list one user's, and take away a tenth (of a million: a hundredth) that expired."""
    clock = Clock()
    manager = _manager(store, folder, clock)
    expired = min(10_000, sessions // 10)
    users = store == "file"
    begin = perf_counter()
    _fill(manager, range(expired), users=users)
    clock.at += LIFETIME / 2
    _fill(manager, range(expired, sessions), users=users)
    made = (perf_counter() - begin) / sessions * 1e6
    someone = f"user{sessions - 1}"
    found = {
        "expired": expired,
        "made_us": made,
        "count_ms": _often(manager.active_count, sessions),
    }
    if users:
        found["user_ms"] = _often(lambda: len([*manager.sessions(someone)]), 1)
    clock.at += LIFETIME / 2 + 1
    found["count_expired_ms"] = _timed(manager.active_count, sessions - expired)
    found["gc_ms"] = _timed(manager.gc, expired)
    found["gc_again_ms"] = _timed(manager.gc, 0)
    assert manager.active_count() == sessions - expired
    return found


def main() -> None:
    """Do what the arguments say."""
    job, which, sessions, folder = sys.argv[1:]
    if job == "sweep":
        found = sweep(which, int(sessions), Path(folder))
    else:
        module, _, name = which.rpartition(".")
        found = weigh(getattr(import_module(module), name), int(sessions), Path(folder))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
