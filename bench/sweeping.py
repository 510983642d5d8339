"""The cost of Sojourn's housekeeping with very many sessions: count, list, sweep."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from threading import Thread
from time import perf_counter, time
from typing import Any

from bench import cpu, servers
from bench.payloads import PAYLOADS, differing, work
from bench.stores import managed
from bench.subject import HEADERS, cookie_of
from sojourn import Manager

Found = dict[str, float]

LIFETIME = 3600.0
"""The idle lifetime in seconds."""
VISITORS = 100
"""The number of sessions that are requested while others are swept."""
ALONE = 3.0
"""Seconds of requests before the sweep, and again after it."""


class Clock:
    """A clock whose time can be set."""

    def __init__(self) -> None:
        self.at = time()

    def __call__(self) -> float:
        """Return the time that was set."""
        return self.at


def payload(number: int) -> dict[str, Any]:
    """Return 200 bytes that differ from those of every other session."""
    return {
        **PAYLOADS["200 B"],
        "csrf": f"{number:032d}",
        "name": f"Ada {number:08d}",
        "cart": [number, number + 1, 55, 3],
    }


def sweep(store: str, sessions: int, folder: Path) -> Found:
    """Count the sessions, list those of one user, and delete the expired ones.

    A tenth of the sessions expires; except in MariaDB, at most 10,000.
    """
    clock = Clock()
    manager = managed(Manager, store, folder, clock=clock, max_lifetime=LIFETIME)
    expired = sessions // 10 if store == "mysql" else min(10_000, sessions // 10)
    users = store != "memory"
    before = servers.memory(store)
    begin = perf_counter()
    _fill(manager, range(expired), users=users)
    clock.at += LIFETIME / 2
    cookies = _fill(manager, range(expired, sessions), users=users)
    found = {"expired": expired, "made_us": (perf_counter() - begin) / sessions * 1e6}
    found |= redis_bytes(store, before, sessions)
    found["count_ms"] = _often(manager.active_count, sessions)
    if users:
        someone = f"user{sessions - 1}"
        found["user_ms"] = _often(lambda: len([*manager.sessions(someone)]), 1)
    clock.at += LIFETIME / 2 + 1
    found["count_expired_ms"] = _timed(manager.active_count, sessions - expired)
    swept = _swept_meanwhile if store == "mysql" else _swept
    found |= swept(manager, expired, cookies)
    found["gc_again_ms"] = _timed(manager.gc, 0)
    assert manager.active_count() == sessions - expired
    return found


def redis_bytes(store: str, before: int, sessions: int) -> Found:
    """Return the bytes per session in Redis, and the part of them that indexes take."""
    if not servers.of_redis(store):
        return {}
    return {
        "bytes": (servers.memory(store) - before) / sessions,
        "index_bytes": servers.index_memory(store) / sessions,
    }


def _fill(manager: Any, numbers: range, *, users: bool) -> list[str]:
    """Create sessions; return the cookies of the last ones."""
    cookies = []
    for number in numbers:
        session = manager.start(HEADERS)
        if users:
            session.login(f"user{number}")
        session.update(payload(number))
        release = manager.release(session)
        if number + VISITORS >= numbers.stop:
            cookies.append(cookie_of(release, None))
    return cookies


def _timed(function: Callable[[], Any], expected: int) -> float:
    """Return the milliseconds of a call, which must return `expected`."""
    begin = perf_counter()
    found = function()
    spent = perf_counter() - begin
    assert found == expected, f"{found} instead of {expected}"
    return spent * 1e3


def _often(function: Callable[[], Any], expected: int) -> float:
    """Return the median of five calls, in milliseconds."""
    return statistics.median(_timed(function, expected) for _ in range(5))


def _swept(manager: Any, expired: int, _cookies: list[str]) -> Found:
    return {"gc_ms": _timed(manager.gc, expired)}


def _swept_meanwhile(manager: Any, expired: int, cookies: list[str]) -> Found:
    """Sweep in a thread, as an application does; serve requests before, during and after that.

    The server stays on its CPU and has it to itself.
    """
    cpu.move()
    found = Found()
    thread = Thread(target=lambda: found.update(_swept(manager, expired, cookies)))
    visit = _visitors(manager, cookies)
    alone = _visits(visit, _for_seconds(ALONE))
    thread.start()
    during = _visits(visit, thread.is_alive)
    thread.join()
    afterwards = _visits(visit, _for_seconds(ALONE))
    for operation in ("read", "write"):
        found[f"{operation}_us"] = statistics.median(alone[operation] + afterwards[operation])
        found[f"{operation}_meanwhile_us"] = statistics.median(during[operation])
    return found


def _for_seconds(seconds: float) -> Callable[[], bool]:
    end = perf_counter() + seconds
    return lambda: perf_counter() < end


Visit = Callable[[], tuple[str, float]]


def _visitors(manager: Any, cookies: list[str]) -> Visit:
    """Return a function that serves one request and returns its kind and microseconds.

    Each call takes the next session in turn.
    """
    requests = cycle([{**HEADERS, "Cookie": cookie} for cookie in cookies])
    works = cycle([("read", work("200 B", "read")), ("write", differing("200 B"))])

    def visit() -> tuple[str, float]:
        request, (operation, job) = next(requests), next(works)
        begin = perf_counter()
        session = manager.start(request)
        job(session)
        manager.release(session)
        return operation, (perf_counter() - begin) * 1e6

    return visit


def _visits(visit: Visit, goes_on: Callable[[], bool]) -> dict[str, list[float]]:
    """Return the microseconds of reads and of writes."""
    found = defaultdict[str, list[float]](list)
    visit(), visit()
    while goes_on():
        operation, spent = visit()
        found[operation].append(spent)
    return found
