"""`request.session` with our own middleware, which releases it after the view.

`save`, `create`, `flush` and `delete`, which take effect immediately in Django, are only noted here
and take effect at the release.
"""

from __future__ import annotations

from typing import Any

from sojourn.web.django._base import DjangoSession
from sojourn.web.django._keys import aend, aexists, current, end, exists
from sojourn.web.django._session import InnerSession
from sojourn.web.django._store import SessionStore


class RequestSession(DjangoSession):
    """The session of the request."""

    _inner: InnerSession

    def __new__(cls, session_key: str | None = None) -> Any:
        """Return the session with this key: the request's own, or a `SessionStore`."""
        # Applications reload by `request.session.__class__(request.session.session_key)`.
        session = current.get()
        itself = session is not None and session_key is not None
        return (
            session if itself and session_key == session.session_key else SessionStore(session_key)
        )

    def __init__(self, session_key: str | None = None) -> None:
        """Do nothing: Python also calls this for the existing session that `__new__` returns."""

    @classmethod
    def of(cls, inner: InnerSession) -> RequestSession:
        """Wrap an inner session in Django's session API."""
        session: RequestSession = object.__new__(cls)
        session._inner = inner
        return session

    def _get_session(self, no_load: bool = False) -> InnerSession:
        return self._inner

    async def _aget_session(self, no_load: bool = False) -> InnerSession:
        return self._inner

    @property
    def session_key(self) -> str | None:
        """The id, safe to store and to log; None if the session is not and will not be stored."""
        return None if self.is_empty() else self._inner.id

    def _is_accessed(self) -> bool:
        return self._inner.accessed

    def _is_modified(self) -> bool:
        return self._inner.modified or self._inner.seen

    def _look(self) -> None:
        self._inner.look()

    def _see(self) -> None:
        self._inner.see()

    def __bool__(self) -> bool:
        return not self.is_empty()

    def is_empty(self) -> bool:
        """Whether the session is not stored, and will not be stored by the release."""
        return self._inner.is_new and self._inner.is_bare

    # -- intents ---------------------------------------------------------------------------------

    def save(self, must_create: bool = False) -> None:
        """Make the release store the session even if it is empty.

        must_create: whether it gets a new id, as a session that is not yet stored does anyway.
        """
        if must_create and not self._inner.is_new:
            self._inner.regenerate_id()
        if self._inner.is_new:
            self._inner.keep()
        self._inner.see()

    async def asave(self, must_create: bool = False) -> None:
        """Make the release store the session, like `save`."""
        self.save(must_create)

    def create(self) -> None:
        """Make the release store the session under a new id, even if it is empty."""
        self.save(must_create=True)

    async def acreate(self) -> None:
        """Make the release store the session under a new id, like `create`."""
        self.create()

    def flush(self) -> None:
        """End the session at the release; values assigned afterwards begin a new one."""
        self._inner.destroy()

    async def aflush(self) -> None:
        """End the session at the release; values assigned afterwards begin a new one."""
        self.flush()

    # -- other sessions, immediately -------------------------------------------------------------

    def delete(self, session_key: str | None = None) -> None:
        """End this session at the release or, given a key, that session immediately."""
        self.flush() if session_key is None else end(session_key)

    async def adelete(self, session_key: str | None = None) -> None:
        """End this session at the release or, given a key, that session immediately."""
        self.flush() if session_key is None else await aend(session_key)

    def exists(self, session_key: str) -> bool:
        """Whether a live session has this key."""
        return exists(session_key)

    async def aexists(self, session_key: str) -> bool:
        """Whether a live session has this key."""
        return await aexists(session_key)
