"""What is wrong with an address, an account or a table: the error names it and the way out.

No error shows a password, whatever is wrong with it.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sojourn import AsyncManager, Manager
from sojourn.errors import ConfigError, StoreError, StoreUnavailable
from sojourn.providers.base import Provider
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres
from tests.servers.sql import DATABASE, USER
from tests.sql.stores import KINDS, ON_POSTGRES, SYNC, Make, Server, record_of

ROOT = Path(__file__).parents[2]
SECRET = "S3cr3t/P@ss:w0rd"
ESCAPED = "S3cr3t%2FP%40ss%3Aw0rd"
POOR = "sojourn_poor"


def refused(
    work: Callable[[], object], *says: str, kind: type[Exception] = StoreUnavailable
) -> str:
    """The message of the error with which the work ends; nothing of it shows the password."""
    with pytest.raises(kind) as caught:
        work()
    whole = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    for shown in (SECRET, ESCAPED, "S3cr3t", "w0rd"):
        assert shown not in whole
    for said in says:
        assert said in str(caught.value)
    return str(caught.value)


def qualified(server: Server, table: str) -> str:
    """The table, for the administrator, who may have no database."""
    return f"{DATABASE}.{table}" if isinstance(server, MariaDB) else table


def run(server: Server, script: str, table: str) -> None:
    """Run what an error said, as the administrator, in the application's database."""
    if isinstance(server, MariaDB):
        script = script.replace(f"`{table}`", f"`{DATABASE}`.`{table}`")
    for statement in script.rstrip().removesuffix(";").split(";\n"):
        server.sql(statement)


# -- addresses -----------------------------------------------------------------------------------


def test_a_password_that_is_none(make: Make, server: Server) -> None:
    store = make(server.url().replace("p%40ss%3Aw%2Frd", ESCAPED))
    refused(lambda: store.count(0.0), USER, "password")


def test_a_database_that_does_not_exist(make: Make, server: Server) -> None:
    """It is named, and how to make it."""
    store = make(server.url(f"{DATABASE}_nowhere"))
    refused(lambda: store.count(0.0), f"{DATABASE}_nowhere", "CREATE DATABASE")


def test_a_server_that_is_not_there(make: Make, server: Server) -> None:
    url = server.url().replace(f":{server.port}/", ":1/").replace("p%40ss%3Aw%2Frd", ESCAPED)
    refused(lambda: make(url).count(0.0), "cannot be reached")


ADDRESSES = {
    "mysql": f"ada:{SECRET}@carrier(127.0.0.1:3306)/db",
    "postgres": f"postgres://ada:{ESCAPED}@127.0.0.1:port/db",
    "sqlite": f"mysql://ada:{ESCAPED}@127.0.0.1/db",
}


@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize("manager", [Manager, AsyncManager])
def test_an_address_that_cannot_be_read(manager: Any, name: str) -> None:
    refused(
        lambda: manager(name, provider_config=ADDRESSES[name]), "provider_config", kind=ConfigError
    )


@pytest.mark.parametrize("name", ["mysql", "postgres", "sqlite"])
@pytest.mark.parametrize("manager", [Manager, AsyncManager])
def test_a_keyword_that_is_none(manager: Any, name: str) -> None:
    config = {"path" if name == "sqlite" else "dsn": f"ada:{SECRET}@/db", "pol": 3}
    refused(lambda: manager(name, provider_config=config), "pol", kind=ConfigError)


@pytest.mark.parametrize("way", KINDS)
@pytest.mark.parametrize(
    "setting",
    [{"table": "a b"}, {"table": "x" * 60}, {"pool": 0}, {"timeout": "soon"}, {"timeout": 0}],
    ids=str,
)
def test_a_setting_that_makes_no_sense(way: str, setting: dict[str, object]) -> None:
    """It is refused at once, not at the first request, and named with its value."""
    [(name, value)] = setting.items()
    address = "postgres://db/db" if way in ON_POSTGRES else "/db"
    refused(lambda: KINDS[way](address, **setting), name, repr(value), kind=ConfigError)


def test_a_driver_that_is_none() -> None:
    refused(lambda: KINDS["mysqlclient"].func("/db", driver="odbc"), "odbc", kind=ConfigError)  # type: ignore[attr-defined]


