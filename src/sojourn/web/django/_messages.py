"""Django's messages in the session, as a list that is changed in place.

Django's own storage puts all messages as one text, so that of two requests that each add one the
later erases the other's.  Once it is empty the list stays, for taking it away could take away what
another request adds to it.
"""

from __future__ import annotations

from typing import Any

from django.contrib.messages.storage.base import Message
from django.contrib.messages.storage.session import SessionStorage


class MessageStorage(SessionStorage):
    """For MESSAGE_STORAGE: overlapping requests keep each other's messages."""

    def deserialize_messages(self, data: Any) -> Any:
        """Return the messages of the list, or of the text that Django's own storage left."""
        if not isinstance(data, list):
            return super().deserialize_messages(data)
        return [Message(*said) for said in data]

    def _store(self, messages: Any, response: Any, *args: Any, **kwargs: Any) -> list[Any]:
        session = self.request.session
        if not isinstance(session.get(self.session_key, []), list):
            del session[self.session_key]
        if messages or session.get(self.session_key):
            stored = session.setdefault(self.session_key, [])
            stored[:] = [(each.level, each.message, each.extra_tags) for each in messages]
        return []
