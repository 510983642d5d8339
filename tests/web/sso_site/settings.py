"""A project whose users sign in elsewhere: by CAS, and by OpenID Connect."""

from __future__ import annotations

import os

SECRET_KEY = "what signs nothing here but the hash of a password in a session, 50 characters"
USE_TZ = True
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "tests.web.sso_site.urls"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django_cas_ng",
    "mozilla_django_oidc",
    "sojourn.web.django",
]
MIDDLEWARE = [
    os.environ["SESSION_MIDDLEWARE"],
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "mozilla_django_oidc.middleware.SessionRefresh",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTHENTICATION_BACKENDS = [
    "django_cas_ng.backends.CASBackend",
    "mozilla_django_oidc.auth.OIDCAuthenticationBackend",
]
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "/"
SESSION_ENGINE = "sojourn.web.django"
SOJOURN = {"provider": "memory"}
MESSAGE_STORAGE = "sojourn.web.django.MessageStorage"

CAS_SERVER_URL = "https://cas.example.org/"
CAS_VERSION = "3"

PROVIDER = "https://id.example.org"
OIDC_RP_CLIENT_ID = "shop"
OIDC_RP_CLIENT_SECRET = "what the provider signs its tokens with, 32 bytes at least"
OIDC_OP_AUTHORIZATION_ENDPOINT = f"{PROVIDER}/authorize"
OIDC_OP_TOKEN_ENDPOINT = f"{PROVIDER}/token"
OIDC_OP_USER_ENDPOINT = f"{PROVIDER}/user"
OIDC_STORE_ACCESS_TOKEN = OIDC_STORE_ID_TOKEN = True
OIDC_RENEW_ID_TOKEN_EXPIRY_SECONDS = 900
