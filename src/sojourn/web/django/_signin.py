"""Django's sign-in is Sojourn's too: a new id, and a session that is listed under its user."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.http import HttpRequest

from sojourn.web.django._contract import DjangoSession

LONGEST_DEVICE = 200
DJANGOS = (SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY)
"""Where `login` puts them; who signs in for a token of an interface is not put there."""


def sign_in(*, request: HttpRequest | None, user: Any, **_: object) -> None:
    """Take on the user that Django's `login` has put into the session."""
    session = getattr(request, "session", None)
    if request is None or not isinstance(session, DjangoSession):
        return
    said = {key: session[key] for key in DJANGOS if key in session}
    if said.get(SESSION_KEY) == user._meta.pk.value_to_string(user):
        session.login(str(user.pk), about=_about(request))
        session.update(said)  # which goes with the data of another user


def _about(request: HttpRequest) -> dict[str, str]:
    about = {
        "address": request.META.get("REMOTE_ADDR") or "",
        "device": request.META.get("HTTP_USER_AGENT", "")[:LONGEST_DEVICE],
    }
    return {key: value for key, value in about.items() if value}
