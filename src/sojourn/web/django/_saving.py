"""A session that can be saved several times, and used in between.

Each save releases the Sojourn session inside; the next access loads it again.
"""

from __future__ import annotations

from django.contrib.sessions.backends.base import UpdateError

from sojourn.release import Release, ReleaseOutcome
from sojourn.web.django._lazy import LazySession
from sojourn.web.django._managers import async_manager, manager
from sojourn.web.django._session import InnerSession

_GOING_ON = (ReleaseOutcome.UNCHANGED, ReleaseOutcome.TOUCHED, ReleaseOutcome.SAVED)
_TOO_LATE = (ReleaseOutcome.LATE, ReleaseOutcome.RETIRED)


class SavingSession(LazySession):
    """A session whose `save` stores it immediately."""

    def save(self, must_create: bool = False) -> None:
        """Store the changes; with `must_create`, or if it is not stored, as a new session.

        Raises UpdateError if the session has ended in the meantime, or its token was replaced.
        """
        session = self._get_session()
        self._prepare(session, must_create=must_create)
        release = manager().release(session)
        self._finish(session, release)
        # Without a change the release makes no call that shows whether the session still exists.
        if release.outcome is ReleaseOutcome.UNCHANGED:
            self._late = self._get_session().is_new
        self._refuse_late()

    async def asave(self, must_create: bool = False) -> None:
        """Store the changes, like `save`."""
        session = await self._aget_session()
        self._prepare(session, must_create=must_create)
        release = await async_manager().release(session)
        self._finish(session, release)
        if release.outcome is ReleaseOutcome.UNCHANGED:
            self._late = (await self._aget_session()).is_new
        self._refuse_late()

    def _prepare(self, session: InnerSession, *, must_create: bool) -> None:
        lost = self._saved and session.is_new and not (must_create or session.is_unknown)
        self._late = self._late or lost  # it had been saved, and was ended in the meantime
        if not session.signs_in:  # a sign-in begins a new session, so it is never too late
            self._refuse_late()
        if must_create and not session.is_new:
            session.regenerate_id()
        if session.is_new:
            session.keep()
        session.see()
        # A stored expiry date must become a lifetime before the release computes the session's end.
        session.settle()

    def _refuse_late(self) -> None:
        if self._late:
            raise UpdateError("the session had ended, or goes on under a newer token")

    def _finish(self, session: InnerSession, release: Release) -> None:
        """Take over the result of a release.

        A session that ended, or came too late, remains so until a release gives it a new token.
        """
        outcome, fresh = release.outcome, release.token is not None
        self._looked_at = self.accessed
        self._inner, self._seen = None, False  # the next access loads the session again
        if outcome is ReleaseOutcome.OUTAGE:  # the client keeps its token
            return
        ended = outcome is ReleaseOutcome.ENDED
        late = outcome in _TOO_LATE or (ended and not session.is_bare)  # by another request
        self._saved = not ended and (self._saved or fresh or outcome is ReleaseOutcome.SAVED)
        self._late = not fresh and (self._late or late)
        self._ended = not fresh and (self._ended or ended)
        going_on = outcome in _GOING_ON
        self._id = session.stored_id if session.is_detached and going_on else None
        self._token = session.token if going_on else release.token
