"""A PgBouncer before a PostgreSQL, private to the tests."""

from __future__ import annotations

from pathlib import Path

from tests.servers.postgres import Postgres
from tests.servers.process import Server, tool
from tests.servers.sql import PASSWORD, USER

SETTINGS = """
[databases]
* = host=127.0.0.1 port={behind}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
default_pool_size = 2
"""


class PgBouncer(Server):
    """Lends two connections to all that come; `options` are its own, as `pool_mode`."""

    servant = "postgres"  # a user that is there wherever its server is

    def __init__(self, postgres: Postgres, **options: object) -> None:
        super().__init__(**options)
        self._postgres = postgres

    @property
    def settings(self) -> Path:
        return self.folder / "pgbouncer.ini"

    def prepare(self) -> None:
        users = self.folder / "users"
        users.write_text(f'"{USER}" "{PASSWORD}"\n')
        words = {"behind": self._postgres.port, "port": self.port, "users": users}
        options = [f"{name} = {value}\n" for name, value in self.options.items()]
        self.settings.write_text(SETTINGS.format(**words) + "".join(options))
        for path in (users, self.settings):
            self.give(path)

    def command(self) -> list[str]:
        return [tool("pgbouncer"), str(self.settings)]

    def url(self) -> str:
        """The URL of the database by way of it."""
        return self._postgres.url().replace(f":{self._postgres.port}/", f":{self.port}/")
