"""The Sojourn session inside a Django session, which keeps two promises of Django's sessions.

An expiry can be read and set among its data.  And a session that was explicitly created is stored
even if it is empty, because applications store its key.  A hidden mark in its data records this.
"""

from __future__ import annotations

from typing import Any

from sojourn._session.state import Standing
from sojourn.codec import encode_key
from sojourn.errors import StoreError
from sojourn.session import Session
from sojourn.web.django._expiry import ExpiringSession

_KEPT = ("sojourn.web.django", "kept")
_MARK = encode_key(_KEPT)


def data_of(session: Session | None) -> dict[Any, Any]:
    """Return the data of a session as a dict, empty for None."""
    return {} if session is None else dict(session)


class InnerSession(ExpiringSession):
    """The session inside a Django session."""

    __slots__ = ()

    @property
    def is_bare(self) -> bool:
        """Whether it has no data and no user, so that there is no reason to store it."""
        return not super()._names() and self._state.user is None

    @property
    def token(self) -> str | None:
        """The secret token that the client should send; None if the session is not stored."""
        state = self._state
        if state.origin is None:
            return None
        # `mint` returns the same pair each time: the release will store the session under it.
        return state.mint()[0] if state.renews else state.token

    @property
    def is_detached(self) -> bool:
        """Whether it was loaded by its id, so that the client's token is not known."""
        return self._state.standing is Standing.DETACHED

    @property
    def is_unknown(self) -> bool:
        """Whether the store was unavailable when the session was loaded."""
        return self._state.standing is Standing.OUTAGE

    @property
    def is_unread(self) -> bool:
        """Whether the request has not used it, and it was not loaded."""
        return self._state.unread

    @property
    def failure(self) -> StoreError | None:
        """The error of the store because of which it could not be loaded."""
        return self._state.failed

    @property
    def stored_id(self) -> str | None:
        """The id under which it is stored now; None if it is not stored."""
        origin = self._accessed().origin
        return None if origin is None else origin.id

    @property
    def given_up(self) -> str | None:
        """The id that it loses at the release, if a new one was requested; else None."""
        return self.stored_id if self._state.renews else None

    @property
    def seen(self) -> bool:
        """Whether the release stores it as seen now, even without a change."""
        return self._state.counts_as_seen

    def see(self) -> None:
        """Make the release store it as seen now, as every save in Django does."""
        self._state.counts_as_seen = True

    def look(self) -> None:
        """Count as accessed."""
        self._accessed()

    @property
    def signs_in(self) -> bool:
        """Whether this request signs a user in; if the session has ended, that begins a new one."""
        return self._state.signs_in

    def keep(self) -> None:
        """Make the release store the session even if it is empty."""
        if self.is_bare:
            super().__setitem__(_KEPT, True)

    def clear(self) -> None:
        """Delete all data; a session that was explicitly created remains stored nevertheless."""
        created = self._state.changes.has(_MARK)
        super().clear()
        if created:
            super().__setitem__(_KEPT, True)

    def _names(self) -> list[bytes]:
        return [name for name in super()._names() if name != _MARK]
