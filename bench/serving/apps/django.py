"""Django, with its cache sessions over django-redis, and with Sojourn's middleware."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from bench.serving.apps import OURS
from bench.serving.pages import OK, PAGES, QUIET, Page


def application(library: str, store: str) -> WSGIHandler:
    """Return the application."""
    settings.configure(
        SECRET_KEY="0123456789abcdef" * 4,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=(path(QUIET, _quiet), *_paths()),
        **_sessions(library, store),
    )
    django.setup()
    return WSGIHandler()


def _paths() -> Iterator[URLPattern]:
    for name, page in PAGES.items():
        yield path(name, _view(page))


def _quiet(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(OK, content_type="text/plain")


def _view(page: Page) -> Callable[[HttpRequest], HttpResponse]:
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(page(request.session), content_type="text/plain")

    return view


def _sessions(library: str, store: str) -> dict[str, Any]:
    """Return the settings that choose the library."""
    if library == OURS:
        return {
            "INSTALLED_APPS": ["sojourn.web.django"],
            "MIDDLEWARE": ["sojourn.web.django.SessionMiddleware"],
            "SESSION_ENGINE": "sojourn.web.django",
            "SOJOURN": {"provider": store},
        }
    if library == "django-redis":
        return {
            "MIDDLEWARE": ["django.contrib.sessions.middleware.SessionMiddleware"],
            "SESSION_ENGINE": "django.contrib.sessions.backends.cache",
            "CACHES": {
                "default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": store},
            },
        }
    return {}
