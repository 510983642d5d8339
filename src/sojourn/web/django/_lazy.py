"""A session that is loaded at the first access.

Django's own middleware sends the `session_key` as the cookie.  So in this class the key is the
token, unless the session was loaded by its id.
"""

from __future__ import annotations

from sojourn._tokens import is_token
from sojourn.record import is_id
from sojourn.web.django._base import DjangoSession
from sojourn.web.django._keys import load_by_id
from sojourn.web.django._managers import async_manager, headers_of_token, manager
from sojourn.web.django._session import InnerSession


class LazySession(DjangoSession):
    """A session given by the token in a cookie, or by a key from the application."""

    def __init__(self, session_key: str | None = None) -> None:
        """Prepare to load a session by its key: a token or, if `load_by_id` allows it, an id."""
        key = session_key or ""
        self._id = key if is_id(key) and load_by_id() else None
        self._token = key if self._id is None and is_token(key) else None
        self._brought = self._token is not None
        self._inner: InnerSession | None = None
        self._looked_at = False
        self._seen = False
        self._saved = False
        self._ended = False
        self._late = False

    def _get_session(self, no_load: bool = False) -> InnerSession:
        # If no session has the given id, it is not adopted: a new session gets another id.
        if self._inner is None:
            session = None if self._id is None else manager()._resume(self._id)
            if session is None:
                session = manager().start(headers_of_token(self._token))
            self._inner = InnerSession.adopt(session)
        return self._inner

    async def _aget_session(self, no_load: bool = False) -> InnerSession:
        # If no session has the given id, it is not adopted: a new session gets another id.
        if self._inner is None:
            session = None if self._id is None else await async_manager()._resume(self._id)
            if session is None:
                session = await async_manager().start(headers_of_token(self._token))
            self._inner = InnerSession.adopt(session)
        return self._inner

    @property
    def session_key(self) -> str | None:
        """The token, which Django sends as the cookie, or the id if the session was loaded by it.

        None if the session is not stored.
        """
        self._looked_at = True
        # A key that was given is returned without loading the session.
        if self._inner is None:
            return self._id or self._token
        return self._inner.stored_id if self._inner.is_detached else self._inner.token

    def _is_accessed(self) -> bool:
        return self._looked_at or (self._inner is not None and self._inner.accessed)

    def _is_modified(self) -> bool:
        """Whether there is something to save, or a save whose cookie was not sent yet."""
        inner = self._inner
        # Saving a session that came too late would raise, except for a sign-in.
        if self._late and not (inner is not None and inner.signs_in):
            return False
        return self._saved or self._seen or (inner is not None and inner.modified)

    def _look(self) -> None:
        self._looked_at = True

    def _see(self) -> None:
        self._seen = True

    def __bool__(self) -> bool:
        return self.session_key is not None or (self._inner is not None and not self._inner.is_bare)
