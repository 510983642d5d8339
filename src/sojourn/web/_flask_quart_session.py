"""The session class of Flask and Quart, and subclasses for sessions without our middleware.

The class has the attributes of Flask's `SessionMixin`.  A `LoneSession` was started by the session
interface, which must therefore release it; all others are released by the middleware.
"""

from __future__ import annotations

from typing import Any

from flask.sessions import SessionMixin

from sojourn._events import logger
from sojourn.session import Session, state_of

_FLASHED = "_flashes"
"""The key under which Flask and Quart store flashed messages until a page shows them."""
_NO_DEFAULT: Any = object()
STAYING = (
    "flashed messages were shown when the response had begun, and the next page shows them again: "
    "call get_flashed_messages() before a stream begins"
)


class FlaskSession(Session):
    """A session with the attributes that Flask and Quart expect of theirs."""

    __slots__ = ()

    @property
    def permanent(self) -> bool:
        """Whether the cookie outlives the browser session, for PERMANENT_SESSION_LIFETIME."""
        return self.persistent

    @permanent.setter
    def permanent(self, value: bool) -> None:
        if bool(value) != self.persistent:
            self.set_lifetime(None, persistent=bool(value))

    @property
    def new(self) -> bool:
        """Whether nothing is stored for this visitor yet."""
        return self.is_new

    @property
    def modified(self) -> bool:
        """Whether there is a change to store; changes are detected without setting this."""
        return super().modified

    @modified.setter
    def modified(self, value: bool) -> None:
        """Ignore the value: applications set it for sessions that cannot detect changes."""

    @property
    def accessed(self) -> bool:
        """Whether this request read or changed the session; using the proxy alone is no access."""
        return super().accessed

    @accessed.setter
    def accessed(self, value: bool) -> None:
        """Ignore the value: Flask sets it at each use of its proxy."""

    # Flask's `flash` gets the list, appends to it and assigns it again, and a page pops the list.
    # Here these steps become changes that merge: no message is lost, or shown twice.

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the value, or `default`; for flashed messages a copy, which `flash` extends."""
        value = super().get(key, default)
        return [*value] if key == _FLASHED and isinstance(value, list) else value

    def __setitem__(self, key: Any, value: Any) -> None:
        """Assign a value; of flashed messages, append only the new ones to the stored list."""
        if key == _FLASHED and isinstance(value, list):
            held = self.get(key, [])
            new = value[len(held) :]
            if value[: len(held)] == held:  # the list was only extended, as by `flash`
                self.apply(key, lambda stored: stored + new, [])
                return
        super().__setitem__(key, value)

    def pop(self, key: Any, default: Any = _NO_DEFAULT) -> Any:
        """Remove a value and return it; of flashed messages only those that this request loaded.

        Once the response has begun, messages can be read but not removed, as with Flask's sessions.
        """
        if key != _FLASHED or key not in self or not isinstance(self[key], list):
            return super().pop(key) if default is _NO_DEFAULT else super().pop(key, default)
        messages = self.get(key)
        if self._state.sealed:
            logger.warning(STAYING)
        elif len(self) == 1:
            del self[key]  # an empty session is deleted, one with an empty list is not
        else:
            self[key].clear()
        return messages


# A real base class would change the object layout, and `adopt` could not set `__class__`.
SessionMixin.register(FlaskSession)


class LoneSession(FlaskSession):
    """A session that no middleware started; the session interface must release it."""

    __slots__ = ()


class UnansweredSession(LoneSession):
    """A session whose client cannot be sent a token: in a WebSocket event, or after the request.

    Flask-SocketIO, for instance, keeps the environ of the handshake for its events; the session in
    it belongs to a request that is over, and was released.
    """

    __slots__ = ()


def is_open(session: Session) -> bool:
    """Whether the session can still be changed, since it was not yet released."""
    return not state_of(session).sealed
