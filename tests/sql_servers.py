"""The databases that tests share; those that kill theirs start their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.mariadb_server import MariaDB
from tests.postgres_server import Postgres
from tests.sql_server import DATABASE, PASSWORD, USER, fresh_table

__all__ = [
    "DATABASE",
    "PASSWORD",
    "USER",
    "MariaDB",
    "Postgres",
    "fresh_table",
    "mariadb",
    "postgres",
]


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    with MariaDB() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server
