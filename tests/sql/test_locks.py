"""Others who hold a row: a request waits for a bounded time, says so, and then all goes on."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pymysql
import pytest

from sojourn.errors import StoreUnavailable
from sojourn.providers.base import Provider
from sojourn.record import Changes, Move, Outcome
from tests.servers.mariadb import MariaDB
from tests.servers.process import BUSY
from tests.servers.sql import DATABASE
from tests.sql.stores import HOUR, ON_MARIADB, WAYS, Make, Server, id_of, record_of

TIMEOUT = 1.0
GIVES_UP = 4.0 + BUSY
"""Seconds: those of the lock, and what a busy machine may take."""
RECORD = record_of()


def enter(server: Server) -> Any:
    """A connection of somebody else, whose transactions stay open."""
    if isinstance(server, MariaDB):
        return pymysql.connect(**server.address, database=DATABASE)
    return psycopg.connect(**server.address, dbname=DATABASE)


@contextlib.contextmanager
def held(server: Server, table: str, id: str) -> Iterator[None]:
    """Somebody else has changed the row, and does not come to an end."""
    with contextlib.closing(enter(server)) as other, other.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET seen = seen + 1 WHERE id = %s", (id,))
        yield
        other.rollback()


@pytest.fixture
def store(make: Make, server: Server) -> Provider:
    store = make(server.url(), timeout=TIMEOUT)
    assert store.create(RECORD)
    return store


WRITES = {
    "change": Changes(RECORD.seen, put={b"c": b"3"}),
    "touch": Changes(RECORD.seen, expires=RECORD.expires + 1.0),
    "move": Changes(
        RECORD.seen, move=Move(id_of("two", RECORD.id[:2]), None, None, None, RECORD.expires)
    ),
}


@pytest.mark.parametrize(
    ("way", "write"),
    [
        *((way, "change") for way in WAYS if way != "pymysql"),
        *((way, write) for way in ("mysqlclient", "psycopg") for write in ("touch", "move")),
    ],
)
def test_a_write_gives_up_on_a_row_that_another_holds(
    store: Provider, server: Server, table: str, write: str
) -> None:
    with held(server, table, RECORD.id):
        assert store.read(RECORD.id) == RECORD
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            store.update(RECORD, WRITES[write])
        assert TIMEOUT - 0.1 < time.monotonic() - began < GIVES_UP
        assert store.read(RECORD.id) == RECORD
        assert store.create(record_of("another"))
    assert store.update(RECORD, WRITES[write]) is Outcome.APPLIED


def lock_waits(server: Server) -> int:
    """How often anybody has waited for a row of InnoDB."""
    [(_, number)] = server.sql("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_waits'")
    return int(number)


@pytest.mark.parametrize(
    ("way", "write"),
    [*((way, "change") for way in ON_MARIADB), ("asyncmy", "touch"), ("mysqlclient", "move")],
)
def test_a_row_that_another_holds_is_waited_for_once(
    store: Provider, server: Server, table: str, write: str
) -> None:
    """To wait again would take `timeout` again: MariaDB refuses after that time."""
    with held(server, table, RECORD.id):
        before = lock_waits(server)
        with pytest.raises(StoreUnavailable):
            store.update(RECORD, WRITES[write])
        assert lock_waits(server) - before == 1


@pytest.mark.parametrize("way", ON_MARIADB)
def test_a_row_that_another_holds_is_no_doubt_if_the_address_is_impatient(
    make: Make, server: Server, table: str
) -> None:
    """The server says that it did nothing before the answer counts as lost."""
    store = make(f"{server.url()}?readTimeout=1s", timeout=4.0)
    assert store.create(RECORD)
    with held(server, table, RECORD.id):
        before = lock_waits(server)
        with pytest.raises(StoreUnavailable):
            store.update(RECORD, WRITES["change"])
        assert lock_waits(server) - before == 1
    assert store.update(RECORD, WRITES["change"]) is Outcome.APPLIED


def test_a_write_waits_for_a_row_that_is_let_go(
    store: Provider, server: Server, table: str
) -> None:
    let_go = threading.Event()

    def other() -> None:
        with held(server, table, RECORD.id):
            let_go.wait(10.0)
            time.sleep(0.3)

    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(other)
        time.sleep(0.2)
        let_go.set()
        assert store.update(RECORD, WRITES["change"]) is Outcome.APPLIED
        work.result()
    record = store.read(RECORD.id)
    assert record is not None
    assert record.fields[b"c"] == b"3"


@pytest.mark.parametrize("way", ["mysqlclient", "psycopg"])
def test_sweeping_passes_a_row_that_another_holds_or_gives_up(
    store: Provider, server: Server, table: str
) -> None:
    later = RECORD.expires + HOUR
    with held(server, table, RECORD.id):
        began = time.monotonic()
        with contextlib.suppress(StoreUnavailable):
            assert store.gc(later, 10) == 0
        assert time.monotonic() - began < GIVES_UP
    assert store.gc(later, 10) == 1


# -- deadlocks -----------------------------------------------------------------------------------


def burden(cursor: Any, table: str, ids: list[str]) -> None:
    """Write rows, so that undoing it all would cost more than undoing a move."""
    for id in ids:
        cursor.execute(
            f"INSERT INTO {table} (id, version, seen, expires, head, fields)"
            " VALUES (%s, 0, 0, 0, '', '')",
            (id,),
        )


def test_a_deadlock_is_tried_again(make: Make, server: Server, table: str) -> None:
    """A move locks two rows, and another has them in the other order: one of both has to yield."""
    store = make(server.url(), timeout=4.0)
    assert store.create(RECORD)
    changes = WRITES["move"]
    assert changes.move is not None
    with contextlib.closing(enter(server)) as other, other.cursor() as cursor:
        burden(cursor, table, [*map(id_of, range(20)), changes.move.id])
        if not isinstance(server, MariaDB):  # it ends the statement that first looks for a deadlock
            server.sql(f"GRANT SET ON PARAMETER deadlock_timeout TO {server.address['user']}")
            cursor.execute("SET deadlock_timeout = '60s'")
        with ThreadPoolExecutor(1) as pool:
            moving = pool.submit(store.update, RECORD, changes)
            time.sleep(0.3)
            cursor.execute(f"UPDATE {table} SET seen = seen + 1 WHERE id = %s", (RECORD.id,))
            other.rollback()
            assert moving.result() is Outcome.APPLIED
    moved, buried = store.read(changes.move.id), store.read(RECORD.id)
    assert moved is not None
    assert moved.fields == RECORD.fields
    assert buried is not None
    assert buried.successor == moved.id
