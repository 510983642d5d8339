"""Law 1, counted where it counts: at the server, and at the driver of SQLite.

The costs of the contract, in which each trip to a provider has to be one statement; but where
requests really collide, a row that somebody else has changed meanwhile is read again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sojourn.providers.base import Provider
from sojourn.providers.sql.sqlite import SQLiteProvider
from sojourn.testing import AsyncProviderContract
from sojourn.testing._subject import Work
from sojourn.testing._tools import AsyncTrips, Trips
from sojourn.testing.laws.costs import Costs
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres
from tests.servers.sql import fresh_table
from tests.sql.stores import KINDS

WORKS: list[tuple[float, Work]] = [
    (0, lambda session: session.update(a=2)),
    (60, len),
    (60, lambda session: session.update(a=3)),
    (0, lambda session: session.set_lifetime(90)),
    (0, lambda session: session.login("ada")),
    (0, lambda session: session.destroy()),
    (0, lambda session: session.update(a=1)),
    (0, lambda session: session.clear()),
]
"""Every statement there is, and how many seconds later."""


class Counted(Costs):
    """The costs of requests, counted twice."""

    way: str
    statements: Callable[[], int]
    url: str
    collisions = 0

    def make(self) -> Any:
        return KINDS[self.way](self.url, table=fresh_table())

    @pytest.fixture(autouse=True)
    def _counted(self, _at: None, _subject: None) -> None:
        self._warm_up()
        self.before = self.statements()
        log = self.trips.taken

        def taken() -> list[str]:
            verbs, number = log(), self.statements()
            collisions = self.collisions if "read" in verbs else 0
            assert number - self.before == len(verbs) + collisions, verbs
            self.before = number
            return verbs

        self.trips.taken = taken  # type: ignore[method-assign]

    def _warm_up(self) -> None:
        """Open the connection, and let it prepare what it will ask: once for all requests."""
        client = self.visitor({"a": 1})
        for seconds, work in WORKS:
            self.clock.advance(seconds)
            with client.visit() as session:
                work(session)
        self.trips.taken()

    def test_a_collision_costs_one_trip_more(self) -> None:
        """The row is read, to be handed over as it stands."""
        self.collisions = 1
        super().test_a_collision_costs_one_trip_more()

    def test_changes_to_different_keys_do_not_collide(self) -> None:
        """Both change the same row: the second one reads it and tries again."""
        self.collisions = 2
        super().test_changes_to_different_keys_do_not_collide()


class CountedAsync(Counted):
    bridged = AsyncProviderContract.bridged
    call = AsyncProviderContract.call
    opened: Callable[..., tuple[Provider, Trips | AsyncTrips]] = AsyncProviderContract.opened
    managed = AsyncProviderContract.managed


class OnMariaDB(Counted):
    @pytest.fixture(autouse=True)
    def _at(self, mariadb: MariaDB) -> None:
        self.url, self.statements = mariadb.url(), mariadb.statements


class OnPostgres(Counted):
    @pytest.fixture(autouse=True)
    def _at(self, postgres: Postgres) -> None:
        self.url, self.statements = postgres.url(), postgres.statements


class TestMySQLClient(OnMariaDB):
    way = "mysqlclient"


class TestPyMySQL(OnMariaDB):
    way = "pymysql"


class TestAsyncmy(OnMariaDB, CountedAsync):
    way = "asyncmy"


class TestPsycopg(OnPostgres):
    way = "psycopg"


class TestAsyncPsycopg(OnPostgres, CountedAsync):
    way = "async psycopg"


class TestSQLite(Counted):
    """SQLite itself says what it carries out."""

    @pytest.fixture(autouse=True)
    def _at(self) -> None:
        self.log: list[str] = []
        self.statements = self._carried_out

    def make(self) -> Any:
        self.provider = SQLiteProvider(self.folder / "sessions.db", pool=1)
        return self.provider

    def _warm_up(self) -> None:
        self.store.count(self.clock())
        source: Any = self.provider._link._source
        connection = source.take()
        connection.sqlite.set_trace_callback(self.log.append)
        source.put(connection)

    def _carried_out(self) -> int:
        return len(self.log)
