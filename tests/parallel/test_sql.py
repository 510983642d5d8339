"""Law 4 between processes that share a table: each has a provider and connections of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from sojourn import Manager
from tests.parallel.processes import hear, python, say
from tests.parallel.rounds import TURNS, WORK, WORKERS, begin
from tests.parallel.test_processes import PROMPT
from tests.parallel.visits import PATIENCE
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres
from tests.servers.process import BUSY
from tests.sql.stores import KINDS


@pytest.fixture(params=["mysqlclient", "psycopg", "sqlite"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def address(way: str, mariadb: MariaDB, postgres: Postgres, tmp_path: Path) -> Iterator[str]:
    """Where no session is yet."""
    if way == "sqlite":
        yield str(tmp_path / "sessions.db")
        return
    server = mariadb if way == "mysqlclient" else postgres
    with server.database() as name:
        yield server.url(name)


def test_processes_lose_nothing_of_each_other(way: str, address: str) -> None:
    """Keys, a list and a count, all changed in each request, so that no two agree."""
    manager = Manager(KINDS[way](address))
    headers = begin(manager).headers
    with contextlib.ExitStack() as stack:
        workers = [
            stack.enter_context(python("-m", "tests.sql.rounds", way, address, str(number)))
            for number in range(WORKERS)
        ]
        assert [hear(worker) for worker in workers] == ["ready"] * WORKERS
        for worker in workers:
            say(worker, headers["Cookie"])
        slowest = [float(worker.communicate(timeout=PATIENCE)[0]) for worker in workers]
        assert [worker.returncode for worker in workers] == [0] * WORKERS
    for work in WORK.values():
        work.check(manager.start(headers), TURNS)
    manager.close()
    assert max(slowest) < PROMPT + BUSY
