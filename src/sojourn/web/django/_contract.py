"""Django's session contract over a Sojourn session: what both kinds of `request.session` share.

Django's `SessionBase` reads and writes through `_get_session` and `_aget_session`, and so do all
its methods in both colours.  Here these two lead to a mapping that knows its own changes, which
is why `modified` and `accessed` need not be set, and may be.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.utils.module_loading import import_string

from sojourn.web.django._inner import EXPIRY
from sojourn.web.django._managers import async_manager, manager
from sojourn.web.django._words import Words

NOTHING: Any = object()


class DjangoSession(Words, SessionBase):
    """A session with Django's words for it, and Sojourn's."""

    key_salt = "django.contrib.sessions.SessionStore"
    """What Django's own stores in the database and the cache sign with: `decode` reads theirs."""

    @property
    def serializer(self) -> Any:
        """What `encode` and `decode` serialize with; what is stored is not."""
        return import_string(settings.SESSION_SERIALIZER)

    @property
    def accessed(self) -> bool:
        """Whether this request looked at it.  What is assigned here has no effect."""
        return self._is_accessed()

    @accessed.setter
    def accessed(self, value: bool) -> None: ...

    @property
    def modified(self) -> bool:
        """Whether there is something to store.  What is assigned here has no effect."""
        return self._is_modified()

    @modified.setter
    def modified(self, value: bool) -> None: ...

    def _is_accessed(self) -> bool:
        raise NotImplementedError

    def _is_modified(self) -> bool:
        raise NotImplementedError

    # -- the mapping ---------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._session)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._session)

    def pop(self, key: str, default: Any = NOTHING) -> Any:
        """Take a value away and return it."""
        return self._session.pop(key, *(() if default is NOTHING else (default,)))

    async def apop(self, key: str, default: Any = NOTHING) -> Any:
        """Take a value away and return it."""
        session = await self._aget_session()
        return session.pop(key, *(() if default is NOTHING else (default,)))

    def setdefault(self, key: str, value: Any) -> Any:  # type: ignore[override]  # as Django's
        """Return the value, or put `value`, to be changed in place; overlapping changes merge."""
        return self._session.setdefault(key, value)

    async def asetdefault(self, key: str, value: Any) -> Any:
        """Return the value, or put `value`, to be changed in place; overlapping changes merge."""
        return (await self._aget_session()).setdefault(key, value)

    def clear(self) -> None:
        """Take away all data, and an expiry of its own."""
        session = self._session
        session.pop(EXPIRY, None)
        session.clear()

    # -- the session ---------------------------------------------------------------------------

    def cycle_key(self) -> None:
        """Go on under a new id and token, from the release on; the old ones are dead then."""
        self._session.regenerate_id()

    async def acycle_key(self) -> None:
        """Go on under a new id and token, from the release on; the old ones are dead then."""
        (await self._aget_session()).regenerate_id()

    def load(self) -> Any:
        """Load the session, if that was not done, and return its data."""
        return self._get_session()

    async def aload(self) -> Any:
        """Load the session, if that was not done, and return its data."""
        return await self._aget_session()

    @classmethod
    def clear_expired(cls) -> None:
        """Remove what has expired from the store."""
        manager().gc()

    @classmethod
    async def aclear_expired(cls) -> None:
        """Remove what has expired from the store."""
        await async_manager().gc()
