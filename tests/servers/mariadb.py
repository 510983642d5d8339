"""A MariaDB, private to the tests."""

from __future__ import annotations

import contextlib
import functools
import getpass
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pymysql

from tests.servers.process import tool
from tests.servers.sql import DATABASE, PASSWORD, USER, SqlServer, run_as, template_folder

TABLES = f"""
CREATE DATABASE {DATABASE};
FLUSH PRIVILEGES;
CREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON `{DATABASE}%`.* TO {USER}@'%';
"""

STATEMENTS = """
SELECT sum(everyone.variable_value - administrator.variable_value)
FROM information_schema.global_status everyone
JOIN information_schema.session_status administrator USING (variable_name)
WHERE variable_name IN ('Questions', 'Com_stmt_prepare')
"""


class MariaDB(SqlServer):
    """A MariaDB, as durable as Debian's, and smaller."""

    servant = "mysql"
    scheme = "mysql"
    not_yet = pymysql.err.OperationalError
    usual: ClassVar = {
        "character_set_server": "utf8mb4",
        "collation_server": "utf8mb4_general_ci",
        "innodb_buffer_pool_dump_at_shutdown": 0,
        "innodb_buffer_pool_load_at_startup": 0,
        "innodb_buffer_pool_size": "64M",
        "innodb_flush_log_at_trx_commit": 1,
        "max_allowed_packet": "64M",
        "performance_schema": 0,
        "skip_name_resolve": 1,
    }

    @staticmethod
    @functools.cache
    def template(user: str | None) -> Path:
        folder = template_folder("mariadb", user)
        script = folder / "tables.sql"
        script.write_text(TABLES)
        run_as(
            user,
            tool("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={folder / 'data'}",
            f"--auth-root-socket-user={getpass.getuser()}",
            f"--extra-file={script}",
            "--innodb-log-file-size=32M",
            "--skip-name-resolve",
            "--skip-test-db",
        )
        return folder / "data"

    @property
    def socket(self) -> Path:
        return self.folder / "socket"

    def command(self) -> list[str]:
        places = {
            "datadir": self.folder / "data",
            "tmpdir": self.folder,
            "socket": self.socket,
            "pid_file": self.folder / "pid",
            "bind_address": "127.0.0.1",
            "port": self.port,
            **self._tls(),
        }
        words = [f"--{name}={value}" for name, value in {**places, **self.options}.items()]
        return [tool("mariadbd"), "--no-defaults", *words]

    def _tls(self) -> dict[str, object]:
        if self.tls is None:
            return {}
        ca, certificate, key = self.tls.ca.name, self.tls.certificate.name, self.tls.key.name
        here = self.folder
        return {"ssl_ca": here / ca, "ssl_cert": here / certificate, "ssl_key": here / key}

    def dsn(self, database: str = DATABASE) -> str:
        """Where it is, in the form of the Go driver, which escapes nothing."""
        return f"{USER}:{PASSWORD}@tcp(127.0.0.1:{self.port})/{database}"

    def socket_dsn(self, database: str = DATABASE) -> str:
        """The same through the socket."""
        return f"{USER}:{PASSWORD}@unix({self.socket})/{database}"

    def is_up(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as door:
            door.connect(str(self.socket))
            return super().is_up()
        return False

    def enter(self) -> Any:
        return pymysql.connect(
            unix_socket=str(self.socket),
            user=getpass.getuser(),
            read_timeout=60,  # `connect_timeout` ends before the server greets
            autocommit=True,
        )

    def statements(self) -> int:
        """How many statements of applications it has served, and how many it has prepared."""
        return int(self.sql(STATEMENTS)[0][0])

    def kill_connections(self) -> None:
        """End every connection but the administrator's."""
        others = "command <> 'Daemon' AND id <> connection_id()"
        for (number,) in self.sql(f"SELECT id FROM information_schema.processlist WHERE {others}"):
            with contextlib.suppress(pymysql.err.OperationalError):  # it went by itself
                self.sql(f"KILL {number}")

    @contextlib.contextmanager
    def read_only(self) -> Iterator[None]:
        """Nobody but the administrator changes anything within the block."""
        self.sql("SET GLOBAL read_only = 1")
        try:
            yield
        finally:
            self.sql("SET GLOBAL read_only = 0")
