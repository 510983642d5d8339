"""Law 14: what is large goes in and out whole, or is refused before anything is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

from sojourn import Manager
from sojourn.errors import SessionTooLarge, StoreError
from sojourn.providers.base import Provider
from sojourn.providers.sql.mysql import MySQLProvider
from sojourn.record import Changes, Outcome
from tests.parallel.visits import Jar
from tests.servers.mariadb import MariaDB
from tests.sql.stores import KINDS, ON_MARIADB, Make, id_of, maker, record_of

LARGE = os.urandom(5_000_000)
LONG_NAME = "ä\0'\"\\%😀\n" * 12_500
"""A user of 100,000 characters, of which each may trip something over."""
LONG_ID = "f" * 128


@pytest.fixture(params=KINDS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(request: pytest.FixtureRequest, way: str, make: Make, tmp_path: Path) -> Provider:
    if way == "sqlite":
        return make(tmp_path / "sessions.db")
    return make(request.getfixturevalue("server").url())


def test_five_megabytes_go_in_and_out(store: Provider) -> None:
    manager, jar = Manager(store, max_size=6_000_000), Jar()
    with manager.open({}) as session:
        session["large"] = LARGE
    assert session.released is not None
    jar.take(session.released.headers)
    with manager.open(jar.headers) as session:
        assert session["large"] == LARGE
        session["large"] = LARGE[::-1]
        session.regenerate_id()
    assert session.released is not None
    jar.take(session.released.headers)
    assert manager.start(jar.headers)["large"] == LARGE[::-1]


def test_nothing_is_cut(store: Provider) -> None:
    """Names of users and ids as long as they may be, and users that differ at their ends."""
    record = record_of(user=LONG_NAME, about={"device": LONG_NAME})._replace(id=LONG_ID)
    other = record._replace(id="f" * 127 + "e", user=LONG_NAME + "x")
    assert store.create(record)
    assert store.create(other)
    assert store.read(LONG_ID) == record
    assert [found.id for found in store.find(LONG_NAME, record.seen)] == [LONG_ID]
    assert [found.user for found in store.find(LONG_NAME + "x", record.seen)] == [other.user]


@pytest.mark.parametrize("size", [255, 256, 65_535, 65_536, 16_777_215, 16_777_216])
def test_no_column_has_a_limit_of_its_own(store: Provider, size: int) -> None:
    """Where the numbers of a blob's size get longer, and where a packet of MySQL ends."""
    record = record_of(fields={b"a": bytes(size)})
    assert store.create(record)
    assert store.read(record.id) == record


# -- max_allowed_packet --------------------------------------------------------------------------

PACKET = 1_048_576


@pytest.fixture(scope="module")
def narrow() -> Iterator[MariaDB]:
    with MariaDB(max_allowed_packet=PACKET) as server:
        yield server


@pytest.fixture(params=ON_MARIADB)
def narrow_store(request: pytest.FixtureRequest, narrow: MariaDB, table: str) -> Iterator[Provider]:
    with maker(request.param) as make:
        yield make(narrow.url(), table=table, pool=1)


def connections(server: MariaDB) -> int:
    """How many have been opened so far."""
    [(_, number)] = server.sql("SHOW GLOBAL STATUS LIKE 'Connections'")
    return int(number)


def test_what_exceeds_a_packet_is_refused_and_nothing_is_written(
    narrow_store: Provider, narrow: MariaDB
) -> None:
    """It is not even sent, so the connection is as good as before."""
    store, record = narrow_store, record_of()
    assert store.create(record)
    before = connections(narrow)
    for fields in ({b"a": bytes(PACKET)}, {b"a": os.urandom(3 * PACKET)}):
        with pytest.raises(SessionTooLarge, match="max_allowed_packet"):
            store.create(record_of("large", fields=fields))
        with pytest.raises(SessionTooLarge, match="max_allowed_packet"):
            store.update(record, Changes(record.seen, put=fields))
    assert store.read(id_of("large")) is None
    assert store.read(record.id) == record
    change = Changes(record.seen, put={b"a": b"small"})
    assert store.update(record, change) is Outcome.APPLIED
    assert connections(narrow) == before


@pytest.mark.parametrize("short", range(0, 2_048, 128))
def test_at_the_limit_it_is_stored_whole_or_not_at_all(narrow_store: Provider, short: int) -> None:
    record = record_of(fields={b"a": b"x" * (PACKET - short)})
    try:
        stored = narrow_store.create(record)
    except SessionTooLarge:
        assert narrow_store.read(record.id) is None
    else:
        assert stored
        assert narrow_store.read(record.id) == record


def test_what_exceeds_a_packet_of_a_lent_connection_is_not_written(
    narrow: MariaDB, table: str
) -> None:
    """Nobody knows there what the server takes: it hangs up, and the next request goes on."""
    engine = sqlalchemy.create_engine(narrow.url().replace("mysql", "mysql+pymysql", 1))
    store, record = MySQLProvider(engine, table=table), record_of(fields={b"a": bytes(PACKET)})
    with pytest.raises((SessionTooLarge, StoreError)):  # it says so first, or hangs up before
        store.create(record)
    assert store.read(record.id) is None
    assert store.create(record_of())
    engine.dispose()
