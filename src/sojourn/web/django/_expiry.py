"""The expiry that Django's `set_expiry` keeps in the data of a session, as "_session_expiry".

It is a number of idle seconds, 0 for a session that ends with the browser, or a date.  The first
two become the lifetime of the session, and the key is not stored: reading it returns the lifetime.
A date is stored, because the time left until then, and so the lifetime, differs at each release.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sojourn.codec import encode_key
from sojourn.session import Session

EXPIRY = "_session_expiry"
OVER = 1e-300
"""The lifetime, in seconds, of a session that is over: positive, but lost when added to a time."""

_EXPIRY = encode_key(EXPIRY)


class ExpiringSession(Session):
    """A session in which the key "_session_expiry" represents its lifetime."""

    __slots__ = ()

    def settle(self) -> None:
        """Set the lifetime again from the stored date, before a release that would extend it."""
        config = self._state.context.config
        if self._state.changes.has(_EXPIRY) and (self.modified or config.touch_on == "request"):
            # A lifetime beyond the absolute one would be refused.
            limit = config.absolute_lifetime or float("inf")
            self.set_lifetime(min(self._left(self[EXPIRY]), limit), persistent=True)

    def __getitem__(self, key: Any) -> Any:
        # A stored date comes first; idle seconds are not stored, and are derived on demand.
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
        elif isinstance(value, str):  # a date, as Django's `set_expiry` writes it
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
        """Return the lifetime in seconds, 0 for the browser's end, None for the configured one."""
        state = self._state
        if state.lifetime is None and state.persistent == self._persistent_by_default:
            return None
        # Django takes 0 for the end of the browser, so a lifetime that rounds to it becomes -1.
        return (round(self.lifetime) or -1) if state.persistent else 0

    def _left(self, date: str) -> float:
        """Return the seconds until a date in ISO format, or `OVER` if it has passed."""
        return max(datetime.fromisoformat(date).timestamp() - self._state.context.clock(), OVER)

    @property
    def _persistent_by_default(self) -> bool:
        return self._state.context.config.cookie_lifetime > 0
