"""The beginning of a request: its tokens, and the session that a record under one of them gives it.

A session can also be opened by its id, for work without a request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sojourn._cookies import Arrival, Headers, SessionCookie
from sojourn._events import Event
from sojourn._session.seen import Seen
from sojourn._session.state import (
    DETACHED,
    NORMAL,
    RETIRED,
    Context,
    Found,
    SessionState,
    found_of,
)
from sojourn.errors import SessionGone
from sojourn.record import Assignment, Record, is_live, size_of
from sojourn.release import Release, ReleaseOutcome
from sojourn.session import Session

NOWHERE = Arrival((), malformed=False, in_header=False, https=False)
"""The arrival of a session that was opened without a request."""


class Moment(NamedTuple):
    """A moment in the life of a process."""

    time: float
    """In seconds since the epoch."""
    ends: int
    """How many ends of sessions the process had noted by then."""


class Openings:
    """Decides with which session a request begins, under one configuration."""

    def __init__(
        self,
        context: Context,
        cookie: SessionCookie,
        seen: Seen,
        report: Callable[[Event, str | None], None],
    ) -> None:
        """Set the objects that all sessions share.

        seen: the sessions that this process has read or stored lately.  report: handles an event.
        """
        self.context = context
        self._cookie = cookie
        self._seen = seen
        self._report = report
        self._now = context.clock
        self._id_of = context.tokens.id_of
        self._touches = context.config.touch_on == "request"

    # -- from the headers of a request -----------------------------------------------------------

    def arrive(self, headers: Headers, *, https: bool) -> Arrival:
        """Read the tokens from the headers of a request; report a value that is not a token."""
        arrival = self._cookie.arrive(headers, https=https)
        if arrival.malformed:
            self._report("rejected", None)
        return arrival

    def find(self, token: str, id: str, record: Record | None) -> Found | None:
        """Return the session of a record; a retired one for a tombstone; None if it has expired.

        id: that of the token.  record: None if none is stored under it, which is like an expired one.
        """
        now = self._now()
        if record is not None and record.expires > now:
            if record.successor is None:
                if self._seen.used:
                    self._seen.note(id, record.seen, record.lifetime, now)
                return found_of((token, record, NORMAL, None))
            self._report("retired", id)
            if self._seen.used:  # no touch is ever due for it
                self._seen.note_absence(id, now)
            # Without the token and the record, since the request may neither see nor end the
            # session that goes on under the successor.
            return Found(standing=RETIRED, successor=record.successor)
        self._report("rejected" if record is None else "expired", id)
        if self._seen.used:
            if record is not None:
                self._seen.note_expiry(id, record.expires)
            self._seen.note_absence(id, now)
        return None

    # -- at the first use --------------------------------------------------------------------------

    def moment(self) -> Moment:
        """Return the moment at which a request begins."""
        return Moment(self._now(), self._seen.ends)

    def is_late(self, arrival: Arrival, began: Moment) -> bool:
        """Return whether a request whose tokens name nothing may have had a session when it began.

        Then the client may have a newer token by now, which that of a new session would replace.
        The ends of other processes are not known: after `retired_for` seconds, they are assumed.
        """
        if not arrival.tokens:
            return False
        # At the very end of that time, a tombstone has expired.
        if self._now() - began.time >= self.context.config.retired_for:
            return True
        seen = self._seen
        return any(
            seen.ended_since(id, began.ends) or seen.expired_since(id, began.time)
            for id in map(self._id_of, arrival.tokens)
        )

    # -- at the release, if the session was not read -----------------------------------------------

    def must_read(self, state: SessionState) -> bool:
        """Return whether the release of a session that was not read depends on its record.

        It does, unless nothing was assigned, and the process knows that no touch is due.
        """
        # The release of a session that could not be read fails: its response is about nobody.  One
        # that another thread of the request is reading may be about to change.
        if state.failed is not None or state.counts_as_seen or state.would_store or state.is_busy:
            return True
        if not self._touches:
            return False
        tokens = state.arrival.tokens
        if len(tokens) != 1:
            return len(tokens) > 1
        return not self._seen.covers(self._id_of(tokens[0]), self._now())

    def assignment(self, state: SessionState) -> Assignment | None:
        """Return the values that a request assigned to a session which it has not used otherwise.

        None if there are none, or if the session has to be read anyway.  Raises EncodeError if a
        value cannot be stored.
        """
        tokens = state.arrival.tokens
        must_read = state.failed is not None or state.counts_as_seen or state.is_busy
        if must_read or not state.would_store or len(tokens) != 1:
            return None
        put, config = state.assigned.own(), self.context.config
        if size_of(put) > config.max_size:
            return None
        return Assignment(
            self._id_of(tokens[0]),
            put,
            self._now(),
            config.touch_interval,
            config.max_lifetime,
            config.absolute_lifetime,
            config.max_size,
        )

    # -- by an id --------------------------------------------------------------------------------

    def resume(self, record: Record | None) -> Session | None:
        """Return the session of a record for work without a request; None if it is not live."""
        if record is None or not is_live(record, self._now()):
            return None
        return Session(SessionState(self.context, NOWHERE, Found(None, record, DETACHED)))


def opened(id: str, session: Session | None) -> Session:
    """Return the session that was opened by its id.  Raises SessionGone if it is None."""
    if session is None:
        raise _gone(id)
    return session


def refuse_late(id: str, release: Release) -> None:
    """Raise SessionGone if a session that was opened by its id had ended before its release."""
    if release.outcome is ReleaseOutcome.LATE:
        raise _gone(id)


def _gone(id: str) -> SessionGone:
    return SessionGone(f"no living session has the id {id!r}")
