"""What is decided without a database: rows, lists, statements, and writes whose answer was lost."""

from __future__ import annotations

import os

import pytest

from sojourn.errors import ConfigError, CorruptRecord
from sojourn.providers.sql.dialects import MYSQL, POSTGRES, SQLITE
from sojourn.providers.sql.rows import Page, Row, complete, listed, record_of, row_of
from sojourn.providers.sql.settings import checked, fastest
from sojourn.providers.sql.statements import statements
from sojourn.providers.sql.writes import Recovery, Write, after_lost_reply, is_touch, swapping
from sojourn.providers.versions import own_version
from sojourn.record import Changes, Record
from tests.forks import FORKS

OLD = Record("ab" * 32, {b"k": b"v"}, 1.0, 2.0, 3.0, "ada", 1.5, {"device": "x"}, 60.0, True, 7)
NEW = OLD._replace(fields={b"k": b"w"}, version=8)
SQL = statements(SQLITE, "sojourn_sessions")


def read(record: Record) -> Record:
    return record_of(record.id, selected(row_of(record)))


def selected(row: Row) -> tuple[object, ...]:
    """What READ selects of a row."""
    return tuple(getattr(row, name) for name in SQL.read[7:].split(" FROM ")[0].split(", "))


def test_a_row_is_the_record() -> None:
    assert read(OLD) == OLD
    assert read(OLD._replace(seen=0.1 + 0.2)).seen == 0.1 + 0.2


@pytest.mark.parametrize(
    "spoilt",
    [
        {"head": b"x"},
        {"head": b""},
        {"fields": b"x"},
        {"fields": b"\x91\x01"},
        {"fields": b"\x81\x01\x01"},
        {"seen": -1.0},
        {"expires": 1e300},
        {"seen": None},
        {"seen": "1"},
        {"expires": float("nan")},
        {"expires": b"1"},
        {"version": None},
        {"version": "1"},
        {"version": 1.0},
        {"version": -1},
        {"version": 2**63 - 1},
        {"owner": b"eve"},
        {"owner": None},
        {"owner": "ada"},
        {"successor": "ab" * 32},
        {"head": None},
        {"head": "x"},
        {"fields": None},
        {"fields": "x"},
    ],
    ids=str,
)
def test_what_is_no_record_is_corrupt(spoilt: dict[str, object]) -> None:
    row = row_of(OLD)._replace(**spoilt)  # type: ignore[arg-type]
    with pytest.raises(CorruptRecord) as caught:
        record_of(OLD.id, selected(row))
    assert caught.value.id == OLD.id


TOUCHED = NEW._replace(seen=9.0, expires=9.0)
THEIRS = NEW._replace(fields={b"k": b"theirs"})
GRAVE = Record(OLD.id, {}, 1.0, 2.0, 3.0, version=8, successor="ab" + "1" * 62)


@pytest.mark.parametrize(
    ("old", "new", "stands", "expected"),
    [
        (OLD, NEW, OLD, Recovery.REPEAT),
        (OLD, NEW, OLD._replace(seen=9.0), Recovery.REPEAT),
        (OLD, NEW, NEW, Recovery.DONE),
        (OLD, NEW, TOUCHED, Recovery.DONE),
        (OLD, NEW, THEIRS, Recovery.UNKNOWN),
        (OLD, NEW, NEW._replace(version=9), Recovery.UNKNOWN),
        (OLD, NEW, GRAVE, Recovery.UNKNOWN),
        (OLD, NEW, None, Recovery.UNKNOWN),
        (OLD, GRAVE, GRAVE, Recovery.DONE),
        (OLD, GRAVE, GRAVE._replace(successor="ab" + "2" * 62), Recovery.UNKNOWN),
        (OLD, GRAVE, OLD, Recovery.REPEAT),
        (OLD, None, OLD, Recovery.REPEAT),
        (OLD, None, NEW, Recovery.UNKNOWN),
        (OLD, None, None, Recovery.UNKNOWN),
        (None, NEW, None, Recovery.REPEAT),
        (None, NEW, NEW, Recovery.DONE),
        (None, NEW, THEIRS, Recovery.UNKNOWN),
    ],
)
def test_what_stands_says_what_became_of_a_write(
    old: Record | None, new: Record | None, stands: Record | None, expected: Recovery
) -> None:
    write = Write("", (), old, new, new.version if new is not None else 0)
    assert after_lost_reply(write, stands) is expected


def test_a_write_knows_its_own_row_from_an_equal_one() -> None:
    """Two count from one to two: it must be three then, or a doubt."""
    mine, theirs = swapping(SQL, OLD, NEW), swapping(SQL, OLD, NEW)
    assert mine.parameters[0] == mine.version != theirs.version
    assert after_lost_reply(mine, NEW._replace(version=mine.version)) is Recovery.DONE
    assert after_lost_reply(mine, NEW._replace(version=theirs.version)) is Recovery.UNKNOWN


