"""A process that has used its provider before it forks; parent and children then go on with it.

They all read at once, each a record of its own.  Were a connection shared, one would get what
another asked for, or nothing; or the end of a child would close it for the others.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import cast

from sojourn.providers.base import Provider
from sojourn.providers.redis import AsyncRedisProvider, RedisProvider
from tests.forks import FORKS
from tests.redis.stores import id_of

CHILDREN, TURNS = 4, 300


def read(store: Provider | AsyncRedisProvider, number: int, turns: int) -> None:
    """Read the record of one's own, again and again."""
    if isinstance(store, AsyncRedisProvider):
        asyncio.run(_read(store, number, turns))
        return
    for _ in range(turns):
        record = store.read(id_of(number))
        assert record is not None
        assert record.fields == {b"name": str(number).encode()}


async def _read(store: AsyncRedisProvider, number: int, turns: int) -> None:
    for _ in range(turns):
        record = await store.read(id_of(number))
        assert record is not None
        assert record.fields == {b"name": str(number).encode()}
    if turns > 1:
        await store.close()


def child(store: Provider | AsyncRedisProvider, number: int, fork: str) -> int:
    """Fork; the child ends as a worker does, with its finalizers."""
    pid = FORKS[fork]()
    if pid == 0:
        read(store, number, TURNS)
        sys.exit(0)
    return pid


def main(url: str, prefix: str, colour: str, fork: str) -> None:
    kind = RedisProvider if colour == "sync" else AsyncRedisProvider
    store = cast("Provider | AsyncRedisProvider", kind(url, prefix=prefix))
    read(store, 0, 1)
    pids = [child(store, number, fork) for number in range(1, CHILDREN + 1)]
    read(store, 0, TURNS)
    ends = [os.waitpid(pid, 0)[1] for pid in pids]
    assert ends == [0] * CHILDREN, ends
    read(store, 0, TURNS)


if __name__ == "__main__":
    main(*sys.argv[1:])
