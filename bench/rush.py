"""The throughput: requests per second in one event loop on one CPU.

There are as many clients as concurrent requests, each with its own session, and each sends the
next request as soon as it has its answer.  Nothing is subtracted: the figure includes the minimal
application.  The subjects take turns, as in `bench.speed`.
"""

# ruff: noqa: D102 - methods are documented in `Subject`

from __future__ import annotations

import asyncio
import gc
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from redis.asyncio import Redis as Client

from bench import servers
from bench.asgi import Asgi
from bench.payloads import differing, work
from bench.subject import Answer, Work, cookie_of
from bench.subjects import aiohttp, litestar, sojourn, sojourn_web, starsessions

AT_ONCE = 64
SIZE = "200 B"
OURS = sojourn_web.AsgiRedis.name
"""The subject of Sojourn that is compared, through a middleware like the others."""


class Get(Asgi):
    """A GET by redis-py and nothing else, as a reference for the others."""

    name = "redis-py asyncio GET alone"
    store = "redis"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._client = Client.from_url(servers.empty_redis())

    def close(self) -> None:
        self.loop.run(self._client.aclose())
        super().close()

    def request(self, _cookie: str | None) -> Any:
        return None

    async def answer(self, _request: Any, _work: Work) -> Answer:
        await self._client.set("text", b"x" * 200)
        return Answer(200, [])

    async def once(self, _request: Any, _work: Work) -> Any:
        return await self._client.get("text")


KINDS: tuple[type[Asgi], ...] = (
    sojourn.AsyncRedis,
    sojourn_web.AsgiRedis,
    starsessions.Redis,
    aiohttp.Redis,
    litestar.Redis,
    Get,
)


class Pace(NamedTuple):
    """Requests per second."""

    name: str
    ours: bool
    read: float
    write: float | None
    """None for a subject without a session to write to."""


def measure(folder: Path, rounds: int, seconds: float, say: Callable[[str], None]) -> list[Pace]:
    """Measure each subject for about so many seconds per round; return its median values."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number in range(rounds):
        say(f"{AT_ONCE} at once: round {number + 1} of {rounds}")
        for kind in KINDS:
            _round(kind, folder, seconds, found)
    return [
        Pace(
            kind.name,
            kind.ours,
            statistics.median(found[kind.name, "read"]),
            None if kind is Get else statistics.median(found[kind.name, "write"]),
        )
        for kind in KINDS
    ]


def _round(
    kind: type[Asgi], folder: Path, seconds: float, found: dict[tuple[str, str], list[float]]
) -> None:
    subject = kind(folder)
    try:
        requests = [_with_session(subject) for _ in range(AT_ONCE)]
        for operation, job in (("read", work(SIZE, "read")), ("write", differing(SIZE))):
            found[kind.name, operation].append(_pace(subject, requests, job, seconds))
    finally:
        subject.close()


def _with_session(subject: Asgi) -> Any:
    answer = subject.serve(subject.request(None), work(SIZE, "new"))
    return subject.request(cookie_of(answer, None))


def _pace(subject: Asgi, requests: Sequence[Any], job: Work, seconds: float) -> float:
    _timed(subject, requests, job, 2)
    each = _timed(subject, requests, job, 5) / 5
    times = max(5, int(seconds / each))
    gc.collect()
    gc.disable()
    try:
        return len(requests) * times / _timed(subject, requests, job, times)
    finally:
        gc.enable()


def _timed(subject: Asgi, requests: Iterable[Any], job: Work, times: int) -> float:
    async def client(request: Any) -> None:
        for _ in repeat(None, times):
            await subject.once(request, job)

    async def run() -> float:
        begin = perf_counter()
        await asyncio.gather(*map(client, requests))
        return perf_counter() - begin

    return subject.loop.run(run())
