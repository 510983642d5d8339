"""Sessions in Django 5.2 and later, with Django's own session middleware or with Sojourn's.

    INSTALLED_APPS = [..., "sojourn.web.django"]
    SESSION_ENGINE = "sojourn.web.django"
    SOJOURN = {"provider": "redis", "provider_config": "127.0.0.1:6379"}

If MIDDLEWARE has `sojourn.web.django.SessionMiddleware` in place of Django's, the session is loaded
at the start of a request and stored at its end, and no access to it in between waits for the store.
"""

from __future__ import annotations

from sojourn.web.django._base import DjangoSession as DjangoSession
from sojourn.web.django._managers import async_manager as async_manager
from sojourn.web.django._managers import manager as manager
from sojourn.web.django._messages import MessageStorage as MessageStorage
from sojourn.web.django._middleware import SessionMiddleware as SessionMiddleware
from sojourn.web.django._store import SessionStore as SessionStore
