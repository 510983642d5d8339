"""The providers for PostgreSQL: they turn an address or an engine into a link."""

from __future__ import annotations

from typing import Any

from sojourn.providers.sql import dsn as dsn_
from sojourn.providers.sql.dialects import POSTGRES
from sojourn.providers.sql.link import AsyncLink, Link
from sojourn.providers.sql.pool import AsyncPool
from sojourn.providers.sql.postgres_drivers import AsyncPsycopg, Psycopg
from sojourn.providers.sql.postgres_faults import fault
from sojourn.providers.sql.provider import AsyncSQLProvider, SQLProvider
from sojourn.providers.sql.settings import POOL, TABLE, TIMEOUT, checked, fastest, pool_of
from sojourn.providers.sql.sqlalchemy_engine import (
    AsyncEngine,
    Engine,
    is_engine,
    statements_for_engine,
)
from sojourn.providers.sql.statements import statements

NAMES = {"postgresql": "PostgreSQL"}
# libpq takes PostgreSQL's own marks; an engine those of its driver.
NUMBERED = POSTGRES._replace(mark="$")


class PostgresProvider(SQLProvider):
    """Keeps records in a table of PostgreSQL."""

    def __init__(
        self,
        dsn: Any,
        *,
        table: str = TABLE,
        pool: int = POOL,
        timeout: float = TIMEOUT,
        idle_timeout: float | None = None,
        create_table: bool = True,
    ) -> None:
        """Prepare the provider, without connecting; raise ConfigError for an invalid argument.

        dsn: a URL, or libpq's `key=value` pairs, or an engine of SQLAlchemy, which has its own pool
            and timeouts: those given here then have no effect.
        table: the name of the table, optionally preceded by a schema and a dot.
        pool: the largest number of open connections of this process.
        timeout: seconds to wait for a free connection, a new one, and locks held by others; for an
            answer one second more.
        idle_timeout: seconds after which an idle connection is closed instead of used.
        create_table: whether to create the table if it does not exist.
        """
        checked(pool, timeout, idle_timeout)
        if is_engine(dsn, NAMES, is_async=False):
            sql = statements_for_engine(POSTGRES, table, dsn)
            lent = Engine(dsn, fault)
            super().__init__(Link(lent, lent), sql, create=create_table)
            return
        way = fastest({"psycopg": Psycopg}, None, "postgres")(dsn_.postgres(dsn), timeout)
        sql = statements(NUMBERED, table, way.user)
        super().__init__(
            Link(pool_of(way, pool, timeout, idle_timeout), way), sql, create=create_table
        )


class AsyncPostgresProvider(AsyncSQLProvider):
    """Keeps records in a table of PostgreSQL."""

    def __init__(
        self,
        dsn: Any,
        *,
        table: str = TABLE,
        pool: int = POOL,
        timeout: float = TIMEOUT,
        idle_timeout: float | None = None,
        create_table: bool = True,
    ) -> None:
        """Prepare the provider, without connecting; raise ConfigError for an invalid argument.

        dsn: a URL, or libpq's `key=value` pairs, or an engine of SQLAlchemy, which has its own pool
            and timeouts: those given here then have no effect.
        table: the name of the table, optionally preceded by a schema and a dot.
        pool: the largest number of open connections of each event loop.
        timeout: seconds to wait for a free connection, a new one, and locks held by others; for an
            answer one second more.
        idle_timeout: seconds after which an idle connection is closed instead of used.
        create_table: whether to create the table if it does not exist.
        """
        checked(pool, timeout, idle_timeout)
        if is_engine(dsn, NAMES, is_async=True):
            sql = statements_for_engine(POSTGRES, table, dsn)
            lent = AsyncEngine(dsn, fault)
            super().__init__(AsyncLink(lent, lent), sql, create=create_table)
            return
        way = fastest({"psycopg": AsyncPsycopg}, None, "postgres")(dsn_.postgres(dsn), timeout)
        sql = statements(NUMBERED, table, way.user)
        source = AsyncPool(way, pool, timeout, idle_timeout)
        super().__init__(AsyncLink(source, way), sql, create=create_table)
