"""Sessions in Django 5.2 and later: beneath Django's own middleware, or with one of ours.

    INSTALLED_APPS = [..., "sojourn.web.django"]
    SESSION_ENGINE = "sojourn.web.django"
    SOJOURN = {"provider": "redis", "provider_config": "127.0.0.1:6379"}

With `sojourn.web.django.SessionMiddleware` in MIDDLEWARE in place of Django's, `request.session`
is in memory from the start of a request to its end, and nothing waits for the store in between.
"""

from __future__ import annotations

from sojourn.web.django._contract import DjangoSession as DjangoSession
from sojourn.web.django._managers import async_manager as async_manager
from sojourn.web.django._managers import manager as manager
from sojourn.web.django._messages import MessageStorage as MessageStorage
from sojourn.web.django._middleware import SessionMiddleware as SessionMiddleware
from sojourn.web.django._store import SessionStore as SessionStore
