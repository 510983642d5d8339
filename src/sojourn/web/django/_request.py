"""`request.session` under our own middleware: in memory, and released when the view is done.

What Django's users ask to be done at once is an intent here, and done at that release.
"""

from __future__ import annotations

from sojourn.errors import SessionGone
from sojourn.web.django._contract import DjangoSession
from sojourn.web.django._inner import InnerSession
from sojourn.web.django._managers import async_manager, manager


class RequestSession(DjangoSession):
    """The session of the request."""

    def __init__(self, inner: InnerSession) -> None:
        """Speak Django's words for a session."""
        self._inner = inner

    def _get_session(self, no_load: bool = False) -> InnerSession:
        return self._inner

    async def _aget_session(self, no_load: bool = False) -> InnerSession:
        return self._inner

    @property
    def session_key(self) -> str | None:
        """The id, safe to store and to log; None if nothing is stored, nor will be."""
        return None if self.is_empty() else self._inner.id

    def _is_accessed(self) -> bool:
        return self._inner.accessed

    def _is_modified(self) -> bool:
        return self._inner.modified

    def __bool__(self) -> bool:
        return not self.is_empty()

    def is_empty(self) -> bool:
        """Whether nothing is stored, nor will be."""
        return self._inner.is_new and self._inner.is_bare

    # -- intents ---------------------------------------------------------------------------------

    def save(self, must_create: bool = False) -> None:
        """Be stored at the release, though there is nothing in it."""
        if must_create and not self._inner.is_new:
            self._inner.regenerate_id()
        if self._inner.is_new:
            self._inner.keep()

    async def asave(self, must_create: bool = False) -> None:
        """Be stored at the release, as `save` says."""
        self.save(must_create)

    def create(self) -> None:
        """Be stored at the release under a new id, though there is nothing in it."""
        self.save(must_create=True)

    async def acreate(self) -> None:
        """Be stored at the release under a new id, as `create` says."""
        self.create()

    def flush(self) -> None:
        """End the session at the release; what is put afterwards begins a new one."""
        self._inner.destroy()

    async def aflush(self) -> None:
        """End the session at the release; what is put afterwards begins a new one."""
        self.flush()

    # -- others, at once ---------------------------------------------------------------------------

    def delete(self, session_key: str | None = None) -> None:
        """End this session at the release; or that of another id, now."""
        if session_key in (None, self.session_key):
            self.flush()
        else:
            manager().destroy(str(session_key))

    async def adelete(self, session_key: str | None = None) -> None:
        """End this session at the release; or that of another id, now."""
        if session_key in (None, self.session_key):
            self.flush()
        else:
            await async_manager().destroy(str(session_key))

    def exists(self, session_key: str) -> bool:
        """Whether a living session has this id."""
        try:
            with manager().open_id(session_key):
                return True
        except SessionGone:
            return False

    async def aexists(self, session_key: str) -> bool:
        """Whether a living session has this id."""
        try:
            async with async_manager().open_id(session_key):
                return True
        except SessionGone:
            return False
