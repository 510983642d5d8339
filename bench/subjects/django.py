"""Django's sessions, in its WSGI handler with the session middleware and no other."""

# ruff: noqa: D102 - what a method does stands once, in `Subject`

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
from django.http import HttpResponse
from django.urls import path

from bench.subject import WORK, files_in
from bench.wsgi import Wsgi

MIDDLEWARE = "django.contrib.sessions.middleware.SessionMiddleware"
LOCMEM = {
    "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
    "OPTIONS": {"MAX_ENTRIES": 10_000_000},
}


def _view(request: Any) -> HttpResponse:
    session = getattr(request, "session", None)
    if session is not None:
        request.environ[WORK](session)
    return HttpResponse(b"ok", content_type="text/plain")


sys.modules["bench.django_urls"] = cast("Any", SimpleNamespace(urlpatterns=[path("", _view)]))
django_settings.configure(
    SECRET_KEY="0123456789abcdef" * 4,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="bench.django_urls",
    CACHES={"default": LOCMEM},
    DEBUG_PROPAGATE_EXCEPTIONS=True,
    LOGGING_CONFIG=None,
)
django.setup()


class _Django(Wsgi):
    name = "Django"
    engine = ""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        django_settings.SESSION_ENGINE = self.engine
        django_settings.MIDDLEWARE = []
        self.without = WSGIHandler()
        django_settings.MIDDLEWARE = [MIDDLEWARE]
        self.with_session = WSGIHandler()

    def leave(self, session: Any) -> None:
        session.flush()


class LocMem(_Django):
    """Sessions in the cache of one process."""

    store = "memory"
    settings = "cache sessions over LocMemCache, MAX_ENTRIES raised (above 300 it evicts at random)"
    engine = "django.contrib.sessions.backends.cache"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        caches["default"].clear()

    def close(self) -> None:
        caches["default"].clear()

    def stored(self) -> int:
        return len(caches["default"]._cache)  # noqa: SLF001 - it has no count


class File(_Django):
    """A session is a file."""

    store = "file"
    engine = "django.contrib.sessions.backends.file"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        SessionStore._storage_path = str(folder)  # noqa: SLF001 - it looks once, we begin anew
        self._folder = folder

    def stored(self) -> int:
        return files_in(self._folder)
