"""Law 11: a verb is done, or it is not, wherever its statement fails; and the error says which.

StoreUnavailable: nothing was written.  OutcomeUnknown: it was written or not.  Whatever happens,
one session is stored where one was stored, and a sign-in that was refused leaves none behind.

Triggers raise the errors of the database before and after each row of a statement; a file of SQLite
is full at each page.  What becomes of lost answers is in `test_lost_answers`.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sojourn.errors import OutcomeUnknown, StoreError
from sojourn.providers.base import Provider
from sojourn.providers.sql.sqlite import SQLiteProvider
from sojourn.record import Changes, Record
from tests.faults.lines import ID, LATER, MOVE, NEW_ID, NOW, RECORD
from tests.servers.mariadb import MariaDB
from tests.servers.sql import DATABASE
from tests.sql.stores import Make, Server, id_of

FACTOR = int(os.environ.get("SOJOURN_SEARCH", "1"))
SIGN_IN = MOVE._replace(user="bob", authenticated=NOW, about={"device": "phone"})
NOBODYS = RECORD._replace(user=None)
LIFE = Changes(NOW, put={b"c": b"3"}, expires=LATER - 9.0, persistent=True, lifetime=60.0)


class Verb(NamedTuple):
    """What is done to the session under `ID`, and with which kinds of statements."""

    do: Callable[[Any], object]
    events: tuple[str, ...]
    before: Record = RECORD


VERBS = {
    "create": Verb(lambda store: store.create(RECORD._replace(id=NEW_ID)), ("INSERT",)),
    "change": Verb(
        lambda store: store.update(RECORD, Changes(NOW, put={b"c": bytes(9000)})), ("UPDATE",)
    ),
    "change and renew": Verb(
        lambda store: store.update(RECORD, Changes(NOW, put={b"c": b"3"}, expires=LATER + 9.0)),
        ("UPDATE",),
    ),
    "set a lifetime": Verb(lambda store: store.update(RECORD, LIFE), ("UPDATE",)),
    "touch": Verb(
        lambda store: store.update(RECORD, Changes(NOW, expires=LATER + 9.0)), ("UPDATE",)
    ),
    "regenerate": Verb(
        lambda store: store.update(RECORD, Changes(NOW, put={b"c": bytes(9000)}, move=MOVE)),
        ("INSERT", "UPDATE"),
    ),
    "sign in": Verb(
        lambda store: store.update(NOBODYS, Changes(NOW, move=SIGN_IN)),
        ("INSERT", "UPDATE"),
        NOBODYS,
    ),
    "empty": Verb(
        lambda store: store.update(NOBODYS, Changes(NOW, clear=True)), ("DELETE",), NOBODYS
    ),
    "destroy": Verb(lambda store: store.destroy(ID), ("DELETE",)),
    "sweep": Verb(lambda store: store.gc(LATER + 1.0, 10), ("DELETE",)),
}
State = dict[str, Record]


def state_of(witness: Any) -> State:
    """What is stored, whoever wrote it."""
    records = {id: witness.read(id) for id in (ID, NEW_ID)}
    return {id: record._replace(version=0) for id, record in records.items() if record is not None}


def begin(witness: Any, verb: Verb) -> State:
    """Store what a verb finds, and nothing else."""
    witness.destroy(ID)
    witness.destroy(NEW_ID)
    assert witness.create(verb.before)
    return state_of(witness)


def done(witness: Any, verb: Verb) -> State:
    """What is stored when nothing fails."""
    begin(witness, verb)
    verb.do(witness)
    return state_of(witness)


def living(state: State) -> list[str]:
    return [id for id, record in state.items() if record.successor is None]


def judge(store: Any, witness: Any, verb: Verb, done: State) -> bool:
    """Do it, and compare what is stored with what the caller hears; return whether it was done."""
    before = state_of(witness)
    try:
        verb.do(store)
    except OutcomeUnknown:
        assert state_of(witness) in (before, done)
    except StoreError:
        assert state_of(witness) == before
    else:
        assert state_of(witness) == done
        return True
    assert len(living(state_of(witness))) == len(living(before)) or state_of(witness) == done
    return False


# -- servers -------------------------------------------------------------------------------------

ON_MARIADB = {
    "full": 1114,
    "a lock": 1205,
    "a deadlock": 1213,
    "an error of the engine": 1030,
    "read only": 1290,
    "too slow": 1969,
    "anything": 1644,
}
IN_DOUBT = {"interrupted": 1317, "an error at the commit": 1180}
"""Errors after which the row is read, to see what became of the statement."""
ON_POSTGRES = {
    "full": "53100",
    "a lock": "55P03",
    "a deadlock": "40P01",
    "interrupted": "57014",
    "an error of the system": "58030",
    "a shutdown": "57P01",
    "read only": "25006",
    "nobody knows": "40003",
    "anything": "P0001",
}
ROWS = {"each row": "1 = 1", "the tombstone": "NEW.successor IS NOT NULL"}


class Trap:
    """Errors that the database raises as it changes rows."""

    def __init__(self, server: Server, table: str) -> None:
        self._server = server
        self._is_mariadb = isinstance(server, MariaDB)
        self._table = f"{DATABASE}.{table}" if self._is_mariadb else table
        self._name = f"{DATABASE}.trap" if self._is_mariadb else "trap"

    def all(self, verb: Verb, *, refusals: bool = False) -> Iterator[AbstractContextManager[None]]:
        """Yield one after the other, each set for a block.

        refusals: those alone that come before a row is changed, and are no doubt.
        """
        codes: dict[str, Any] = ON_MARIADB if self._is_mariadb else ON_POSTGRES
        if self._is_mariadb and not refusals:
            codes = codes | IN_DOUBT
        moments = ("BEFORE",) if refusals else ("BEFORE", "AFTER")
        for event, moment in itertools.product(verb.events, moments):
            rows = ROWS if event != "DELETE" else {"each row": "1 = 1"}
            for which in rows:
                for code in codes.values():
                    yield self._set(f"{moment} {event}", rows[which], str(code))

    @contextmanager
    def _set(self, when: str, which: str, code: str) -> Iterator[None]:
        for statement in self._on_mariadb if self._is_mariadb else self._on_postgres:
            self._server.sql(
                statement.format(
                    name=self._name, when=when, table=self._table, which=which, code=code
                )
            )
        try:
            yield
        finally:
            on = "" if self._is_mariadb else f" ON {self._table}"
            self._server.sql(f"DROP TRIGGER {self._name}{on}")

    _on_mariadb = (
        """CREATE TRIGGER {name} {when} ON {table} FOR EACH ROW IF {which} THEN
        SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = {code}, MESSAGE_TEXT = 'a trap'; END IF""",
    )
    _on_postgres = (
        """CREATE OR REPLACE FUNCTION spring() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'a trap' USING ERRCODE = TG_ARGV[0]; END $$""",
        """CREATE TRIGGER {name} {when} ON {table} FOR EACH ROW WHEN ({which})
        EXECUTE FUNCTION spring('{code}')""",
    )


SERVED = ["mysqlclient", "asyncmy", "psycopg", "async psycopg"]


@pytest.fixture
def store(make: Make, server: Server) -> Provider:
    return make(server.url(), timeout=0.1)


@pytest.fixture
def trap(server: Server, table: str) -> Trap:
    return Trap(server, table)


@pytest.mark.parametrize("way", SERVED)
@pytest.mark.parametrize("name", VERBS)
def test_an_error_of_the_server_changes_nothing(
    store: Provider, witness: Provider, name: str, trap: Trap
) -> None:
    verb = VERBS[name]
    store.count(NOW)
    whole = done(witness, verb)
    for fault in trap.all(verb):
        begin(witness, verb)
        with fault:
            judge(store, witness, verb, whole)


@pytest.fixture(params=["Aria", "MyISAM"])
def engine(request: pytest.FixtureRequest, server: Server, table: str, witness: Any) -> str:
    """The table's, which knows no transactions."""
    witness.init()
    server.sql(f"ALTER TABLE {DATABASE}.{table} ENGINE = {request.param}")
    return str(request.param)


