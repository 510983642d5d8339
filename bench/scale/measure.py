"""Measures the figures of `bench.scale.figures` on servers of its own."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

from bench.scale.figures import FILE
from bench.scale.operations import NOW, SIZES, Costs, records, traffic
from sojourn.errors import StoreError
from sojourn.providers.redis import RedisProvider, verbs
from sojourn.providers.sql import PostgresProvider
from sojourn.providers.sql.rows import Row, row_of
from sojourn.record import Changes, Record
from tests.servers.postgres import Postgres
from tests.servers.process import wait_until
from tests.servers.redis import Redis
from tests.servers.redis_groups import RedisCluster

Found = dict[str, float]
KINDS = {"anonymous": False, "user": True}
PAGE = 8192
TABLE = "sojourn_sessions"
SETTINGS: dict[str, Any] = {
    "fsync": "on",
    "synchronous_commit": "off",
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
}
"""PostgreSQL does not wait for the disk, and begins no other work while it is measured."""
TOGETHER = 500
"""The number of sessions that are created in one round trip."""


def write(sessions: int, say: Callable[[str], None], file: Path = FILE) -> None:
    """Measure with so many sessions, and write the figures to a file."""
    found: dict[str, Any] = {"sessions": sessions, "machine": _machine()}
    found["redis"] = [_rounded(redis(size, sessions, say)) for size in SIZES]
    found["postgres"] = [_rounded(postgres(size, sessions, say)) for size in SIZES]
    found["election"] = round(election(say), 2)
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _rounded(found: Found) -> Found:
    return {name: round(value, 3) for name, value in found.items()}


def _machine() -> str:
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    names = [line.partition(":")[2] for line in info.splitlines() if line.startswith("model name")]
    with Redis() as server, Postgres() as database:
        redis_version = server.cli("INFO", "server")["redis_version"]
        [(postgres_version,)] = database.sql("SHOW server_version")
    return (
        f"{' '.join(names[0].split()) if names else platform.machine()}; "
        f"Redis {redis_version}, PostgreSQL {postgres_version.split()[0]}"
    )


# -- Redis -----------------------------------------------------------------------------------------


def redis(size: str, sessions: int, say: Callable[[str], None]) -> Found:
    """Return the figures of a Redis with a replica, filled with so many sessions."""
    found = Found()
    with (
        Redis() as server,
        Redis() as replica,
        closing(RedisProvider(server.url(), timeout=30.0)) as provider,
    ):
        replica.cli("REPLICAOF", "127.0.0.1", server.port)
        wait_until(lambda: _offset(server) > 0, "the replica follows")
        for kind, users in KINDS.items():
            say(f"Redis: {sessions:,} sessions of {size}, {kind}")
            server.flush()
            before = server.cli("INFO", "memory")["used_memory"]
            kept = _fill_redis(provider, sessions, size, users=users)
            found[kind] = (server.cli("INFO", "memory")["used_memory"] - before) / sessions
            found[f"{kind} index"] = _index(server) / sessions
        say(f"Redis: the operations, {size}")
        found |= Costs(provider, lambda: _redis_counters(server), size, kept).measure()
    return found


def _fill_redis(provider: RedisProvider, sessions: int, size: str, *, users: bool) -> list[Record]:
    """Create sessions, many in each round trip; return a sample of them."""
    layout, executor = provider._layout, provider._executor  # noqa: SLF001 - it sends many at once
    made, kept = records(range(sessions), size, users=users), list[Record]()
    while batch := [*islice(made, TOGETHER)]:
        executor.repeat_all([verbs.create(layout, record) for record in batch])
        kept += batch[:: _every(sessions)]
    return kept


def _every(sessions: int) -> int:
    """Return the number of sessions of which one is kept: 5,000 to measure the operations on."""
    return max(1, min(TOGETHER // 2, sessions // 5000))


def _index(server: Redis) -> float:
    assert server.admin
    keys = server.admin.scan_iter(count=10_000, _type="zset")
    return float(sum(server.cli("MEMORY USAGE", key.decode(), "SAMPLES", 0) for key in keys))


def _offset(server: Redis) -> float:
    return float(server.cli("INFO", "replication")["master_repl_offset"])


def _redis_counters(server: Redis) -> Found:
    used = server.cli("INFO", "cpu")
    seconds = used["used_cpu_user_main_thread"] + used["used_cpu_sys_main_thread"]
    return {"cpu": seconds * 1e6, "log": _offset(server), **traffic(server.port)}


def election(say: Callable[[str], None]) -> float:
    """Return the seconds that a cluster needs to replace a master, but for 1.25 node timeouts."""
    say("Redis Cluster: a failover")
    timeout = 5.0
    with (
        RedisCluster(replicas=1, cluster_node_timeout=int(timeout * 1000)) as cluster,
        closing(RedisProvider(cluster.url(), timeout=0.5)) as provider,
    ):
        [record] = records([0], "200 B", users=False)
        provider.create(record)
        cluster.master_of(f"{{{record.id[:2]}}}").kill()
        begin = perf_counter()
        while True:
            try:
                provider.destroy(record.id)
            except StoreError:
                time.sleep(0.05)
            else:
                return perf_counter() - begin - 1.25 * timeout


# -- PostgreSQL ------------------------------------------------------------------------------------


def postgres(size: str, sessions: int, say: Callable[[str], None]) -> Found:
    """Return the figures of a PostgreSQL, filled with so many sessions."""
    found = Found()
    with Postgres(**SETTINGS) as server, closing(PostgresProvider(server.url())) as provider:
        provider.count(NOW)  # creates the table
        for kind, users in KINDS.items():
            say(f"PostgreSQL: {sessions:,} sessions of {size}, {kind}")
            server.sql(f"TRUNCATE {TABLE}")
            kept = _fill_postgres(server, sessions, size, users=users)
            found[kind] = _size(server, "pg_total_relation_size") / sessions
            found[f"{kind} index"] = _size(server, "pg_indexes_size") / sessions
        say(f"PostgreSQL: the operations, {size}")
        found["vacuum"] = _vacuum(server) / sessions
        found["hot"] = _hot(server, provider, kept)
        found |= _postgres_operations(server, provider, size, kept)
    return found


def _fill_postgres(server: Postgres, sessions: int, size: str, *, users: bool) -> list[Record]:
    """Insert sessions by COPY; return a sample of them."""
    every, kept = _every(sessions), list[Record]()
    columns = ", ".join(Row._fields)
    with (
        server.admin.cursor() as cursor,
        cursor.copy(f"COPY {TABLE} ({columns}) FROM STDIN") as copy,
    ):
        for number, record in enumerate(records(range(sessions), size, users=users)):
            copy.write_row(row_of(record))
            if number % every == 0:
                kept.append(record)
    server.sql(f"VACUUM ANALYZE {TABLE}")
    return kept


def _size(server: Postgres, function: str) -> float:
    return float(server.sql(f"SELECT {function}('{TABLE}')")[0][0])


def _vacuum(server: Postgres) -> float:
    """Let every fiftieth row die; return the µs of processor time that a vacuum takes."""
    server.sql(
        f"UPDATE {TABLE} SET expires = expires + 1 WHERE id LIKE '_00%' OR id LIKE '_01%'"
        " OR id LIKE '_02%' OR id LIKE '_03%' OR id LIKE '_04%'"
    )
    before = _postgres_cpu(server)
    server.sql(f"VACUUM (INDEX_CLEANUP ON) {TABLE}")
    return _postgres_cpu(server) - before


def _hot(server: Postgres, provider: PostgresProvider, kept: list[Record]) -> float:
    """Return the share of writes that add no entry to an index (heap-only tuples)."""
    updated, hot = _updates(server)
    for record in kept:
        provider.update(record, Changes(NOW, put=record.fields))
    # A connection reports what it did once it has been idle for ten seconds.
    wait_until(lambda: _updates(server)[0] >= updated + len(kept), "the updates are counted")
    return (_updates(server)[1] - hot) / len(kept)


def _updates(server: Postgres) -> tuple[int, int]:
    [(updated, hot)] = server.sql(
        f"SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = '{TABLE}'"
    )
    return updated, hot


def _postgres_operations(
    server: Postgres, provider: PostgresProvider, size: str, kept: list[Record]
) -> Found:
    """Return the costs of the operations, without whole pages in the log, and those by themselves."""
    half = len(kept) // 2
    _set(server, "full_page_writes", "off")
    found = Costs(provider, lambda: _postgres_counters(server), size, kept[:half]).measure()
    _set(server, "full_page_writes", "on")
    whole = Costs(
        provider,
        lambda: _postgres_counters(server),
        size,
        kept[half:],
        prepare=lambda: server.sql("CHECKPOINT"),
    ).measure()
    for name in [name for name in found if name.endswith(" log")]:
        pages = (whole[name] - found[name]) / PAGE
        found[name.replace(" log", " pages")] = round(max(0.0, pages), 2)
    return found


def _set(server: Postgres, name: str, value: str) -> None:
    server.sql(f"ALTER SYSTEM SET {name} = {value}")
    server.sql("SELECT pg_reload_conf()")
    wait_until(lambda: server.sql(f"SHOW {name}") == [(value,)], f"{name} is {value}")


def _postgres_counters(server: Postgres) -> Found:
    [(log,)] = server.sql("SELECT pg_current_wal_insert_lsn() - '0/0'")
    return {"cpu": _postgres_cpu(server), "log": float(log), **traffic(server.port)}


def _postgres_cpu(server: Postgres) -> float:
    """Return the µs of processor time that all processes of the server have used."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text(encoding="ascii")
    used = (Path(f"/proc/{pid}/schedstat") for pid in [str(server.pid), *children.split()])
    return sum(int(file.read_text(encoding="ascii").split()[0]) for file in used) / 1e3
