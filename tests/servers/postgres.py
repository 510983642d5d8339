"""A PostgreSQL, private to the tests."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import psycopg

from tests.servers.process import tool
from tests.servers.sql import DATABASE, PASSWORD, USER, SqlServer, run_as, template_folder

TABLES = f"""
CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'
CREATE DATABASE {DATABASE} OWNER {USER}
"""

DOORS = """
local all postgres trust
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
"""

STATEMENTS = """
SELECT coalesce(sum(calls), 0) FROM pg_stat_statements
WHERE userid <> (SELECT oid FROM pg_roles WHERE rolname = 'postgres')
"""


class Postgres(SqlServer):
    """A PostgreSQL; `fsync` is off, which only a machine that crashes would notice."""

    servant = "postgres"
    scheme = "postgresql"
    not_yet = psycopg.OperationalError
    farewell = signal.SIGINT  # at SIGTERM it waits for its clients
    usual: ClassVar = {
        "fsync": "off",
        "pg_stat_statements.track": "all",
        "shared_buffers": "32MB",
        "shared_preload_libraries": "pg_stat_statements",
    }

    @staticmethod
    @functools.cache
    def template(user: str | None) -> Path:
        folder = template_folder("postgres", user)
        data = folder / "data"
        options = ("--no-sync", "--no-locale", "--encoding=UTF8", "--username=postgres")
        run_as(user, tool("initdb"), *options, f"--pgdata={data}")
        single = (tool("postgres"), "--single", "-D", data, "-c", "fsync=off")
        run_as(user, *single, "postgres", script=TABLES)
        extension = "CREATE EXTENSION pg_stat_statements\n"
        run_as(user, *single, DATABASE, script=extension)
        (data / "pg_hba.conf").write_text(DOORS)
        return data

    def command(self) -> list[str]:
        places = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.folder,
            **self._tls(),
        }
        words = [f"--{name}={value}" for name, value in {**places, **self.options}.items()]
        return [tool("postgres"), "-D", str(self.folder / "data"), *words]

    def _tls(self) -> dict[str, object]:
        if self.tls is None:
            return {}
        here = self.folder
        return {
            "ssl": "on",
            "ssl_cert_file": here / self.tls.certificate.name,
            "ssl_key_file": here / self.tls.key.name,
        }

    def socket_url(self, database: str = DATABASE) -> str:
        """Where it is, through the socket."""
        door = f"host={quote(str(self.folder), '')}&port={self.port}"
        return f"{self.scheme}://{USER}:{quote(PASSWORD, '')}@/{database}?{door}"

    def enter(self) -> Any:
        return psycopg.connect(
            host=str(self.folder),
            port=self.port,
            user="postgres",
            dbname=DATABASE,
            connect_timeout=2,
            autocommit=True,
        )

    def create(self, database: str) -> None:
        self.sql(f"CREATE DATABASE {database} OWNER {USER}")

    def drop(self, database: str) -> None:
        self.sql(f"DROP DATABASE {database} WITH (FORCE)")

    def statements(self) -> int:
        """How many statements of applications it has served."""
        return int(self.sql(STATEMENTS)[0][0])

    def kill_connections(self) -> None:
        """End every connection but the administrator's."""
        others = "backend_type = 'client backend' AND pid <> pg_backend_pid()"
        self.sql(f"SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE {others}")

    @contextlib.contextmanager
    def read_only(self) -> Iterator[None]:
        """Nothing is changed within the block."""
        self._set_read_only("on")
        try:
            yield
        finally:
            self._set_read_only("off")

    def _set_read_only(self, value: str) -> None:
        self.sql(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        self.sql("SELECT pg_reload_conf()")
        while self.sql("SHOW default_transaction_read_only") != [(value,)]:
            time.sleep(0.005)

    def kill(self) -> None:
        """End all of its processes: as long as one is left, it does not start again."""
        left = [f"/proc/{child}/exe" for child in self._children()]
        super().kill()
        while any(map(os.path.exists, left)):
            time.sleep(0.005)

    def pause(self) -> None:
        """Let it hang, and all the processes that serve for it."""
        children = self._children()
        super().pause()
        for child in children:
            with contextlib.suppress(FileNotFoundError):
                while Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] != "T":
                    time.sleep(0.001)

    def _signal(self, number: signal.Signals) -> None:
        children = self._children()
        super()._signal(number)
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)

    def _children(self) -> list[int]:
        """The processes that serve for it; it holds still, so that there are no more."""
        super()._signal(signal.SIGSTOP)
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            return [
                int(p)
                for p in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            ]
        return []
