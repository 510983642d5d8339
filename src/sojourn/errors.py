"""Every error that Sojourn raises on purpose; all are derived from `SessionError`.

An absent session is never an error below the manager: providers report it as None, False or GONE,
and raise only for faults.  No message contains a token or a password.
"""

from __future__ import annotations


class SessionError(Exception):
    """The base class of all errors that Sojourn raises on purpose."""


class ConfigError(SessionError, ValueError):
    """A setting is unknown, of the wrong type, invalid or unsafe.

    The message names the key and the value, and how to correct them.
    """


class EncodeError(SessionError, TypeError):
    """A key or a value is of a type that Sojourn does not store."""


class SessionTooLarge(SessionError):
    """The record would exceed `max_size` bytes, or the cookie 4,096; nothing was stored or sent."""


class CorruptRecord(SessionError):
    """Stored data cannot be read: a whole record, or the value of one field."""

    def __init__(self, message: str, *, id: str | None = None) -> None:
        super().__init__(message)
        self.id = id


class SessionGone(SessionError):
    """A session opened by its id does not exist, or has ended.

    `open_id` found no live session under the id, or the session ended before its release, or the
    job itself ended it and then changed it: there is no client that could be given a new session.
    """


class SessionReleased(SessionError):
    """The session was changed, or released again, after its release: nothing can be saved then."""


class NotLoaded(SessionError):
    """An asynchronous application used a session that its request did not read.

    Reading it at that point would block the event loop, so `await session.load()` has to come first.
    """


class NotFresh(SessionError):
    """`require_fresh` found no recent sign-in: the application should ask for another one."""


class StoreError(SessionError):
    """The store failed.  Never raised because a session does not exist."""


class StoreUnavailable(StoreError):
    """The store cannot be reached, is full, or refused a call; that call wrote nothing."""


class OutcomeUnknown(StoreError):
    """It is not known whether a write was stored, for instance because its answer was lost.

    It was not repeated, since a second write could do harm.
    """
