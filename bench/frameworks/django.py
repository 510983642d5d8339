"""Django: its own sessions, and Sojourn, beneath Django's middleware and with one of its own."""

# ruff: noqa: D102 - methods are documented in `Subject`

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.core.signals import setting_changed

from bench.frameworks.common import Subjects, over
from bench.stores import address
from bench.subjects import django
from sojourn.providers.registry import provider_for
from sojourn.web.django import manager

OURS = "sojourn.web.django"


class SignedCookie(django.Base):
    """The whole session in a cookie."""

    name = "Django"
    store = "cookie"
    engine = "django.contrib.sessions.backends.signed_cookies"


class Engine(django.Base):
    """Sojourn as SESSION_ENGINE."""

    name = "Sojourn, SESSION_ENGINE"
    ours = True
    engine = OURS

    def __init__(self, folder: Path) -> None:
        provider = provider_for(self.store, address(self.store, folder))
        settings.SOJOURN = {"provider": provider}
        setting_changed.send(sender=None, setting="SOJOURN", value=settings.SOJOURN, enter=True)
        manager().init()
        super().__init__(folder)

    def close(self) -> None:
        manager().close()
        super().close()


class Middleware(Engine):
    """Sojourn's middleware in place of Django's."""

    name = "Sojourn, its middleware"
    middleware = f"{OURS}.SessionMiddleware"


STORES = ("memory", "redis", "sqlite", "file")
SUBJECTS: Subjects = (
    SignedCookie,
    django.LocMem,
    django.Redis,
    django.Sqlite,
    django.File,
    *over(Engine, *STORES),
    *over(Middleware, *STORES),
)
