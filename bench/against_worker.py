"""The process of `bench.against` that measures one tree; it takes its orders from the standard input.

An order is a line with a size, an operation and a number of requests; the answer is a line with the
seconds that they took.  Only names that every release of Sojourn has are used here.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable
from functools import cache
from itertools import cycle
from time import perf_counter
from typing import Any

from bench.payloads import work
from bench.subject import HEADERS
from sojourn import AsyncManager, Manager

VISITORS = 101
"""An odd number: each visitor then gets the two values of a write in turn, so each is a change."""
kept_work = cache(work)
"""As `work`, but a write goes on with the next value in the next block."""
Serve = Callable[[dict[str, str], str, str], Any]


def main(store: str, address: str, *, awaits: bool) -> None:
    """Answer orders until the input ends."""
    block = _asynchronous(store, address) if awaits else _synchronous(store, address)
    visitors = dict[str, Any]()
    gc.disable()
    for line in sys.stdin:
        size, operation, number = line.rstrip("\n").split("\t")
        if size not in visitors:
            first = [block(size, "new", [HEADERS])[1] for _ in range(VISITORS)]
            visitors[size] = cycle([{**HEADERS, "Cookie": cookie} for cookie in first])
        headers = [HEADERS] * int(number)
        if operation != "new":
            headers = [next(visitors[size]) for _ in headers]
        seconds, _ = block(size, operation, headers)
        # Before the answer, after which the other tree has its turn on the same CPU.
        gc.collect()
        print(seconds, flush=True)


def _synchronous(store: str, address: str) -> Callable[..., tuple[float, str]]:
    manager = Manager(store, provider_config=address) if address else Manager(store)

    def block(size: str, operation: str, requests: list[dict[str, str]]) -> tuple[float, str]:
        change, release = kept_work(size, operation), None
        start = perf_counter()
        for headers in requests:
            session = manager.start(headers)
            change(session)
            release = manager.release(session)
        return perf_counter() - start, _cookie(release)

    return block


def _asynchronous(store: str, address: str) -> Callable[..., tuple[float, str]]:
    manager = AsyncManager(store, provider_config=address) if address else AsyncManager(store)
    loop = asyncio.new_event_loop()

    async def run(size: str, operation: str, requests: list[dict[str, str]]) -> tuple[float, str]:
        change, release = kept_work(size, operation), None
        start = perf_counter()
        for headers in requests:
            session = await manager.start(headers)
            change(session)
            release = await manager.release(session)
        return perf_counter() - start, _cookie(release)

    return lambda *order: loop.run_until_complete(run(*order))


def _cookie(release: Any) -> str:
    """Return the cookie that a release gives the client; "" if it gives none."""
    value = dict(release.headers).get("Set-Cookie", "")
    return value.partition(";")[0]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], awaits=sys.argv[3] == "1")