@pytest.mark.parametrize("fork", FORKS)
def test_processes_count_from_places_of_their_own(fork: str) -> None:
    own_version()
    reading, writing = os.pipe()
    child = FORKS[fork]()
    if not child:
        os.write(writing, b"%d" % own_version())
        os._exit(0)
    os.waitpid(child, 0)
    theirs, mine = int(os.read(reading, 20)), own_version()
    os.close(reading)
    os.close(writing)
    assert abs(theirs - mine) > 1000
    assert 0 <= max(theirs, mine) < 2**63


def test_a_change_writes_what_it_changed() -> None:
    later = NEW._replace(seen=9.0, expires=9.0)
    assert swapping(SQL, OLD, NEW).statement == SQL.save
    assert swapping(SQL, OLD, later).statement == SQL.renew
    assert swapping(SQL, OLD, NEW._replace(expires=2.5)).statement == SQL.set_lifetime
    assert swapping(SQL, OLD, later._replace(lifetime=None)).statement == SQL.set_lifetime
    assert swapping(SQL, OLD, later._replace(persistent=False)).statement == SQL.set_lifetime
    assert swapping(SQL, OLD, None).statement == SQL.remove


def test_a_touch_is_of_times_alone() -> None:
    touch = Changes(5.0, 9.0)
    assert is_touch(OLD, touch)
    assert is_touch(OLD._replace(fields={}), touch)
    assert not is_touch(OLD._replace(fields={}, user=None), touch)  # it is empty, and goes
    for more in (
        {"expires": None},
        {"put": {b"k": b"v"}},
        {"drop": [b"k"]},
        {"clear": True},
        {"expect": {b"k": None}},
        {"persistent": False},
    ):
        assert not is_touch(OLD, touch._replace(**more))


def test_a_list_is_complete_where_the_first_two_digits_end() -> None:
    rows = [("aa1",), ("aa2",), ("ab1",)]
    assert complete(rows, Page("", 4)) == (rows, None)
    assert complete(rows, Page("", 3)) == (rows[:2], Page("ab", 3))
    assert complete(rows[:2], Page("aa", 2)) == ([], Page("aa", 4))


@pytest.mark.parametrize(
    "ids", [[""], ["", ""], ["a"], ["ab", "AB"], ["AB", "ab"], ["é", "a"]], ids=str
)
def test_a_list_of_odd_ids_asks_for_more_until_it_has_all(ids: list[str]) -> None:
    """Whatever the order of the database is, either the ids that it starts from grow, or the limit."""
    rows, asked = [(id,) for id in ids], Page("", len(ids))
    for _ in range(10):
        _, following = complete(rows[: asked.limit], asked)
        if following is None:
            return
        assert following.start > asked.start or following.limit > asked.limit
        asked = following
    pytest.fail("no end")


@pytest.mark.parametrize(
    "id", ["", "a", "AB" * 32, "ab" * 15, "ab" * 65, "ä" * 64, b"ab" * 32, 7, None]
)
def test_an_id_that_is_none_is_no_session_of_a_list(id: object) -> None:
    with pytest.raises(CorruptRecord):
        listed((id, *selected(row_of(OLD))[:-1]))
    assert listed((OLD.id, *selected(row_of(OLD))[:-1])) == OLD._replace(fields={})


@pytest.mark.parametrize("table", ["", "1a", "a b", "a`b", 'a"b', "a.b.c", "a;b", "ä", "a" * 49, 3])
def test_a_table_has_a_plain_name(table: str) -> None:
    with pytest.raises(ConfigError, match="table"):
        statements(MYSQL, table)


def test_a_name_is_quoted_and_may_have_a_schema() -> None:
    assert "`order`" in statements(MYSQL, "order").read
    assert '"web"."order"' in statements(POSTGRES, "web.order").read


def test_marks_are_the_drivers() -> None:
    assert "?" not in "".join(map(str, statements(MYSQL, "t")))
    assert "(expires, $2)" in statements(POSTGRES._replace(mark="$"), "t").touch


@pytest.mark.parametrize(("pool", "timeout"), [(0, 1.0), (True, 1.0), (1, 0), (1, "1"), (1, 4000)])
def test_settings_that_make_no_sense_are_refused(pool: object, timeout: object) -> None:
    with pytest.raises(ConfigError):
        checked(pool, timeout)


def missing(*_: object) -> None:
    raise ImportError


def test_a_driver_that_is_missing_names_the_extra() -> None:
    with pytest.raises(ConfigError, match=r'pip install "sojourn\[mysql\]"'):
        fastest({"mysqlclient": missing}, None, "mysql")(None, 1.0)
    with pytest.raises(ConfigError, match="none of mysqlclient"):
        fastest({"mysqlclient": missing}, "oracle", "mysql")
    ways = {"one": missing, "two": lambda *_: None}
    assert fastest(ways, None, "mysql")(None, 1.0) is None
