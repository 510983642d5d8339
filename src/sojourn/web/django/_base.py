"""The base class of both kinds of `request.session`: Django's session API over a Sojourn session.

All methods of Django's `SessionBase`, sync and async, read and write through `_get_session` and
`_aget_session`.  Here these two return a mapping that detects its own changes.  So an application
need not set `modified` and `accessed`, but may do so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.utils.module_loading import import_string

from sojourn.web.django._delegation import Delegation
from sojourn.web.django._expiry import EXPIRY
from sojourn.web.django._flags import Flags
from sojourn.web.django._managers import async_manager, manager
from sojourn.web.django._session import data_of

NOTHING: Any = object()


class DjangoSession(Flags, Delegation, SessionBase):
    """A session with the methods of Django's sessions and those of Sojourn's."""

    key_salt = "django.contrib.sessions.SessionStore"
    """The salt of Django's own database and cache stores, so that `decode` reads their data."""

    @property
    def serializer(self) -> Any:
        """The serializer of `encode` and `decode`; stored sessions do not use it."""
        return import_string(settings.SESSION_SERIALIZER)

    # -- the mapping ---------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._session)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._session)

    # SessionBase sets `modified` in these methods.  Here that would count as a request to keep the
    # session alive, which only the application may make; so they are overridden.

    def __setitem__(self, key: str, value: Any) -> None:
        self._session[key] = value

    async def aset(self, key: str, value: Any) -> None:
        """Assign a value."""
        (await self._aget_session())[key] = value

    def __delitem__(self, key: str) -> None:
        del self._session[key]

    def update(self, dict_: Any) -> None:  # type: ignore[override]  # as Django's
        """Assign all values of a mapping."""
        self._session.update(dict_)

    async def aupdate(self, dict_: Any) -> None:
        """Assign all values of a mapping."""
        (await self._aget_session()).update(dict_)

    def pop(self, key: str, default: Any = NOTHING) -> Any:
        """Remove a value and return it."""
        return self._session.pop(key, *(() if default is NOTHING else (default,)))

    async def apop(self, key: str, default: Any = NOTHING) -> Any:
        """Remove a value and return it."""
        session = await self._aget_session()
        return session.pop(key, *(() if default is NOTHING else (default,)))

    def setdefault(self, key: str, value: Any) -> Any:  # type: ignore[override]  # as Django's
        """Return the value; assign `value` if there is none.  Overlapping changes are merged."""
        return self._session.setdefault(key, value)

    async def asetdefault(self, key: str, value: Any) -> Any:
        """Return the value; assign `value` if there is none.  Overlapping changes are merged."""
        return (await self._aget_session()).setdefault(key, value)

    def clear(self) -> None:
        """Delete all data, and the session's own expiry if it has one."""
        session = self._session
        session.pop(EXPIRY, None)
        session.clear()

    # -- the session ---------------------------------------------------------------------------

    def cycle_key(self) -> None:
        """Give the session a new id and token at the release; the old ones become invalid then."""
        self._session.regenerate_id()

    async def acycle_key(self) -> None:
        """Give the session a new id and token at the release; the old ones become invalid then."""
        (await self._aget_session()).regenerate_id()

    def load(self) -> dict[Any, Any]:
        """Return the stored data, without the changes of this request."""
        id = self._session.stored_id
        return data_of(None if id is None else manager()._resume(id))

    async def aload(self) -> dict[Any, Any]:
        """Return the stored data, without the changes of this request."""
        id = (await self._aget_session()).stored_id
        return data_of(None if id is None else await async_manager()._resume(id))

    @classmethod
    def clear_expired(cls) -> None:
        """Delete expired sessions from the store."""
        manager().gc()

    @classmethod
    async def aclear_expired(cls) -> None:
        """Delete expired sessions from the store."""
        await async_manager().gc()
