"""The database servers of other tests really serve, crash, come back, and leave nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest

from tests.servers.certificates import Certificate
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres
from tests.servers.process import Server
from tests.servers.sql import DATABASE, fresh_table

ROOT = Path(__file__).parents[2]
KINDS = (MariaDB, Postgres)
BROKEN = (pymysql.err.Error, psycopg.Error)

ABANDONED = """
import os, signal
from tests.servers.process import Server
from tests.servers.mariadb import MariaDB
with MariaDB() as server:
    print(server.pid, server.folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@contextlib.contextmanager
def client(server: MariaDB | Postgres, database: str = DATABASE) -> Iterator[Any]:
    """A cursor of the application's user."""
    limit: dict[str, Any] = {"connect_timeout": 2}
    if isinstance(server, MariaDB):
        limit |= {"database": database, "read_timeout": 1, "autocommit": True}
        connection: Any = pymysql.connect(**server.address, **limit)
    else:
        limit |= {"dbname": database, "autocommit": True}
        connection = psycopg.connect(**server.address, **limit)
    with contextlib.closing(connection), connection.cursor() as cursor:
        yield cursor


@pytest.fixture(params=KINDS, scope="module", ids=lambda kind: kind.__name__)
def server(request: pytest.FixtureRequest) -> Iterator[MariaDB | Postgres]:
    with request.param() as server:
        yield server


def value(cursor: Any, statement: str) -> Any:
    cursor.execute(statement)
    return cursor.fetchone()[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_serves_in_its_block_and_leaves_nothing(kind: type[MariaDB | Postgres]) -> None:
    with kind() as server, client(server) as cursor:
        assert value(cursor, "SELECT 1") == 1
        pid, folder = server.pid, server.folder
        assert folder.is_dir()
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_acknowledged_is_there_after_a_crash(kind: type[MariaDB | Postgres]) -> None:
    with kind() as server:
        with client(server) as cursor:
            cursor.execute("CREATE TABLE kept (number INT)")
            cursor.execute("INSERT INTO kept VALUES (7)")
            server.kill()
            with pytest.raises(BROKEN):
                cursor.execute("SELECT 1")
        with pytest.raises(BROKEN), client(server):
            pytest.fail("it answers though it is dead")
        server.start()
        with client(server) as cursor:
            assert value(cursor, "SELECT number FROM kept") == 7


def interrupt(server: Server) -> None:
    server.pause()
    raise KeyboardInterrupt


@pytest.mark.parametrize("kind", KINDS)
def test_a_failing_block_ends_its_server(kind: type[MariaDB | Postgres]) -> None:
    server = kind()
    with pytest.raises(KeyboardInterrupt) as caught, server:
        interrupt(server)
    assert f"log of {kind.__name__}" in caught.value.__notes__[-1]
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


def test_a_run_that_is_killed_leaves_nothing() -> None:
    command = [sys.executable, "-c", ABANDONED]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == -signal.SIGKILL
    pid, folder = run.stdout.split()
    left = [str(Path(folder).parent), f"/proc/{pid}/exe"]
    deadline = time.monotonic() + 10
    while any(map(os.path.exists, left)):
        assert time.monotonic() < deadline, "the guard has not ended it"
        time.sleep(0.02)


def test_a_server_that_hangs_answers_again(server: MariaDB | Postgres) -> None:
    server.pause()
    with pytest.raises(BROKEN), client(server):
        pytest.fail("it answers though it hangs")
    server.resume()
    with client(server) as cursor:
        assert value(cursor, "SELECT 1") == 1


def test_connections_can_be_killed(server: MariaDB | Postgres) -> None:
    with client(server) as cursor:
        server.kill_connections()
        with pytest.raises(BROKEN):
            cursor.execute("SELECT 1")
    assert server.sql("SELECT 1") == [(1,)]


def test_statements_are_counted_but_not_the_administrators(server: MariaDB | Postgres) -> None:
    with client(server) as cursor:
        before = server.statements()
        server.sql("SELECT 2")
        assert server.statements() == before
        cursor.execute("SELECT 1")
        cursor.execute("SELECT 1")
        assert server.statements() == before + 2


def test_a_read_only_server_changes_nothing(server: MariaDB | Postgres) -> None:
    create = f"CREATE TABLE {fresh_table()} (number INT)"
    with client(server) as cursor:
        with server.read_only(), pytest.raises(BROKEN, match="read-only"):
            cursor.execute(create)
        cursor.execute(create)


def test_a_database_of_its_own_goes_with_its_block(server: MariaDB | Postgres) -> None:
    with server.database() as name, client(server, name) as cursor:
        cursor.execute("CREATE TABLE sessions (number INT)")
    with pytest.raises(BROKEN), client(server, name):
        pytest.fail("it is still there")


def test_a_wrong_password_is_refused(server: MariaDB | Postgres) -> None:
    address = {**server.address, "password": "wrong"}
    connect: Any = pymysql.connect if isinstance(server, MariaDB) else psycopg.connect
    with pytest.raises(BROKEN, match=r"denied|authentication failed"):
        connect(**address)


def test_mariadb_speaks_tls() -> None:
    trusted = ssl.create_default_context(cafile=str((made := Certificate.new()).ca))
    stranger = ssl.create_default_context(cafile=str(Certificate.new().ca))
    with MariaDB(tls=made) as server:
        pymysql.connect(**server.address, ssl=trusted).close()
        with pytest.raises(pymysql.err.OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
            pymysql.connect(**server.address, ssl=stranger)


def test_postgres_speaks_tls() -> None:
    made, stranger = Certificate.new(), Certificate.new()
    with Postgres(tls=made) as server:
        url = f"{server.url()}?sslmode=verify-full&sslrootcert="
        psycopg.connect(f"{url}{made.ca}").close()
        with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
            psycopg.connect(f"{url}{stranger.ca}")


def test_sockets_lead_to_the_same_servers() -> None:
    with MariaDB() as server:
        address = {"user": "sojourn", "password": server.address["password"]}
        assert str(server.socket) in server.socket_dsn()
        pymysql.connect(unix_socket=str(server.socket), **address).close()
    with Postgres() as postgres:
        psycopg.connect(postgres.socket_url()).close()
