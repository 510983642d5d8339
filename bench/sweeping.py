"""What Sojourn's housekeeping costs among very many sessions: count, list, sweep."""

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
"""Seconds of idle lifetime."""
VISITORS = 100
"""Sessions that are asked for while others are swept away."""
ALONE = 3.0
"""Seconds of requests before that, and as many afterwards."""


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.at = time()

    def __call__(self) -> float:
        """Return the time it was set to."""
        return self.at


def payload(number: int) -> dict[str, Any]:
    """Return 200 bytes that no other session has."""
    return {
        **PAYLOADS["200 B"],
        "csrf": f"{number:032d}",
        "name": f"Ada {number:08d}",
        "cart": [number, number + 1, 55, 3],
    }


def sweep(store: str, sessions: int, folder: Path) -> Found:
    """Count, list one user's, and take away those that expired.

    A tenth expires; elsewhere than in MariaDB at most 10,000.
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
    """What the sessions take of Redis, and what of it is the indexes'."""
    if not servers.of_redis(store):
        return {}
    return {
        "bytes": (servers.memory(store) - before) / sessions,
        "index_bytes": servers.index_memory(store) / sessions,
    }


def _fill(manager: Any, numbers: range, *, users: bool) -> list[str]:
    """Make sessions; return the cookies of the last of them."""
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
    """Milliseconds of a call that must return `expected`."""
    begin = perf_counter()
    found = function()
    spent = perf_counter() - begin
    assert found == expected, f"{found} instead of {expected}"
    return spent * 1e3


def _often(function: Callable[[], Any], expected: int) -> float:
    """Milliseconds, the median of five calls."""
    return statistics.median(_timed(function, expected) for _ in range(5))


def _swept(manager: Any, expired: int, _cookies: list[str]) -> Found:
    return {"gc_ms": _timed(manager.gc, expired)}


def _swept_meanwhile(manager: Any, expired: int, cookies: list[str]) -> Found:
    """Sweep in a thread, as an application does; serve requests before, meanwhile and afterwards.

    The server stays where it is, and has that CPU to itself.
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
    """Return what serves one request, of each session in turn, and says which and how long."""
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
    """Microseconds of reads and of writes."""
    found = defaultdict[str, list[float]](list)
    visit(), visit()
    while goes_on():
        operation, spent = visit()
        found[operation].append(spent)
    return found
