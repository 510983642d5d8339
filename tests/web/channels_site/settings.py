"""A project with WebSockets by Channels, whose consumers have the visitor's session."""

from __future__ import annotations

import os

SECRET_KEY = "what signs nothing here but the hash of a password in a session, 50 characters"
USE_TZ = True
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "tests.web.channels_site.site"
INSTALLED_APPS = [
    "channels",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "sojourn.web.django",
]
MIDDLEWARE = [
    os.environ["SESSION_MIDDLEWARE"],
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SESSION_ENGINE = "sojourn.web.django"
SOJOURN = {"provider": "memory"}
