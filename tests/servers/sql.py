"""What the tests' database servers have in common.

Each listens on a port of its own and on a socket in its folder, has the database and the user that
an application would have, and an administrator who comes in through the socket.  What initialises
a folder takes half a second, so it is done once per run, and copied.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from tests.servers.certificates import Certificate
from tests.servers.process import Server, tool, workshop

USER = DATABASE = "sojourn"
PASSWORD = "p@ss:w/rd"  # all that a DSN may trip over


def fresh_table() -> str:
    """A name that no table has yet: tests that share a server use one each."""
    return f"sessions_{secrets.token_hex(4)}"


class SqlServer(Server):
    """What both have in common.

    `options` are the server's own, as `innodb_lock_wait_timeout=1`; those in `usual` may be given
    other values.  `tls` makes it speak TLS beside plain text.
    """

    scheme: ClassVar[str]
    usual: ClassVar[dict[str, object]]
    not_yet: ClassVar[type[Exception]]  # what the driver raises while the server starts
    admin: Any = None

    def __init__(self, *, tls: Certificate | None = None, **options: object) -> None:
        super().__init__(**{**self.usual, **options})
        self.tls = tls

    def prepare(self) -> None:
        template = self.template(self.user)
        subprocess.run([tool("cp"), "-a", template, self.folder / "data"], check=True)
        for path in (self.tls.ca, self.tls.certificate, self.tls.key) if self.tls else ():
            self.give(Path(shutil.copy(path, self.folder)))

    @staticmethod
    def template(user: str | None) -> Path:
        """A data folder with the database and its user, which is copied."""
        raise NotImplementedError

    @property
    def address(self) -> dict[str, Any]:
        """What drivers take as keywords to come in as the application does."""
        return {"host": "127.0.0.1", "port": self.port, "user": USER, "password": PASSWORD}

    def url(self, database: str = DATABASE) -> str:
        """Where it is, for the application."""
        return f"{self.scheme}://{USER}:{quote(PASSWORD, '')}@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        self._leave()
        super().stop()

    def kill(self) -> None:
        super().kill()
        self._leave()

    def is_up(self) -> bool:
        """Let the administrator in, who then stays."""
        with contextlib.suppress(self.not_yet):
            self._leave()
            self.admin = self.enter()
            return True
        return False

    def enter(self) -> Any:
        """A connection of the administrator's."""
        raise NotImplementedError

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows that a statement of the administrator's gives."""
        with self.admin.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall()) if cursor.description else []

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """A database for one block, which the application's user may do anything in."""
        name = f"{DATABASE}_{secrets.token_hex(4)}"
        self.create(name)
        try:
            yield name
        finally:
            self.drop(name)

    def create(self, database: str) -> None:
        """Make a database."""
        self.sql(f"CREATE DATABASE {database}")

    def drop(self, database: str) -> None:
        """Take a database away, whoever uses it."""
        self.sql(f"DROP DATABASE {database}")

    def _leave(self) -> None:
        if self.admin is not None:
            self.admin.close()
            self.admin = None


def template_folder(name: str, user: str | None) -> Path:
    folder = workshop() / f"{name}-template"
    folder.mkdir(mode=0o700)
    if user:
        shutil.chown(folder, user, user)
    return folder


def run_as(user: str | None, *command: str | Path, script: str = "") -> None:
    done = subprocess.run(
        command,
        user=user,
        group=user,
        extra_groups=[] if user else None,
        cwd="/",
        input=script,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
