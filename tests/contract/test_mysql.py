"""The contract over MySQL and MariaDB, in both colours and with each driver."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import ormsgpack
import pytest

from sojourn.providers.sql.mysql import AsyncMySQLProvider, MySQLProvider
from sojourn.testing import AsyncProviderContract, ProviderContract
from tests.servers.mariadb import MariaDB
from tests.servers.sql import DATABASE

OPTION = ormsgpack.OPT_NON_STR_KEYS


class OnMariaDB(ProviderContract):
    driver: str | None = None

    @pytest.fixture(autouse=True)
    def _database(self, mariadb: MariaDB) -> Iterator[None]:
        self.server = mariadb
        self.name = f"{DATABASE}_{secrets.token_hex(4)}"
        mariadb.create(self.name)
        yield
        mariadb.sql(f"DROP DATABASE IF EXISTS {self.name}")

    def make(self) -> Any:
        return MySQLProvider(self.server.dsn(self.name), driver=self.driver)

    def again(self) -> Any:
        return self.make()

    def break_store(self) -> None:
        self.server.drop(self.name)

    def corrupt(self, id: str, field: bytes | None = None) -> None:
        table = f"{self.name}.sojourn_sessions"
        [(data,)] = self.server.sql(f"SELECT fields FROM {table} WHERE id = %s", id)
        if field is None:
            self.server.sql(f"UPDATE {table} SET head = 'x' WHERE id = %s", id)
        else:
            fields = {**ormsgpack.unpackb(data, option=OPTION), field: b"\xc1"}
            spoilt = ormsgpack.packb(fields, option=OPTION)
            self.server.sql(f"UPDATE {table} SET fields = %s WHERE id = %s", spoilt, id)


class TestMySQLClient(OnMariaDB):
    driver = "mysqlclient"


class TestPyMySQL(OnMariaDB):
    driver = "pymysql"


class TestAsyncmy(OnMariaDB, AsyncProviderContract):
    async def make(self) -> AsyncMySQLProvider:
        return AsyncMySQLProvider(self.server.dsn(self.name))

    async def again(self) -> AsyncMySQLProvider:
        return await self.make()
