"""A process that has used its provider before it forks; parent and children then go on with it.

They all read at once, each a record of its own.  Were a connection shared, one would get what
another asked for, or nothing; or the end of a child would close it for its parent, who keeps the
one that it has.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from sqlalchemy import create_engine

from sojourn.providers.sql import MySQLProvider, PostgresProvider
from tests.forks import FORKS
from tests.sql.stores import ASYNC, KINDS, id_of

CHILDREN, TURNS = 4, 200
ENGINE = "engine "


def read(store: Any, number: int, turns: int) -> None:
    """Read the record of one's own, again and again."""
    for _ in range(turns):
        record = store.read(id_of(number))
        assert record.fields == {b"name": b"%d" % number}


async def read_async(store: Any, number: int, turns: int) -> None:
    for _ in range(turns):
        record = await store.read(id_of(number))
        assert record.fields == {b"name": b"%d" % number}
    if turns > 1:
        await store.close()


def work(store: Any, way: str, number: int, turns: int) -> None:
    if way in ASYNC:
        asyncio.run(read_async(store, number, turns))
    else:
        read(store, number, turns)


def at_hand(store: Any, way: str) -> Any:
    """The connection that would be used next; each event loop has its own."""
    if way in ASYNC or way.startswith(ENGINE):
        return None
    connection = store._link._source.take()
    store._link._source.put(connection)
    return connection


def child(store: Any, way: str, number: int, parents: object, fork: str) -> int:
    """Fork; the child ends as a worker does, with its finalizers."""
    pid = FORKS[fork]()
    if pid == 0:
        assert parents is None or at_hand(store, way) is not parents
        work(store, way, number, TURNS)
        sys.exit(0)
    return pid


def opened(way: str, address: str, table: str) -> Any:
    if not way.startswith(ENGINE):
        return KINDS[way](address, table=table)
    _, dialect = way.split()
    engine = create_engine(f"{dialect}{address[address.index(':') :]}")
    return (PostgresProvider if "postgres" in dialect else MySQLProvider)(engine, table=table)


def main(way: str, address: str, table: str, fork: str) -> None:
    store = opened(way, address, table)
    work(store, way, 0, 1)
    parents = at_hand(store, way)
    pids = [child(store, way, number, parents, fork) for number in range(1, CHILDREN + 1)]
    work(store, way, 0, TURNS)
    ends = [os.waitpid(pid, 0)[1] for pid in pids]
    assert ends == [0] * CHILDREN, ends
    work(store, way, 0, TURNS)
    assert at_hand(store, way) is parents


if __name__ == "__main__":
    main(*sys.argv[1:])
