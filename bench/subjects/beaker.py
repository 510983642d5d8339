"""Beaker's WSGI middleware; the view calls `session.save()` after an assignment."""

# ruff: noqa: D102 - methods are documented in `Subject`

from __future__ import annotations

from pathlib import Path
from typing import Any

from beaker.container import MemoryNamespaceManager
from beaker.ext.sqla import SqlaNamespaceManager, make_cache_table
from beaker.middleware import SessionMiddleware
from sqlalchemy import MetaData, create_engine

from bench import servers
from bench.subject import WORK, files_in
from bench.wsgi import Wsgi, plain_wsgi

TABLE = "beaker"


def _view(environ: Any, start_response: Any) -> list[bytes]:
    session = environ["beaker.session"]
    if environ[WORK](session):
        session.save()
    return plain_wsgi(environ, start_response)


class Memory(Wsgi):
    """Sessions in a dictionary of the process."""

    name = "Beaker"
    store = "memory"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._folder = folder
        self._forget()
        self.with_session = SessionMiddleware(_view, self._options(folder))
        self.without = plain_wsgi

    def _options(self, _folder: Path) -> dict[str, Any]:
        return {"session.type": "memory"}

    def _forget(self) -> None:
        """Clear the objects that Beaker keeps as long as the process runs."""
        MemoryNamespaceManager.namespaces.clear()

    def close(self) -> None:
        self._forget()

    def leave(self, session: Any) -> None:
        session.delete()

    def stored(self) -> int:
        return sum("session" in held for held in MemoryNamespaceManager.namespaces.dict.values())


class File(Memory):
    """Sessions in files, under locks in files."""

    store = "file"

    def _options(self, folder: Path) -> dict[str, Any]:
        return {"session.type": "file", "session.data_dir": str(folder)}

    def stored(self) -> int:
        return files_in(self._folder, "*.cache")


class Redis(Memory):
    """Each session is stored as a Redis string."""

    store = "redis"

    def _options(self, _folder: Path) -> dict[str, Any]:
        return {"session.type": "ext:redis", "session.url": servers.empty_redis()}

    def stored(self) -> int:
        return servers.keys()


class Mysql(Memory):
    """Each session is stored as a row, by SQLAlchemy Core and mysqlclient."""

    store = "mysql"
    settings = "ext:sqla over one pooled engine"

    def _options(self, folder: Path) -> dict[str, Any]:
        SqlaNamespaceManager._init_dependencies()  # noqa: SLF001 - `make_cache_table` needs it
        self._engine = create_engine(servers.empty_database("mysql"))
        table = make_cache_table(MetaData(), TABLE)
        table.create(self._engine)
        return {
            "session.type": "ext:sqla",
            "session.bind": self._engine,
            "session.table": table,
            "session.lock_dir": str(folder),
        }

    def _forget(self) -> None:
        for held in (SqlaNamespaceManager.binds, SqlaNamespaceManager.tables):
            held.clear()

    def close(self) -> None:
        super().close()
        self._engine.dispose()

    def stored(self) -> int:
        return servers.rows(TABLE)
