"""The session class for SESSION_ENGINE, which works with Django's own session middleware.

Django's middleware reads `modified` and `is_empty`.  Depending on them it saves the session and
sets the cookie, deletes the cookie, or does neither.  A session that came too late, or whose token
was replaced, answers so that the middleware does neither.  Django never saves an empty session, so
`is_empty` itself releases one; the store then decides whether it is still empty.
"""

from __future__ import annotations

from django.conf import settings

from sojourn.web.django._keys import aend, aexists, end, exists
from sojourn.web.django._managers import async_manager, manager
from sojourn.web.django._saving import SavingSession
from sojourn.web.django._session import InnerSession


class SessionStore(SavingSession):
    """A session store in Django's sense: one session, and operations on others by their keys."""

    def is_empty(self) -> bool:
        """Whether Django may delete the cookie, and does not have to save the session.

        A cookie without a session is not deleted, as the client may hold a newer one by now.  With
        SESSION_SAVE_EVERY_REQUEST it is, or Django would save, and send a cookie without a session.
        """
        # Without an access since the last save, there is nothing to release.
        if self._inner is not None:
            if not self._inner.is_bare and not self._may_find_no_store(self._inner):
                return False
            self._finish(self._inner, manager().release(self._inner))
        if self._token is not None:
            return False
        gone = self._ended or settings.SESSION_SAVE_EVERY_REQUEST
        return not self._brought or (gone and not self._late)

    def _may_find_no_store(self, inner: InnerSession) -> bool:
        """Whether the session must be stored immediately, to find out if the store is available.

        Django sends a token after every save; in an outage with `on_outage="anonymous"` there is
        none.
        """
        return inner.is_new and self.modified and manager().config.on_outage == "anonymous"

    def create(self) -> None:
        """Store the session under a new token, even if it is empty.

        If the session is already stored, its old token becomes invalid.
        """
        self.save(must_create=True)

    async def acreate(self) -> None:
        """Store the session under a new token, like `create`."""
        await self.asave(must_create=True)

    def flush(self) -> None:
        """End the session immediately; values assigned afterwards begin a new one."""
        session = self._get_session()
        session.destroy()
        self._finish(session, manager().release(session))

    async def aflush(self) -> None:
        """End the session immediately; values assigned afterwards begin a new one."""
        session = await self._aget_session()
        session.destroy()
        self._finish(session, await async_manager().release(session))

    def delete(self, session_key: str | None = None) -> None:
        """End this session or, given a key, that session immediately."""
        self.flush() if session_key is None else end(session_key, self._inner)

    async def adelete(self, session_key: str | None = None) -> None:
        """End this session or, given a key, that session immediately."""
        await (self.aflush() if session_key is None else aend(session_key, self._inner))

    def exists(self, session_key: str) -> bool:
        """Whether a live session has this key."""
        return exists(session_key)

    async def aexists(self, session_key: str) -> bool:
        """Whether a live session has this key."""
        return await aexists(session_key)