BLOCKED = {
    "MySQLProvider('/db')": ("MySQLdb", "pymysql", "sojourn[mysql]"),
    "AsyncMySQLProvider('/db')": ("asyncmy", "sojourn[mysql]"),
    "PostgresProvider('postgres://db/db')": ("psycopg", "sojourn[postgres]"),
    "AsyncPostgresProvider('postgres://db/db')": ("psycopg", "sojourn[postgres]"),
}
BLOCKING = """
import sys
sys.modules.update(dict.fromkeys({blocked}))
from sojourn.errors import ConfigError
from sojourn.providers.sql import *
try:
    {work}
except ConfigError as error:
    print(error)
"""


@pytest.mark.parametrize("work", BLOCKED)
def test_a_driver_that_is_not_installed(work: str) -> None:
    """The extra that brings it is named; and what needs no driver can be imported without."""
    *blocked, extra = BLOCKED[work]
    program = BLOCKING.format(blocked=[*blocked, "sqlalchemy"], work=work)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert extra in done.stdout
    assert "pip install" in done.stdout


# -- rights --------------------------------------------------------------------------------------


@pytest.fixture
def poor(server: Server) -> Iterator[str]:
    """The URL of a user who may come in, and nothing else."""
    if isinstance(server, MariaDB):
        server.sql(f"CREATE USER {POOR}@'%' IDENTIFIED BY '{SECRET}'")
        server.sql(f"CREATE TABLE IF NOT EXISTS {DATABASE}.other (a INT)")
        server.sql(f"GRANT SELECT ON {DATABASE}.other TO {POOR}")
    else:
        server.sql(f"CREATE ROLE {POOR} LOGIN PASSWORD '{SECRET}'")
    yield f"{server.scheme}://{POOR}:{ESCAPED}@127.0.0.1:{server.port}/{DATABASE}"
    if isinstance(server, MariaDB):
        server.sql(f"DROP USER {POOR}")
    else:
        server.sql(f"DROP OWNED BY {POOR}")
        server.sql(f"DROP ROLE {POOR}")


@pytest.mark.parametrize("create_table", [True, False])
def test_whoever_may_not_create_the_table_is_told_what_to_run(
    make: Make, server: Server, poor: str, table: str, *, create_table: bool
) -> None:
    """And once somebody has run just that, it goes on, in the same process."""
    store = make(poor, create_table=create_table)
    says = refused(lambda: store.count(0.0), "sojourn init", "CREATE TABLE", table, "GRANT")
    run(server, says[says.index("CREATE TABLE") :], table)
    assert store.create(record_of())
    assert store.count(0.0) == 1


def test_whoever_may_not_write_is_told_what_to_grant(
    make: Make, server: Server, poor: str, table: str, witness: Any
) -> None:
    witness.init()
    server.sql(f"GRANT SELECT ON {qualified(server, table)} TO {POOR}")
    store = make(poor)
    assert store.count(0.0) == 0
    refused(lambda: store.create(record_of()), "GRANT SELECT, INSERT, UPDATE, DELETE ON")
    assert store.read(record_of().id) is None


@pytest.mark.parametrize("way", ON_POSTGRES)
def test_whoever_may_not_write_to_a_table_made_again_is_told_what_to_grant(
    make: Make, server: Server, poor: str, table: str
) -> None:
    """The table was dropped, and who creates it has not the rights that owners usually have."""
    server.sql(f"GRANT CREATE ON SCHEMA public TO {POOR}")
    store = make(poor)
    assert store.count(0.0) == 0
    server.sql(f"DROP TABLE {table}")
    server.sql(f"ALTER DEFAULT PRIVILEGES FOR ROLE {POOR} REVOKE INSERT ON TABLES FROM {POOR}")
    refused(lambda: store.create(record_of()), "GRANT SELECT, INSERT, UPDATE, DELETE ON")


# -- tables --------------------------------------------------------------------------------------

FOREIGN = {"of something else": "its own", "of a later release": "sojourn layout 12"}


@pytest.mark.parametrize("comment", FOREIGN.values(), ids=FOREIGN)
def test_a_table_of_another_layout_is_left_alone(
    make: Make, server: Server, table: str, comment: str
) -> None:
    name = qualified(server, table)
    server.sql(f"CREATE TABLE {name} (a INT)")
    if isinstance(server, MariaDB):
        server.sql(f"ALTER TABLE {name} COMMENT = '{comment}'")
    else:
        server.sql(f"COMMENT ON TABLE {name} IS '{comment}'")
    store = make(server.url())
    for work in (lambda: store.create(record_of()), lambda: store.gc(9e9, 10)):
        refused(work, comment, "sojourn layout 1", "`table`", kind=StoreError)
    assert server.sql(f"SELECT * FROM {name}") == []


