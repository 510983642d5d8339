"""A session that is loaded when it is first looked at, and goes on after it was saved.

Django's own middleware sends the `session_key` as the cookie, so here it is the token.  A
release is the end of one piece of work: the next access loads the session again.
"""

from __future__ import annotations

from django.contrib.sessions.backends.base import UpdateError

from sojourn._tokens import is_token
from sojourn.release import Release, ReleaseOutcome
from sojourn.web.django._contract import DjangoSession
from sojourn.web.django._inner import InnerSession
from sojourn.web.django._managers import async_manager, headers_of_token, manager

_GOING_ON = (ReleaseOutcome.UNCHANGED, ReleaseOutcome.TOUCHED, ReleaseOutcome.SAVED)
_TOO_LATE = (ReleaseOutcome.LATE, ReleaseOutcome.RETIRED)


class LazySession(DjangoSession):
    """The session that a cookie names."""

    def __init__(self, session_key: str | None = None) -> None:
        """Stand for the session of a token.  `session_key`: what the cookie says, whatever it is."""
        self._token = session_key if session_key and is_token(session_key) else None
        self._brought = self._token is not None
        self._inner: InnerSession | None = None
        self._looked_at = False
        self._saved = False
        self._ended = False
        self._late = False

    def _get_session(self, no_load: bool = False) -> InnerSession:
        if self._inner is None:
            self._inner = InnerSession.adopt(manager().start(headers_of_token(self._token)))
        return self._inner

    async def _aget_session(self, no_load: bool = False) -> InnerSession:
        if self._inner is None:
            session = await async_manager().start(headers_of_token(self._token))
            self._inner = InnerSession.adopt(session)
        return self._inner

    @property
    def session_key(self) -> str | None:
        """The token, which Django sends as the cookie; None if nothing is stored.

        A secret: keep `session.id` where Django's users keep the key.
        """
        self._looked_at = True
        return self._token if self._inner is None else self._inner.token

    def _is_accessed(self) -> bool:
        return self._looked_at or (self._inner is not None and self._inner.accessed)

    def _is_modified(self) -> bool:
        """Whether there is something to save, or something was saved of which no cookie tells."""
        inner = self._inner
        if self._late and not (inner is not None and inner.signs_in):
            return False
        return self._saved or (inner is not None and inner.modified)

    def __bool__(self) -> bool:
        return self._token is not None or (self._inner is not None and not self._inner.is_bare)

    # -- the end of a piece of work --------------------------------------------------------------

    def save(self, must_create: bool = False) -> None:
        """Store what was done; with `must_create`, or if nothing is stored, as a new session.

        Raises UpdateError if the session has ended meanwhile, or its token was regenerated away.
        """
        session = self._get_session()
        self._prepare(session, must_create=must_create)
        release = manager().release(session)
        self._finish(session, release)
        if release.outcome is ReleaseOutcome.UNCHANGED:  # then the store has not said a word
            self._late = self._get_session().is_new
        self._refuse_late()

    async def asave(self, must_create: bool = False) -> None:
        """Store what was done, as `save` does."""
        session = await self._aget_session()
        self._prepare(session, must_create=must_create)
        release = await async_manager().release(session)
        self._finish(session, release)
        if release.outcome is ReleaseOutcome.UNCHANGED:
            self._late = (await self._aget_session()).is_new
        self._refuse_late()

    def _prepare(self, session: InnerSession, *, must_create: bool) -> None:
        self._late = self._late or (self._saved and session.is_new and session.is_bare)
        if not session.signs_in:
            self._refuse_late()
        if must_create and not session.is_new:
            session.regenerate_id()
        if session.is_new:
            session.keep()
        session.settle()

    def _refuse_late(self) -> None:
        if self._late:
            raise UpdateError("the session had ended, or goes on under a newer token")

    def _finish(self, session: InnerSession, release: Release) -> None:
        """Go on with what came of it.  What ended or was late stays so until a new token."""
        outcome, fresh = release.outcome, release.token is not None
        self._looked_at = self.accessed
        self._inner = None
        if outcome is ReleaseOutcome.OUTAGE:  # the client keeps what it has
            return
        ended = outcome is ReleaseOutcome.ENDED
        late = outcome in _TOO_LATE or (ended and not session.is_bare)  # others emptied it
        self._saved = not ended and (self._saved or fresh or outcome is ReleaseOutcome.SAVED)
        self._late = not fresh and (self._late or late)
        self._ended = not fresh and (self._ended or ended)
        self._token = session.token if outcome in _GOING_ON else release.token
