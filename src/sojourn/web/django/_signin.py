"""Makes a sign-in with Django a sign-in with Sojourn: a new id, and a session listed by user."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.http import HttpRequest

from sojourn.web.django._base import DjangoSession

LONGEST_DEVICE = 200
DJANGOS = (SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY)
"""The keys that Django's `login` sets; a sign-in that only issues an API token sets none."""


def sign_in(*, request: HttpRequest | None, user: Any, **_: object) -> None:
    """Sign in the user whom Django's `login` has stored in the session (signal handler)."""
    session = getattr(request, "session", None)
    if request is None or not isinstance(session, DjangoSession):
        return
    said = {key: session[key] for key in DJANGOS if key in session}
    # The signal is also sent by views that issue API tokens and leave the session unchanged.
    if said.get(SESSION_KEY) == user._meta.pk.value_to_string(user):
        session.login(str(user.pk), about=_about(request))
        session.update(said)  # `session.login` drops these keys if another user was signed in


def _about(request: HttpRequest) -> dict[str, str]:
    about = {
        "address": request.META.get("REMOTE_ADDR") or "",
        "device": request.META.get("HTTP_USER_AGENT", "")[:LONGEST_DEVICE],
    }
    return {key: value for key, value in about.items() if value}
