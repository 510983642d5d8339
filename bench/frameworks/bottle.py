"""Bottle: Beaker, and Sojourn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from beaker.middleware import SessionMiddleware
from bottle import Bottle, request

from bench.frameworks.common import Ours, Subjects, over
from bench.stores import managed
from bench.subject import QUIET, WORK
from bench.subjects import beaker
from bench.wsgi import Wsgi
from sojourn import Manager
from sojourn.web import wsgi


def _saved() -> str:
    """Run the work, and call `save()`, because Beaker stores nothing without it."""
    session = request.environ["beaker.session"]
    if request.environ[WORK](session):
        session.save()
    return "ok"


def _visited() -> str:
    request.environ[WORK](request.environ["sojourn.session"])
    return "ok"


def _plain() -> str:
    return "ok"


def _application(view: Any) -> Bottle:
    app = Bottle(catchall=False)
    app.get("/", callback=view)
    app.get(QUIET, callback=_plain)
    return app


class _Beaker(beaker.Memory):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.without = _application(_plain)
        self.with_session = SessionMiddleware(_application(_saved), self._options(folder))


class Memory(_Beaker):
    """Sessions in a dictionary of the process."""


class File(_Beaker, beaker.File):
    """Sessions in files, under locks in files."""


class Redis(_Beaker, beaker.Redis):
    """Each session is stored as a Redis string."""


class Sojourn(Ours, Wsgi):
    """`request.environ["sojourn.session"]`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.without = _application(_plain)
        self.manager = managed(Manager, self.store, folder)
        self.with_session = wsgi.SessionMiddleware(_application(_visited), self.manager)


SUBJECTS: Subjects = (Memory, File, Redis, *over(Sojourn, "memory", "file", "redis"))
