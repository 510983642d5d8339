"""The providers for MySQL and MariaDB: they turn an address or an engine into a link."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sojourn.providers.sql import dsn as dsn_
from sojourn.providers.sql.dialects import MYSQL
from sojourn.providers.sql.driver import Driver
from sojourn.providers.sql.dsn import MySQL
from sojourn.providers.sql.link import AsyncLink, Link
from sojourn.providers.sql.mysql_async import Asyncmy
from sojourn.providers.sql.mysql_drivers import MySQLClient, PyMySQL
from sojourn.providers.sql.mysql_faults import fault
from sojourn.providers.sql.pool import AsyncPool
from sojourn.providers.sql.provider import AsyncSQLProvider, SQLProvider
from sojourn.providers.sql.settings import POOL, TABLE, TIMEOUT, checked, fastest, pool_of
from sojourn.providers.sql.sqlalchemy_engine import (
    AsyncEngine,
    Engine,
    FaultOf,
    is_engine,
    statements_for_engine,
)
from sojourn.providers.sql.statements import statements

DRIVERS: dict[str, Callable[[MySQL, float], Driver]] = {
    "mysqlclient": MySQLClient,
    "pymysql": PyMySQL,
}
"""The drivers for threads, the fastest first."""
# The dialect names of SQLAlchemy, which distinguishes the two.
NAMES = {"mysql": "MySQL", "mariadb": "MariaDB"}


class MySQLProvider(SQLProvider):
    """Keeps records in a table of MySQL or MariaDB."""

    def __init__(
        self,
        dsn: Any,
        *,
        table: str = TABLE,
        pool: int = POOL,
        timeout: float = TIMEOUT,
        idle_timeout: float | None = None,
        create_table: bool = True,
        driver: str | None = None,
    ) -> None:
        """Prepare the provider, without connecting; raise ConfigError for an invalid argument.

        dsn: `username:password@protocol(address)/dbname?param=value`, or a URL, or an engine of
            SQLAlchemy, which has its own pool and timeouts: those given here then have no effect.
        table: the name of the table, optionally preceded by a database and a dot.
        pool: the largest number of open connections of this process.
        timeout: seconds to wait for a free connection, a new one, and locks held by others; for an
            answer one second more.
        idle_timeout: seconds after which an idle connection is closed instead of used.
        create_table: whether to create the table if it does not exist.
        driver: "mysqlclient" or "pymysql"; None for the faster one of those that are installed.
        """
        checked(pool, timeout, idle_timeout)
        if is_engine(dsn, NAMES, is_async=False):
            sql = statements_for_engine(MYSQL, table, dsn)
            lent = Engine(dsn, _fault_of(dsn))
            super().__init__(Link(lent, lent), sql, create=create_table)
            return
        target = dsn_.mysql(dsn)
        sql = statements(MYSQL, table, target.user)
        way = fastest(DRIVERS, driver, "mysql")(target, timeout)
        super().__init__(
            Link(pool_of(way, pool, timeout, idle_timeout), way), sql, create=create_table
        )


class AsyncMySQLProvider(AsyncSQLProvider):
    """Keeps records in a table of MySQL or MariaDB."""

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

        dsn: `username:password@protocol(address)/dbname?param=value`, or a URL, or an engine of
            SQLAlchemy, which has its own pool and timeouts: those given here then have no effect.
        table: the name of the table, optionally preceded by a database and a dot.
        pool: the largest number of open connections of each event loop.
        timeout: seconds to wait for a free connection, a new one, and locks held by others; for an
            answer one second more.
        idle_timeout: seconds after which an idle connection is closed instead of used.
        create_table: whether to create the table if it does not exist.
        """
        checked(pool, timeout, idle_timeout)
        if is_engine(dsn, NAMES, is_async=True):
            sql = statements_for_engine(MYSQL, table, dsn)
            lent = AsyncEngine(dsn, _fault_of(dsn))
            super().__init__(AsyncLink(lent, lent), sql, create=create_table)
            return
        target = dsn_.mysql(dsn)
        # asyncmy prepares the statements, and MySQL's own mark for that is `?`.
        sql = statements(MYSQL._replace(mark="?"), table, target.user)
        way = fastest({"asyncmy": Asyncmy}, None, "mysql")(target, timeout)
        source = AsyncPool(way, pool, timeout, idle_timeout)
        super().__init__(AsyncLink(source, way), sql, create=create_table)


def _fault_of(engine: Any) -> FaultOf:
    # For the hints in error messages, which name the user and the database.
    url = engine.url
    return partial(fault, MySQL(user=url.username or "", database=url.database or ""))
