"""Sojourn as a Django application: it registers system checks and follows sign-ins."""

from __future__ import annotations

from contextlib import suppress

from django.apps import AppConfig, apps
from django.core import checks

from sojourn.errors import SessionError
from sojourn.web.django import _checks
from sojourn.web.django._managers import manager


class SojournConfig(AppConfig):
    """The application that INSTALLED_APPS names as "sojourn.web.django"."""

    name = "sojourn.web.django"
    label = "sojourn"
    verbose_name = "Sessions"

    def ready(self) -> None:
        """Open the store, register the checks, and connect Django's sign-in signal."""
        with suppress(SessionError):  # reported by the checks, and by the first request
            manager()
        checks.register(_checks.settings_are_right)
        checks.register(_checks.middleware_is_right)
        checks.register(_checks.tests_have_their_store)
        checks.register(_checks.store_is_safe, checks.Tags.security, deploy=True)
        checks.register(_checks.prefix_is_kept, checks.Tags.security, deploy=True)
        if apps.is_installed("django.contrib.auth"):
            from django.contrib.auth.signals import user_logged_in  # noqa: PLC0415 - optional

            from sojourn.web.django._signin import sign_in  # noqa: PLC0415

            user_logged_in.connect(sign_in, dispatch_uid="sojourn")
