"""Sojourn as an application of Django: system checks, and the user of a session."""

from __future__ import annotations

from contextlib import suppress

from django.apps import AppConfig, apps
from django.core import checks

from sojourn.errors import SessionError
from sojourn.web.django import _checks
from sojourn.web.django._managers import manager


class SojournConfig(AppConfig):
    """What stands in INSTALLED_APPS as "sojourn.web.django"."""

    name = "sojourn.web.django"
    label = "sojourn"
    verbose_name = "Sessions"

    def ready(self) -> None:
        """Open the store; register the checks; learn who signs in."""
        with suppress(SessionError):  # the checks say it, and so does the first request
            manager()
        checks.register(_checks.settings_are_right)
        checks.register(_checks.middleware_is_right)
        checks.register(_checks.store_is_safe, checks.Tags.security, deploy=True)
        if apps.is_installed("django.contrib.auth"):
            from django.contrib.auth.signals import user_logged_in  # noqa: PLC0415 - if it is there

            from sojourn.web.django._signin import sign_in  # noqa: PLC0415

            user_logged_in.connect(sign_in, dispatch_uid="sojourn")
