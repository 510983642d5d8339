"""Each way into each database, and a table of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from sojourn.providers.base import Provider
from tests.servers.sql import fresh_table
from tests.sql.stores import ON_MARIADB, WAYS, Make, Server, maker, witness_of


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(request: pytest.FixtureRequest, way: str) -> Server:
    """The server that it leads to."""
    server: Server = request.getfixturevalue("mariadb" if way in ON_MARIADB else "postgres")
    return server


@pytest.fixture
def table() -> str:
    return fresh_table()


@pytest.fixture
def make(way: str, table: str) -> Iterator[Make]:
    """Makes providers of one way."""
    with maker(way) as make:
        yield partial(make, table=table)


@pytest.fixture
def store(make: Make, server: Server) -> Provider:
    """A provider of one way on its server."""
    return make(server.url())


@pytest.fixture
def witness(server: Server, table: str) -> Iterator[Provider]:
    """One that sees what really stands."""
    witness = witness_of(server, table)
    yield witness
    witness.close()
