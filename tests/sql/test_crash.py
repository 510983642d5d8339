"""Under load a server dies, cuts all connections, falls silent, or takes no writes for a while.

Nothing acknowledged is missing, nothing comes back, each request answers within the bound, and the
same providers go on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.load import COLOURS
from tests.sql.load import MYSQL, POSTGRES, Load, Pair, nothing_is_lost

PAIRS = {"mariadb": MYSQL, "postgres": POSTGRES}
DEATHS, CUTS = 3, 6
SILENCE = 3.5
"""Seconds, more than a request waits."""


@pytest.fixture(params=["mariadb", "postgres"], scope="module")
def pair(request: pytest.FixtureRequest) -> Pair:
    return PAIRS[request.param]


@pytest.fixture(scope="module")
def server(pair: Pair) -> Iterator[Any]:
    with pair.server() as server:
        yield server


def test_nothing_acknowledged_dies_with_the_server(server: Any, pair: Pair) -> None:
    with Load(pair, server.url()) as load:
        for _ in range(DEATHS):
            load.go_on(0.3)
            server.kill()
            server.start()
            load.until_served()
    assert all(map(load.errors, COLOURS)), load  # else it proved little
    nothing_is_lost(load)


def test_cut_connections_are_opened_again(server: Any, pair: Pair) -> None:
    with Load(pair, server.url(), filler=100_000) as load:
        for _ in range(CUTS):
            server.kill_connections()
            time.sleep(0.05)
        load.go_on(0.1)
    nothing_is_lost(load)


def test_silence_is_borne(server: Any, pair: Pair) -> None:
    with Load(pair, server.url()) as load:
        server.pause()
        time.sleep(SILENCE)
        server.resume()
        load.until_served()
    assert all(map(load.errors, COLOURS)), load
    nothing_is_lost(load)


def test_a_database_that_takes_no_writes_refuses_them(server: Any, pair: Pair) -> None:
    """Reads go on, nothing refused stands, and afterwards all goes on."""
    with Load(pair, server.url()) as load:
        with server.read_only():
            time.sleep(0.5)
        load.until_served()
    assert all(map(load.errors, COLOURS)), load
    nothing_is_lost(load)
