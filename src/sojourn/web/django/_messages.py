"""A storage for Django's messages, with each message under a separate session key.

Django's own storage keeps all messages in one text, so if two requests add one each, the later
request overwrites the other's message.  Here a request never changes the messages of another.  When
all messages were shown, no key is left, so that a session without other data is deleted.
"""

from __future__ import annotations

import time
from typing import Any

from django.contrib.messages.storage.base import Message
from django.contrib.messages.storage.session import SessionStorage
from django.utils.crypto import get_random_string

PREFIX = f"{SessionStorage.session_key}/"


class MessageStorage(SessionStorage):
    """A class for MESSAGE_STORAGE: messages of overlapping requests are all kept."""

    _queued_messages: list[Any]
    _loaded_messages: list[Any]

    def _get(self, *args: Any, **kwargs: Any) -> tuple[list[Any], bool]:
        """Return the stored messages, oldest first, and True: this storage holds all of them."""
        # A session from before the change of MESSAGE_STORAGE may still hold Django's one text.
        session = self.request.session
        left = self.deserialize_messages(session.get(self.session_key)) or []
        keys = sorted(key for key in session.keys() if str(key).startswith(PREFIX))  # noqa: SIM118 - Django's word
        self._got = [self.session_key, *keys]
        return [*left, *(Message(*session[key]) for key in keys)], True

    def _store(self, messages: Any, response: Any, *args: Any, **kwargs: Any) -> list[Any]:
        """Remove the messages that were shown, and store those that were added."""
        session = self.request.session
        if self.used:
            # `used` may be set without iterating the messages; this loads them, and sets `_got`.
            len(self._loaded_messages)
            for key in self._got:
                session.pop(key, None)
        # Keys sort by time and number; the random part keeps requests from sharing a key.
        now = time.time_ns()
        for number, each in enumerate(self._queued_messages):
            key = f"{PREFIX}{now:020}-{number:06}-{get_random_string(8)}"
            session[key] = (each.level, each.message, each.extra_tags)
        return []
