"""Beaker's WSGI middleware; the view calls `session.save()` after an assignment."""

# ruff: noqa: D102 - what a method does stands once, in `Subject`

from __future__ import annotations

from pathlib import Path
from typing import Any

from beaker.container import MemoryNamespaceManager
from beaker.middleware import SessionMiddleware

from bench.subject import WORK, files_in
from bench.wsgi import Wsgi, plain_wsgi


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
