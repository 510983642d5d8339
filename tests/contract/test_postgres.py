"""The contract over PostgreSQL, in both colours."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import ormsgpack
import psycopg
import pytest
from psycopg.rows import scalar_row

from sojourn.providers.sql.postgres import AsyncPostgresProvider, PostgresProvider
from sojourn.testing import AsyncProviderContract, ProviderContract
from tests.servers.postgres import Postgres
from tests.servers.sql import USER

OPTION = ormsgpack.OPT_NON_STR_KEYS


class OnPostgres(ProviderContract):
    @pytest.fixture(autouse=True)
    def _database(self, postgres: Postgres) -> Iterator[None]:
        self.server = postgres
        self.name = f"schema_{secrets.token_hex(4)}"
        postgres.sql(f"CREATE SCHEMA {self.name} AUTHORIZATION {USER}")
        yield
        postgres.sql(f"DROP SCHEMA IF EXISTS {self.name} CASCADE")

    def make(self) -> Any:
        return PostgresProvider(self.server.url(), table=f"{self.name}.sessions")

    def again(self) -> Any:
        return self.make()

    def break_store(self) -> None:
        self.server.sql(f"DROP SCHEMA {self.name} CASCADE")

    def corrupt(self, id: str, field: bytes | None = None) -> None:
        table = f"{self.name}.sessions"
        with psycopg.connect(self.server.url()) as connection:
            run = connection.cursor(row_factory=scalar_row).execute
            data = run(f"SELECT fields FROM {table} WHERE id = %s", [id]).fetchone()
            assert data is not None
            if field is None:
                run(f"UPDATE {table} SET head = 'x' WHERE id = %s", [id])
            else:
                fields = {**ormsgpack.unpackb(data, option=OPTION), field: b"\xc1"}
                spoilt = ormsgpack.packb(fields, option=OPTION)
                run(f"UPDATE {table} SET fields = %s WHERE id = %s", [spoilt, id])


class TestPostgres(OnPostgres):
    pass


class TestAsyncPostgres(OnPostgres, AsyncProviderContract):
    async def make(self) -> AsyncPostgresProvider:
        return AsyncPostgresProvider(self.server.url(), table=f"{self.name}.sessions")

    async def again(self) -> AsyncPostgresProvider:
        return await self.make()
