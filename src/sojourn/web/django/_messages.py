"""Django's messages in the session, each under a key of its own.

Django's own storage puts all of them as one text, so that of two requests that each add one the
later erases the other's.  Here no request touches what another one adds; and once all were shown
nothing is left of them, so that a session with nothing else in it ends.
"""

from __future__ import annotations

import time
from typing import Any

from django.contrib.messages.storage.base import Message
from django.contrib.messages.storage.session import SessionStorage
from django.utils.crypto import get_random_string

PREFIX = f"{SessionStorage.session_key}/"


class MessageStorage(SessionStorage):
    """For MESSAGE_STORAGE: overlapping requests keep each other's messages."""

    _queued_messages: list[Any]

    def _get(self, *args: Any, **kwargs: Any) -> tuple[list[Any], bool]:
        """Return what is to be shown, oldest first; what Django's own storage left comes first."""
        session = self.request.session
        left = self.deserialize_messages(session.get(self.session_key)) or []
        keys = sorted(key for key in session.keys() if str(key).startswith(PREFIX))  # noqa: SIM118 - Django's word
        self._got = [self.session_key, *keys]
        return [*left, *(Message(*session[key]) for key in keys)], True

    def _store(self, messages: Any, response: Any, *args: Any, **kwargs: Any) -> list[Any]:
        """Take away what was shown; put what was added."""
        session = self.request.session
        for key in self._got if self.used else ():
            session.pop(key, None)
        for each in self._queued_messages:
            key = f"{PREFIX}{time.time_ns():020}-{get_random_string(8)}"
            session[key] = (each.level, each.message, each.extra_tags)
        return []
