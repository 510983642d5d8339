"""The store for SESSION_ENGINE: a session beneath Django's own middleware.

Django's middleware asks `modified` and `is_empty`, and accordingly saves and sets the cookie,
deletes the cookie, or does neither; whoever came late, or with a token that was regenerated
away, says what makes it do neither.  It never saves an empty session, so `is_empty` is where one
is released: whether it is empty by then the store decides.
"""

from __future__ import annotations

from django.conf import settings

from sojourn.web.django._inner import InnerSession
from sojourn.web.django._lazy import LazySession
from sojourn.web.django._managers import async_manager, headers_of_token, manager


class SessionStore(LazySession):
    """What Django calls a session store: one session, and a word on others by their token."""

    def is_empty(self) -> bool:
        """Whether Django may delete the cookie, and need not save.

        A cookie that names no session is left alone, as the client may hold a newer one by now;
        but with SESSION_SAVE_EVERY_REQUEST Django would save, and send what nothing stands for.
        """
        if self._inner is not None:
            if not self._inner.is_bare and not self._may_find_no_store(self._inner):
                return False
            self._finish(self._inner, manager().release(self._inner))
        if self._token is not None:
            return False
        gone = self._ended or settings.SESSION_SAVE_EVERY_REQUEST
        return not self._brought or (gone and not self._late)

    def _may_find_no_store(self, inner: InnerSession) -> bool:
        """Whether it has to be stored by now: Django sends a token after every save, and where it
        may go on without the store, there may be none.
        """
        return inner.is_new and self.modified and manager().config.on_outage == "anonymous"

    def create(self) -> None:
        """Store the session under a new token, though there is nothing in it.

        One that is stored already goes on under the new one, and the old one is dead.
        """
        self.save(must_create=True)

    async def acreate(self) -> None:
        """Store the session under a new token, as `create` does."""
        await self.asave(must_create=True)

    def flush(self) -> None:
        """End the session at once; what is put afterwards begins a new one."""
        session = self._get_session()
        session.destroy()
        self._finish(session, manager().release(session))

    async def aflush(self) -> None:
        """End the session at once; what is put afterwards begins a new one."""
        session = await self._aget_session()
        session.destroy()
        self._finish(session, await async_manager().release(session))

    def delete(self, session_key: str | None = None) -> None:
        """End a session at once: this one, or that of a token."""
        (SessionStore(session_key) if session_key else self).flush()

    async def adelete(self, session_key: str | None = None) -> None:
        """End a session at once: this one, or that of a token."""
        await (SessionStore(session_key) if session_key else self).aflush()

    def exists(self, session_key: str) -> bool:
        """Whether a living session has this token."""
        return not manager().start(headers_of_token(session_key)).is_new

    async def aexists(self, session_key: str) -> bool:
        """Whether a living session has this token."""
        return not (await async_manager().start(headers_of_token(session_key))).is_new
