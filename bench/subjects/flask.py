"""Flask-Session over cachelib's files, Redis and SQLAlchemy, in a Flask application."""

# ruff: noqa: D102 - methods are documented in `Subject`

from __future__ import annotations

from pathlib import Path
from typing import Any

from cachelib.file import FileSystemCache
from flask import Flask, request, session
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy
from redis import Redis as Client

from bench import servers
from bench.subject import QUIET, WORK, files_in
from bench.wsgi import Wsgi


def visited() -> str:
    """Run the work on the session."""
    request.environ[WORK](session)
    return "ok"


def plain() -> str:
    """Respond without a session."""
    return "ok"


def application(view: Any, **config: Any) -> Flask:
    """Return an application with two pages; the second one does not use the session."""
    app = Flask(__name__)
    app.config.update(PROPAGATE_EXCEPTIONS=True, **config)
    app.add_url_rule("/", "view", view)
    app.add_url_rule(QUIET, "quiet", plain)
    return app


class _FlaskSession(Wsgi):
    name = "Flask-Session"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._folder = folder
        self._app = application(visited)
        self._app.config.update(self._config(self._app))
        Session(self._app)
        self.with_session = self._app.wsgi_app
        self.without = application(plain).wsgi_app

    def _config(self, app: Flask) -> dict[str, Any]:
        """Return the settings that select the store."""
        raise NotImplementedError


class CachelibFile(_FlaskSession):
    """Each session is stored as a file by cachelib."""

    store = "file"
    settings = "cachelib's FileSystemCache with threshold=0 (500 by default: above it evicts)"

    def _config(self, _app: Flask) -> dict[str, Any]:
        cache = FileSystemCache(str(self._folder), threshold=0)
        return {"SESSION_TYPE": "cachelib", "SESSION_CACHELIB": cache}

    def stored(self) -> int:
        return max(0, files_in(self._folder) - 1)  # one is cachelib's own counter


class Redis(_FlaskSession):
    """Each session is stored as a Redis string."""

    store = "redis"

    def _config(self, _app: Flask) -> dict[str, Any]:
        self._client = Client.from_url(servers.empty_redis())
        return {"SESSION_TYPE": "redis", "SESSION_REDIS": self._client}

    def close(self) -> None:
        self._client.close()

    def stored(self) -> int:
        return servers.keys()


class Mysql(_FlaskSession):
    """Each session is stored as a row, by Flask-SQLAlchemy and mysqlclient."""

    store = "mysql"

    def _config(self, app: Flask) -> dict[str, Any]:
        app.config["SQLALCHEMY_DATABASE_URI"] = servers.empty_database("mysql")
        self._database = SQLAlchemy(app)
        return {"SESSION_TYPE": "sqlalchemy", "SESSION_SQLALCHEMY": self._database}

    def close(self) -> None:
        with self._app.app_context():
            self._database.engine.dispose()

    def stored(self) -> int:
        return servers.rows("sessions")
