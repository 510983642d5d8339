"""The settings of the project; what differs from one trial to the next comes in PROJECT, as JSON.

folder      where Django's own database is
provider    the name of Sojourn's provider, and what it is told
middleware  "sojourn" or "django": whose SessionMiddleware it is
colour      "sync" or "async": in which of the two the project's own views are written
https       whether it is served over https only
remembered  seconds for which a visitor stays signed in who asks for it
"""

from __future__ import annotations

import json
import os
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = json.loads(os.environ["PROJECT"])
MIDDLEWARES = {
    "sojourn": "sojourn.web.django.SessionMiddleware",
    "django": "django.contrib.sessions.middleware.SessionMiddleware",
}
NAME = "tests.frameworks.django_project"

SECRET_KEY = "what signs nothing here but the hash of a password in a session, 50 characters"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
USE_TZ = True
ROOT_URLCONF = f"{NAME}.urls"
WSGI_APPLICATION = f"{NAME}.wsgi.application"
STATIC_URL = "/static/"
VIEWS = f"{NAME}.views_{PROJECT['colour']}"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "sojourn.web.django",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    MIDDLEWARES[PROJECT["middleware"]],
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [HERE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(PROJECT["folder"]) / "project.db",
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick: a test signs in often
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "home"

SESSION_ENGINE = "sojourn.web.django"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
REMEMBERED = PROJECT["remembered"]
SOJOURN = {"provider": PROJECT["provider"][0], "provider_config": PROJECT["provider"][1]}
CSRF_USE_SESSIONS = True
MESSAGE_STORAGE = "sojourn.web.django.MessageStorage"

if PROJECT["https"]:
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"sojourn": {"level": "INFO"}},
}
