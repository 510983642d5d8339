"""What both colours of views have in common: requests, forms, and what pages show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest

from sojourn import SessionInfo
from sojourn.web.django import DjangoSession


class Request(HttpRequest):
    """A request whose session has Sojourn's words too, for type checkers."""

    session: DjangoSession


class SignIn(AuthenticationForm):
    """Django's, and whether to be remembered."""

    remember = forms.BooleanField(required=False)

    @property
    def expiry(self) -> int:
        """What `set_expiry` is given: seconds, or 0 for till the browser is closed."""
        return settings.REMEMBERED if self.cleaned_data["remember"] else 0


class Note(forms.Form):
    """A line to be kept in the session, after a pause in which other requests overtake it."""

    text = forms.CharField()
    pause = forms.FloatField(initial=0, widget=forms.HiddenInput)  # seconds


def rows(found: Iterable[SessionInfo], own: str) -> list[dict[str, Any]]:
    """A user's sessions as the page lists them: the one that asks is marked."""
    return [{"id": info.id, "about": info.about, "this": info.id == own} for info in found]
