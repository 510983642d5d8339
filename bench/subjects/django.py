"""Django's sessions, in its WSGI handler with the session middleware and no other."""

# ruff: noqa: D102 - methods are documented in `Subject`

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import django
from django.conf import settings as django_settings
from django.contrib.sessions.backends.file import SessionStore
from django.core.cache import caches
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.http import HttpResponse
from django.urls import path

from bench import servers
from bench.stores import unused
from bench.subject import QUIET, WORK, files_in
from bench.wsgi import Wsgi

LOCMEM = {
    "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
    "OPTIONS": {"MAX_ENTRIES": 10_000_000},
}


def _view(request: Any) -> HttpResponse:
    session = getattr(request, "session", None)
    if session is not None:
        request.environ[WORK](session)
    return HttpResponse(b"ok", content_type="text/plain")


def _quiet(_request: Any) -> HttpResponse:
    return HttpResponse(b"ok", content_type="text/plain")


sys.modules["bench.django_urls"] = cast(
    "Any", SimpleNamespace(urlpatterns=[path("", _view), path(QUIET[1:], _quiet)])
)
django_settings.configure(
    SECRET_KEY="0123456789abcdef" * 4,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="bench.django_urls",
    INSTALLED_APPS=["django.contrib.sessions"],
    CACHES={"default": LOCMEM},
    DEBUG_PROPAGATE_EXCEPTIONS=True,
    LOGGING_CONFIG=None,
)
django.setup()

from django.contrib.sessions.models import Session  # noqa: E402 - it asks for the settings above


class Base(Wsgi):
    """Django's session middleware with a session engine."""

    name = "Django"
    engine = ""
    middleware = "django.contrib.sessions.middleware.SessionMiddleware"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        django_settings.SESSION_ENGINE = self.engine
        django_settings.MIDDLEWARE = []
        self.without = WSGIHandler()
        django_settings.MIDDLEWARE = [self.middleware]
        self.with_session = WSGIHandler()

    def leave(self, session: Any) -> None:
        session.flush()


class LocMem(Base):
    """Sessions in the cache of one process."""

    store = "memory"
    settings = "cache sessions over LocMemCache, MAX_ENTRIES raised (above 300 it evicts at random)"
    engine = "django.contrib.sessions.backends.cache"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        use_cache(LOCMEM)
        caches["default"].clear()

    def close(self) -> None:
        caches["default"].clear()

    def stored(self) -> int:
        return len(caches["default"]._cache)  # noqa: SLF001 - it has no count


class File(Base):
    """Each session is stored as a file."""

    store = "file"
    engine = "django.contrib.sessions.backends.file"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        SessionStore._storage_path = str(folder)  # noqa: SLF001 - Django caches it
        self._folder = folder

    def stored(self) -> int:
        return files_in(self._folder)


# -- servers -----------------------------------------------------------------------------------


class Redis(Base):
    """Sessions in Django's own cache of Redis."""

    name = "Django"
    store = "redis"
    engine = "django.contrib.sessions.backends.cache"
    backend = "django.core.cache.backends.redis.RedisCache"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        use_cache({"BACKEND": self.backend, "LOCATION": servers.empty_redis()})

    def close(self) -> None:
        caches["default"].close()

    def stored(self) -> int:
        return servers.keys()


class DjangoRedis(Redis):
    """Sessions in the cache of the package django-redis."""

    name = "django-redis"
    backend = "django_redis.cache.RedisCache"


class Mysql(Base):
    """Each session is stored as a row of a table."""

    name = "Django db"
    store = "mysql"
    settings = "CONN_MAX_AGE=None (by default it connects for every request)"
    engine = "django.contrib.sessions.backends.db"
    driver = "django.db.backends.mysql"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        use_database(self.database(folder))

    def database(self, _folder: Path) -> dict[str, Any]:
        """Return Django's settings for an empty database."""
        servers.empty_database(self.store)
        address = {key.upper(): value for key, value in servers.address(self.store).items()}
        return {"ENGINE": self.driver, "NAME": servers.DATABASE, "CONN_MAX_AGE": None, **address}

    def close(self) -> None:
        connections["default"].close()

    def stored(self) -> int:
        return int(Session.objects.count())


class Cached(Mysql):
    """Sessions in rows, with a read cache in Redis."""

    name = "Django cached_db"
    engine = "django.contrib.sessions.backends.cached_db"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        use_cache({"BACKEND": Redis.backend, "LOCATION": servers.empty_redis()})


class Postgres(Mysql):
    """Each session is stored as a row in PostgreSQL."""

    store = "postgres"
    driver = "django.db.backends.postgresql"


class Sqlite(Mysql):
    """Each session is stored as a row in an SQLite file."""

    store = "sqlite"
    settings = "in SQLite journal_mode=WAL and synchronous=NORMAL, as Sojourn sets them"

    def database(self, folder: Path) -> dict[str, Any]:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(unused(folder / "django.db")),
            "CONN_MAX_AGE": None,
            "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL"},
        }


def use_cache(config: dict[str, Any]) -> None:
    """Replace the default cache."""
    caches["default"].close()
    del caches["default"]
    caches.settings["default"] = config


def use_database(config: dict[str, Any]) -> None:
    """Replace the default database by one that contains the table of sessions."""
    connections["default"].close()
    del connections["default"]
    connections.databases.update(connections.configure_settings({"default": config}))
    with connections["default"].schema_editor() as editor:
        editor.create_model(Session)
