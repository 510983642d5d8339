"""Every error that Sojourn raises on purpose.

All descend from `SessionError`.  "Not there" is never an error below the manager: providers
answer None, False or GONE, and raise only for faults.  No message carries a token or a password.
"""

from __future__ import annotations


class SessionError(Exception):
    """The root: catching it catches everything Sojourn raises on purpose."""


class ConfigError(SessionError, ValueError):
    """A setting is unknown, mistyped or unsafe.  Names the key, the value and the way out."""


class EncodeError(SessionError, TypeError):
    """A key or a value is of a type that Sojourn does not store."""


class SessionTooLarge(SessionError):
    """The record would exceed `max_size` bytes, or the cookie 4,096; nothing was stored or sent."""


class CorruptRecord(SessionError):
    """What the store holds under an id cannot be read: the whole frame, or one field of it."""

    def __init__(self, message: str, *, id: str | None = None) -> None:
        super().__init__(message)
        self.id = id


class SessionGone(SessionError):
    """`open_id` found no living session under the id, or it ended before the release."""


class SessionReleased(SessionError):
    """The session was changed after its release: the response has begun, nothing can be saved."""


class NotFresh(SessionError):
    """`require_fresh` found no sign-in, or one that is too long ago: ask the user to sign in again."""


class StoreError(SessionError):
    """The store failed.  Never means that a session does not exist."""


class StoreUnavailable(StoreError):
    """The store cannot be reached, is full or refuses; nothing is known to have been written."""


class OutcomeUnknown(StoreError):
    """A write was sent and its answer lost, and repeating it could do harm: it may stand or not."""
