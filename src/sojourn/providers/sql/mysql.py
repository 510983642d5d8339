"""MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sojourn.providers.sql import dsn as dsn_
from sojourn.providers.sql.dialects import MYSQL
from sojourn.providers.sql.driver import Driver
from sojourn.providers.sql.dsn import MySQL
from sojourn.providers.sql.lent import AsyncEngine, Engine, FaultOf, is_engine, spoken
from sojourn.providers.sql.link import AsyncLink, Link
from sojourn.providers.sql.mysql_async import Asyncmy
from sojourn.providers.sql.mysql_drivers import MySQLClient, PyMySQL
from sojourn.providers.sql.mysql_faults import fault
from sojourn.providers.sql.pool import AsyncPool
from sojourn.providers.sql.provider import AsyncSQLProvider, SQLProvider
from sojourn.providers.sql.settings import POOL, TABLE, TIMEOUT, checked, fastest, pool_of
from sojourn.providers.sql.statements import statements

DRIVERS: dict[str, Callable[[MySQL, float], Driver]] = {
    "mysqlclient": MySQLClient,
    "pymysql": PyMySQL,
}
"""The fastest first."""
NAMES = {"mysql": "MySQL", "mariadb": "MariaDB"}


class MySQLProvider(SQLProvider):
    """Keeps records in MySQL or MariaDB."""

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
        """Connect when it is first used; raise ConfigError for what is wrong with any of these.

        dsn: `username:password@protocol(address)/dbname?param=value`, or a URL; or an engine of
            SQLAlchemy that the application has, to which `pool` and the timeouts say nothing.
        table: in which the sessions are.
        pool: how many connections to open at most.
        timeout: seconds to wait for one of them, for the server, and for others' locks.
        idle_timeout: seconds after which an idle one is closed rather than used.
        create_table: make the table if it is not there.
        driver: "mysqlclient" or "pymysql"; None is the faster one of those that are installed.
        """
        checked(pool, timeout, idle_timeout)
        if is_engine(dsn, NAMES, is_async=False):
            sql = spoken(MYSQL, table, dsn)
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
    """Keeps records in MySQL or MariaDB."""

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
        """Connect when it is first used; raise ConfigError for what is wrong with any of these.

        dsn: `username:password@protocol(address)/dbname?param=value`, or a URL; or an engine of
            SQLAlchemy that the application has, to which `pool` and the timeouts say nothing.
        table: in which the sessions are.
        pool: how many connections to open at most, for each event loop.
        timeout: seconds to wait for one of them, for the server, and for others' locks.
        idle_timeout: seconds after which an idle one is closed rather than used.
        create_table: make the table if it is not there.
        """
        checked(pool, timeout, idle_timeout)
        if is_engine(dsn, NAMES, is_async=True):
            sql = spoken(MYSQL, table, dsn)
            lent = AsyncEngine(dsn, _fault_of(dsn))
            super().__init__(AsyncLink(lent, lent), sql, create=create_table)
            return
        target = dsn_.mysql(dsn)
        sql = statements(MYSQL._replace(mark="?"), table, target.user)  # asyncmy prepares them
        way = fastest({"asyncmy": Asyncmy}, None, "mysql")(target, timeout)
        source = AsyncPool(way, pool, timeout, idle_timeout)
        super().__init__(AsyncLink(source, way), sql, create=create_table)


def _fault_of(engine: Any) -> FaultOf:
    url = engine.url
    return partial(fault, MySQL(user=url.username or "", database=url.database or ""))
