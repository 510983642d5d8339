"""What a Django session is inside: a session with two of Django's promises.

Django keeps an expiry among the data, under "_session_expiry": seconds without being seen, 0 for
the end of the browser, or a date.  Here the first two are the session's lifetime, and that key
is only how Django asks for it; a date is stored, for what is left of it is another lifetime at
every release.

And a session that was created stays, though there is nothing in it, since applications keep its
key: a mark among the data, which nobody sees, says so.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sojourn.codec import encode_key
from sojourn.session import Session

EXPIRY = "_session_expiry"
OVER = 0.001
"""The lifetime in seconds of what shall have ended by the next request."""

_EXPIRY = encode_key(EXPIRY)
_KEPT = ("sojourn.web.django", "kept")
_MARK = encode_key(_KEPT)


class InnerSession(Session):
    """The session inside a Django session."""

    __slots__ = ()

    @property
    def is_bare(self) -> bool:
        """Whether nothing is in it, and nobody signed in: no reason to store it."""
        return not super()._names() and self._user is None

    @property
    def token(self) -> str | None:
        """The secret that the client is to hold; None if nothing is stored."""
        if self._origin is None:
            return None
        return self._mint()[0] if self._renew else self._token

    @property
    def signs_in(self) -> bool:
        """Whether this request signs somebody in: that starts afresh, where all else is too late."""
        return self._login

    def keep(self) -> None:
        """Be stored, though there is nothing in it."""
        if self.is_bare:
            super().__setitem__(_KEPT, True)

    def settle(self) -> None:
        """Hold the date at which it ends, before a release that would move it."""
        if self._has(_EXPIRY) and (self.modified or self._context.config.touch_on == "request"):
            limit = self._context.config.absolute_lifetime or float("inf")
            self.set_lifetime(min(self._left(self[EXPIRY]), limit), persistent=True)

    def _names(self) -> list[bytes]:
        return [name for name in super()._names() if name != _MARK]

    # -- the expiry, as Django asks for it -----------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        try:
            return super().__getitem__(key)
        except KeyError:
            expiry = self._idle() if key == EXPIRY else None
            if expiry is None:
                raise
            return expiry

    def __setitem__(self, key: Any, value: Any) -> None:
        if key != EXPIRY:
            super().__setitem__(key, value)
        elif isinstance(value, str):
            self.set_lifetime(self._left(value), persistent=True)
            super().__setitem__(key, value)
        else:
            self.set_lifetime(max(value, OVER) if value else None, persistent=bool(value))
            if EXPIRY in self:
                super().__delitem__(key)

    def __delitem__(self, key: Any) -> None:
        if key != EXPIRY or EXPIRY in self:
            super().__delitem__(key)
        elif self._idle() is None:
            raise KeyError(key)
        if key == EXPIRY:
            self.set_lifetime(None, persistent=self._persistent_by_default)

    def _idle(self) -> int | None:
        """The seconds it lives on, 0 for the end of the browser, None for what is configured."""
        if self._lifetime is None and self._persistent == self._persistent_by_default:
            return None
        return (round(self.lifetime) or -1) if self._persistent else 0

    def _left(self, date: str) -> float:
        """The seconds until then."""
        return max(datetime.fromisoformat(date).timestamp() - self._context.clock(), OVER)

    @property
    def _persistent_by_default(self) -> bool:
        return self._context.config.cookie_lifetime > 0