def test_a_table_with_other_columns_is_no_absent_session(
    make: Make, server: Server, table: str, witness: Any
) -> None:
    """Law 9: a fault is an error, whatever the comment says."""
    witness.init()
    name = qualified(server, table)
    server.sql(f"ALTER TABLE {name} DROP COLUMN head")
    store = make(server.url())
    for work in (
        lambda: store.read(record_of().id),
        lambda: store.create(record_of()),
        lambda: list(store.find(None, 0.0)),
    ):
        refused(work, "head", table, kind=StoreError)


def test_a_view_in_the_place_of_the_table_is_named(make: Make, server: Server, table: str) -> None:
    server.sql(f"CREATE VIEW {qualified(server, table)} AS SELECT 1 AS id")
    store = make(server.url())
    for work in (lambda: store.read(record_of().id), lambda: store.create(record_of())):
        refused(work, table, "`table`", kind=StoreError)


def test_a_table_that_was_dropped_is_made_again(
    store: Provider, server: Server, table: str
) -> None:
    assert store.create(record_of())
    server.sql(f"DROP TABLE {qualified(server, table)}")
    assert store.create(record_of())
    assert store.count(0.0) == 1


def test_a_table_that_was_dropped_is_no_absent_session(
    make: Make, server: Server, table: str, witness: Any
) -> None:
    """Law 9: where it may not be made."""
    witness.init()
    store = make(server.url(), create_table=False)
    assert store.create(record_of())
    server.sql(f"DROP TABLE {qualified(server, table)}")
    refused(lambda: store.read(record_of().id), "sojourn init")


@pytest.mark.parametrize("way", SYNC)
def test_many_may_make_the_table_at_once(way: str, make: Make, server: Server) -> None:
    """As the workers of an application do that starts for the first time."""
    stores = [make(server.url()) for _ in range(8)]
    all_ready = threading.Barrier(8, timeout=10.0)

    def begin(number: int) -> bool:
        all_ready.wait()
        return stores[number].create(record_of(number))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(begin, range(8)))
    assert stores[0].count(0.0) == 8


# -- check, init, ddl ----------------------------------------------------------------------------


def test_init_and_its_statements_make_the_same_table(
    way: str, make: Make, server: Server, table: str
) -> None:
    store: Any = make(server.url(), create_table=False)
    store.init()
    store.init()  # it may be repeated
    assert store.create(record_of())
    other = f"{table}_too"
    for statement in store.ddl().replace(table, other).rstrip(";\n").split(";\n"):
        server.sql(statement.replace(f"`{other}`", f"`{DATABASE}`.`{other}`"))
    if isinstance(server, Postgres):
        server.sql(f"GRANT ALL ON {other} TO {USER}")
    by_hand = make(server.url(), create_table=False, table=other)
    assert by_hand.create(record_of())
    assert shape(server, other) == [tuple(row) for row in shape(server, table)]


def shape(server: Server, table: str) -> list[tuple[Any, ...]]:
    """The columns of a table."""
    return server.sql(
        "SELECT column_name, column_type, is_nullable, collation_name"
        " FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position"
        if isinstance(server, MariaDB)
        else "SELECT column_name, data_type, is_nullable, collation_name"
        " FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position",
        table,
    )


@pytest.mark.parametrize("way", SYNC)
def test_check_warns_of_what_a_crash_would_lose(store: Any, server: Server, table: str) -> None:
    store.init()
    if isinstance(server, Postgres):
        assert any("fsync" in warning for warning in store.check())  # the tests' server has it off
        return
    assert store.check() == []
    server.sql("SET GLOBAL innodb_flush_log_at_trx_commit = 2")
    try:
        [warning] = store.check()
    finally:
        server.sql("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
    assert "innodb_flush_log_at_trx_commit is 2" in warning
    server.sql(f"ALTER TABLE {qualified(server, table)} ENGINE = Aria")
    [warning] = store.check()
    assert "Aria" in warning