@pytest.mark.parametrize("way", ["mysqlclient", "asyncmy"])
@pytest.mark.parametrize(
    "verb", [VERBS["regenerate"], VERBS["sign in"]], ids=["a new id", "a sign-in"]
)
def test_a_table_without_transactions_holds_one_session_all_the_same(
    store: Any, witness: Any, verb: Verb, engine: str, trap: Trap
) -> None:
    """A move is two statements there, the first of which is undone if the second one fails."""
    whole = done(witness, verb)
    assert living(whole) == [NEW_ID]
    for fault in trap.all(verb, refusals=True):
        begin(witness, verb)
        with fault:
            judge(store, witness, verb, whole)
    [warning] = store.check()
    assert engine in warning
    assert "transactions" in warning


# -- SQLite --------------------------------------------------------------------------------------


@contextmanager
def connection_of(provider: Any) -> Iterator[Any]:
    """The one connection of its pool."""
    source = provider._link._source
    connection = source.take()
    yield connection.sqlite
    source.put(connection)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[tuple[SQLiteProvider, SQLiteProvider]]:
    """A provider of one connection, and one that sees what is stored."""
    path = tmp_path / "sessions.db"
    providers = SQLiteProvider(path, pool=1, timeout=0.1), SQLiteProvider(path)
    yield providers
    for provider in providers:
        provider.close()


