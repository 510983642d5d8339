"""What only SQLite does: the file, its modes, other processes, and plans that use the indexes."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from sojourn.errors import ConfigError, StoreError, StoreUnavailable
from sojourn.providers.sql.dialects import SQLITE
from sojourn.providers.sql.schema_check import Layout
from sojourn.providers.sql.sqlite import SQLiteProvider
from sojourn.providers.sql.statements import statements
from sojourn.record import Changes, Record

ID = "ab" + "0" * 62
RECORD = Record(ID, {b"k": b"v"}, 1000.0, 1000.0, 2000.0, "ada")


OPENED = list[SQLiteProvider]()


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """A connection that is not closed is worth a warning, since Python 3.13."""
    yield
    while OPENED:
        OPENED.pop().close()


def opened(*args: Any, **settings: Any) -> SQLiteProvider:
    """A provider that is closed after its test."""
    OPENED.append(SQLiteProvider(*args, **settings))
    return OPENED[-1]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


def test_the_file_is_its_owners_alone(file: Path) -> None:
    opened(file).create(RECORD)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_path_that_is_none_is_refused(tmp_path: Path) -> None:
    for path in ("", ":memory:", tmp_path / "no" / "folder.db"):
        with pytest.raises(ConfigError):
            SQLiteProvider(path)
    with pytest.raises(ConfigError, match="schema"):
        opened(tmp_path / "a.db", table="web.sessions")


def test_a_table_of_another_layout_is_refused(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE sojourn_sessions (id TEXT)")
    with pytest.raises(StoreError, match="layout"):
        opened(file).read(ID)


def test_the_layout_is_compared_whole(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE sojourn_sessions ( -- sojourn layout 12\nid TEXT)")
    with pytest.raises(StoreError, match="says of itself 'sojourn layout 12'"):
        opened(file).read(ID)


@pytest.mark.parametrize("name", ["sojourn_sessions", "SOJOURN_Sessions"])
@pytest.mark.parametrize("what", ["VIEW {} AS SELECT 1 AS id", "TABLE {} (id TEXT)"])
def test_what_has_the_name_of_the_table_is_named(file: Path, name: str, what: str) -> None:
    """SQLite takes names in capitals for the same, and a view for a table that is there."""
    with closing(sqlite3.connect(file)) as database:
        database.execute(f"CREATE {what.format(name)}")
    with pytest.raises(StoreError, match=r'"sojourn_sessions" is none .* Name another one'):
        opened(file).read(ID)


def test_a_table_with_other_columns_is_named(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE sojourn_sessions ( -- sojourn layout 1\nid TEXT)")
    provider = opened(file)
    for work in (
        lambda: provider.read(ID),
        lambda: provider.create(RECORD),
        lambda: provider.destroy(ID),
        lambda: list(provider.find(None, 0.0)),
        lambda: provider.gc(0.0, 1),
    ):
        with pytest.raises(StoreError, match='"sojourn_sessions" has other columns'):
            work()


def test_a_file_that_was_deleted_is_begun_anew(file: Path) -> None:
    provider = opened(file)
    provider.create(RECORD)
    for path in file.parent.iterdir():
        path.unlink()
    assert provider.read(ID) is None
    assert provider.create(RECORD)
    assert provider.read(ID) == RECORD


def test_what_cannot_say_what_it_deletes_reads_it_before(file: Path) -> None:
    """So do MySQL, and SQLite before 3.35."""
    provider = opened(file)
    provider.create(RECORD)
    provider._executor._layout = Layout(returns_deleted_rows=False, has_transactions=True)
    provider._sql = provider._sql._replace(take="it is no use")
    assert provider.destroy(ID) == RECORD
    assert provider.destroy(ID) is None


def test_what_cannot_be_read_is_taken_away(file: Path) -> None:
    provider = opened(file)
    provider.create(RECORD)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE sojourn_sessions SET head = x'00'")
    assert provider.destroy(ID) is None
    assert provider.read(ID) is None


def test_a_table_is_made_only_if_it_may_be(file: Path) -> None:
    provider = opened(file, create_table=False)
    with pytest.raises(StoreUnavailable, match="CREATE TABLE"):
        provider.read(ID)
    with closing(sqlite3.connect(file)) as database:
        database.executescript(provider.ddl())
    assert provider.create(RECORD)


def test_init_makes_it_and_may_be_repeated(file: Path) -> None:
    provider = opened(file, create_table=False)
    provider.init()
    provider.init()
    assert provider.read(ID) is None


def test_a_file_that_was_replaced_is_opened_anew(file: Path) -> None:
    backup = opened(file.with_name("backup.db"))
    backup.create(RECORD._replace(fields={b"k": b"other"}))
    backup.close()
    provider = opened(file)
    provider.create(RECORD)
    for name in ("sessions.db-wal", "sessions.db-shm"):
        file.with_name(name).unlink()
    file.with_name("backup.db").replace(file)
    stands = provider.read(ID)
    assert stands is not None
    assert stands.fields == {b"k": b"other"}


def test_a_new_connection_takes_no_lock_from_another_one(file: Path) -> None:
    """On POSIX, to close any descriptor of a file drops all locks that the process has on it.

    Without its locks, another process that closes the file takes the log away, and what this one
    writes afterwards is acknowledged, and lost.
    """
    first, second = opened(file), opened(file)
    first.create(RECORD)
    assert second.read(ID) is not None  # which opens a connection of its own
    script = (
        "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT * FROM sqlite_master')"
    )
    subprocess.run([sys.executable, "-c", script, str(file)], check=True)
    first.update(RECORD, Changes(1100.0, put={b"k": b"w"}))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        assert process.submit(fields_in, file).result() == {b"k": b"w"}


def fields_in(file: Path) -> Any:
    with closing(SQLiteProvider(file)) as provider:
        record = provider.read(ID)
    return None if record is None else record.fields


def test_what_a_file_that_is_gone_left_behind_keeps_its_mode(file: Path) -> None:
    beside = file.with_name(file.name + "-shm")
    beside.touch(0o600)
    file.symlink_to(file.parent / "no" / "folder.db")  # where no file can be made
    with pytest.raises(StoreUnavailable):
        opened(file).read(ID)
    assert stat.S_IMODE(beside.stat().st_mode) == 0o600


def test_a_locked_file_is_unavailable_within_the_timeout(file: Path) -> None:
    provider = opened(file, timeout=0.1)
    provider.create(RECORD)
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        assert provider.read(ID) == RECORD
        with pytest.raises(StoreUnavailable, match="locked"):
            provider.update(RECORD, Changes(1100.0, put={b"k": b"w"}))


def test_a_touch_does_not_disturb_a_change(file: Path) -> None:
    """Law 8: it passes the version by, and the change keeps what it promised."""
    provider = opened(file)
    provider.create(RECORD)
    provider.update(RECORD, Changes(1100.0, 2100.0))
    assert provider.swap(RECORD, RECORD._replace(fields={b"k": b"w"}))
    stands = provider.read(ID)
    assert stands is not None
    seen = stands._replace(seen=1000.0, expires=2000.0)
    assert provider.swap(seen, seen._replace(seen=1050.0, expires=2050.0))
    stands = provider.read(ID)
    assert stands is not None
    assert (stands.fields, stands.seen, stands.expires) == ({b"k": b"w"}, 1100.0, 2100.0)


def test_a_move_writes_over_nothing(file: Path) -> None:
    provider = opened(file)
    provider.create(RECORD)
    taken = RECORD._replace(id="ab" + "1" * 62, user="eve")
    provider.create(taken)
    grave = RECORD._replace(fields={}, user=None, version=1, successor=taken.id)
    assert not provider.move(RECORD, RECORD._replace(id=taken.id, version=1), grave)
    assert provider.read(ID) == RECORD
    assert provider.read(taken.id) == taken


def change(file: Path, name: int) -> None:
    provider = opened(file)
    for number in range(50):
        provider.update(RECORD, Changes(1100.0, put={b"%d-%d" % (name, number): b"1"}))
    provider.close()


def test_processes_share_a_file(file: Path) -> None:
    """Law 4: and lose nothing of one another."""
    provider = opened(file)
    provider.create(RECORD)
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as processes:
        for done in [processes.submit(change, file, name) for name in range(4)]:
            done.result()
    stands = provider.read(ID)
    assert stands is not None
    assert len(stands.fields) == 201


@pytest.mark.parametrize(
    ("name", "parameters", "index"),
    [
        ("gc", (1.0, 10), "_expires"),
        ("live", (1.0,), "COVERING INDEX sojourn_sessions_expires"),
        ("owned", (b"ada",), "_owner"),
        ("listed", ("ab", 10), "autoindex"),
        ("read", (ID,), "autoindex"),
        ("touch", (1.0, 1.0, ID, 1.0, None), "autoindex"),
    ],
)
def test_plans_use_the_indexes(
    file: Path, name: str, parameters: tuple[object, ...], index: str
) -> None:
    opened(file).init()
    statement = getattr(statements(SQLITE, "sojourn_sessions"), name)
    with closing(sqlite3.connect(file)) as database:
        plan = str(database.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall())
    assert index in plan
    assert "SCAN" not in plan
