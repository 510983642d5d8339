"""Law 12: sweeping, counting and finding ask the indexes, in bounded steps, and disturb nobody."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sojourn.providers.base import Provider
from sojourn.providers.sql.dialects import MYSQL, POSTGRES
from sojourn.providers.sql.statements import Statements, statements
from sojourn.record import Changes, Outcome
from tests.servers.mariadb import MariaDB
from tests.servers.sql import DATABASE
from tests.sql.stores import HOUR, Server, id_of, record_of

ROWS, EXPIRED = 4_000, 300
NOW = record_of().seen
ON_MARIADB = f"""INSERT INTO {DATABASE}.$table
SELECT sha2(seq, 256), 0, concat('user', mod(seq, 100)), {NOW} - 9, {NOW} - {EXPIRED} + seq, NULL, NULL,
'x', repeat('x', 500) FROM {DATABASE}.seq_1_to_{ROWS}"""
ON_POSTGRES = f"""INSERT INTO $table
SELECT encode(sha256(n::text::bytea), 'hex'), 0, ('user' || n % 100)::bytea, {NOW} - 9,
{NOW} - {EXPIRED} + n, NULL, NULL, 'x', repeat('x', 500)::bytea FROM generate_series(1, {ROWS}) n"""


@pytest.fixture(params=["mysqlclient", "psycopg"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sql(store: Provider, server: Server, table: str) -> Statements:
    """The statements for a table with many rows, of which the database knows how they lie."""
    assert store.count(0.0) == 0
    if isinstance(server, MariaDB):
        server.sql(ON_MARIADB.replace("$table", table))
        server.sql(f"ANALYZE TABLE {DATABASE}.{table}")
        return statements(MYSQL, f"{DATABASE}.{table}")
    server.sql(ON_POSTGRES.replace("$table", table))
    server.sql(f"VACUUM ANALYZE {table}")
    return statements(POSTGRES, table)


PLANNED: dict[str, tuple[tuple[Any, ...], str]] = {
    "gc": ((NOW, 100), "_expires"),
    "live": ((NOW + ROWS - 2 * EXPIRED,), "_expires"),
    "owned": ((b"user7",), "_owner"),
    "read": ((id_of(1),), "(PRIMARY|_pkey)"),
    "listed": (("f0", 100), "(PRIMARY|_pkey)"),
    "touch": ((NOW, NOW, id_of(1), NOW, None), "(PRIMARY|_pkey)"),
    "remove": ((id_of(1), 0), "(PRIMARY|_pkey)"),
}


@pytest.mark.parametrize("name", PLANNED)
def test_plans_use_the_indexes(sql: Statements, server: Server, name: str) -> None:
    parameters, index = PLANNED[name]
    plan = str(server.sql(f"EXPLAIN {getattr(sql, name)}", *parameters))
    assert re.search(index, plan), plan
    assert "'ALL'" not in plan
    assert "Seq Scan" not in plan


@pytest.mark.parametrize("way", ["psycopg"])
@pytest.mark.parametrize("name", PLANNED)
def test_plans_that_are_prepared_for_any_parameters_use_the_indexes(
    sql: Statements, server: Server, name: str
) -> None:
    """PostgreSQL plans a prepared statement without its parameters once it was executed often."""
    parameters, index = PLANNED[name]
    numbered = getattr(statements(POSTGRES._replace(mark="$"), sql.table.strip('"')), name)
    values = ", ".join("NULL" if value is None else literal(value) for value in parameters)
    server.sql("SET plan_cache_mode = force_generic_plan")
    server.sql(f"PREPARE planned AS {numbered}")
    plan = str(server.sql(f"EXPLAIN EXECUTE planned({values})"))
    server.sql("DEALLOCATE planned")
    server.sql("RESET plan_cache_mode")
    assert re.search(index, plan), plan
    assert not re.search("Sort|BitmapAnd", plan), plan
    assert "Seq Scan" not in plan


def literal(value: object) -> str:
    return f"'\\x{value.hex()}'" if isinstance(value, bytes) else f"'{value}'"


def test_each_answer_is_short_whatever_stands(store: Any, sql: Statements) -> None:
    """Nobody has swept, and few sessions are left of many: each statement ends soon nevertheless."""
    late = NOW + ROWS + HOUR
    left = [record_of(name, now=NOW, expires=late + HOUR) for name in ("one", "two", "three")]
    assert all(map(store.create, left))
    lengths, run = list[int](), store._link.run

    def counting(*args: Any) -> Any:
        answer = run(*args)
        lengths.append(len(answer.rows))
        return answer

    store._link.run = counting
    assert [found.id for found in store.find(None, late)] == sorted(each.id for each in left)
    assert sum(lengths) > ROWS
    assert max(lengths) == 1000
    lengths.clear()
    assert store.count(late) == len(left)
    assert store.gc(late, 10) == 10
    assert lengths == [1, 0]


def test_a_sweep_takes_the_oldest_and_no_more_than_it_is_told(
    store: Provider, sql: Statements
) -> None:
    assert [store.gc(NOW, 100) for _ in range(4)] == [100, 100, 100, 0]
    assert store.count(0.0) == ROWS - EXPIRED


def test_a_batch_takes_few_rows_whatever_stands(
    store: Provider, sql: Statements, server: Server, table: str
) -> None:
    """The oldest go first: what is left is what expired last."""
    assert store.gc(NOW, 10) == 10
    name = f"{DATABASE}.{table}" if isinstance(server, MariaDB) else table
    [(oldest,)] = server.sql(f"SELECT min(expires) FROM {name}")
    assert oldest == pytest.approx(NOW - EXPIRED + 11, abs=0.1)


def test_sweeping_takes_nothing_that_was_touched(store: Provider) -> None:
    """Whoever was told that his session goes on, has one; all others are gone."""
    records = [record_of(number, now=NOW - HOUR, expires=NOW) for number in range(200)]
    assert all(map(store.create, records))
    touch = Changes(NOW - 1.0, expires=NOW + HOUR)
    with ThreadPoolExecutor(5) as pool:
        sweeps = [pool.submit(store.gc, NOW, 3) for _ in range(40)]
        outcomes = list(pool.map(lambda record: store.update(record, touch), records))
        swept = sum(sweep.result() for sweep in sweeps)
    kept = {
        record.id
        for record, outcome in zip(records, outcomes, strict=True)
        if outcome is Outcome.APPLIED
    }
    while more := store.gc(NOW, 10):
        swept += more
    assert {found.id for found in store.find(None, NOW)} == kept
    assert swept == len(records) - len(kept)
    assert 0 < len(kept) < len(records)