IN_FILE = """CREATE TEMP TRIGGER {moment}_{event} {moment} {event} ON main.sojourn_sessions
BEGIN SELECT spring(); END"""


class Springs:
    """Triggers of one connection, the next one of which fails if it is to."""

    def __init__(self, store: Any) -> None:
        self.left = 0
        """How many rows are changed before one fails; less than 1 is none."""
        with connection_of(store) as connection:
            connection.create_function("spring", 0, self._spring)
            for event, moment in itertools.product(
                ("INSERT", "UPDATE", "DELETE"), ("BEFORE", "AFTER")
            ):
                connection.execute(IN_FILE.format(moment=moment, event=event))

    def _spring(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise ValueError


@pytest.mark.parametrize("name", VERBS)
def test_a_statement_that_fails_at_any_row_changes_nothing(
    file: tuple[SQLiteProvider, SQLiteProvider], name: str
) -> None:
    store, witness = file
    verb = VERBS[name]
    whole = done(witness, verb)
    store.count(NOW)
    springs = Springs(store)
    for step in itertools.count(1):
        begin(witness, verb)
        springs.left = step
        if judge(store, witness, verb, whole):
            break
    assert step > (4 if "INSERT" in verb.events and "UPDATE" in verb.events else 2)


@pytest.mark.parametrize("name", VERBS)
def test_a_file_that_is_full_changes_nothing(
    file: tuple[SQLiteProvider, SQLiteProvider], name: str
) -> None:
    """At each page that there still is room for."""
    store, witness = file
    verb = VERBS[name]
    filled = [RECORD._replace(id=id_of(number), fields={b"a": bytes(900)}) for number in range(40)]
    for record in filled:
        assert witness.create(record)
    whole = done(witness, verb)
    store.count(NOW)
    for room in range(6):
        begin(witness, verb)
        with connection_of(store) as connection:
            connection.execute("VACUUM")
            [(pages,)] = connection.execute("PRAGMA page_count").fetchall()
            connection.execute(f"PRAGMA max_page_count = {pages + room}")
        if judge(store, witness, verb, whole):
            break
        with connection_of(store) as connection:
            connection.execute("PRAGMA max_page_count = 1000000")
    assert room < 5


def test_random_faults_change_nothing(file: tuple[SQLiteProvider, SQLiteProvider]) -> None:
    """SOJOURN_SEARCH times as many verbs, if that is set; each fails anywhere or nowhere."""
    store, witness = file
    dice = random.Random("faults")
    wholes = {name: done(witness, verb) for name, verb in VERBS.items()}
    store.count(NOW)
    springs = Springs(store)
    for _ in range(200 * FACTOR):
        name = dice.choice([*VERBS])
        begin(witness, VERBS[name])
        springs.left = dice.randint(0, 8)
        with connection_of(store) as connection:
            [(pages,)] = connection.execute("PRAGMA page_count").fetchall()
            room = dice.choice((0, 1, 2, 1000))
            connection.execute(f"PRAGMA max_page_count = {pages + room}")
            connection.execute(f"PRAGMA query_only = {dice.random() < 0.1:d}")
        judge(store, witness, VERBS[name], wholes[name])
