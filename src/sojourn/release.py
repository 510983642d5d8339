"""The result of a release: its outcome, and the headers for the response."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Any, Final, NamedTuple


class ReleaseOutcome(StrEnum):
    """The effect of a release."""

    UNCHANGED = "unchanged"
    """There was nothing to store."""
    TOUCHED = "touched"
    """Only the times of the session were updated."""
    CREATED = "created"
    """The session was stored for the first time."""
    SAVED = "saved"
    """Its changes were stored."""
    RENEWED = "renewed"
    """The session continues under a new token and id; its changes were stored."""
    ENDED = "ended"
    """The session was destroyed, or it had become empty."""
    LATE = "late"
    """The session had ended before: nothing was stored, and the client's cookie is left alone."""
    RETIRED = "retired"
    """The token had been replaced before the request began: nothing was stored."""
    OUTAGE = "outage"
    """The store was down, and `on_outage` is "anonymous": nothing is known to have been stored."""
    DISCARDED = "discarded"
    """The application discarded the changes, or the response could not carry the new token that
    they need: nothing was stored."""


# Python 3.11 takes 0.1 µs to look up a member in its class, which is too long for each request.
UNCHANGED: Final = ReleaseOutcome.UNCHANGED
TOUCHED: Final = ReleaseOutcome.TOUCHED
CREATED: Final = ReleaseOutcome.CREATED
SAVED: Final = ReleaseOutcome.SAVED


class Release(NamedTuple):
    """The outcome of a release, and the headers to add to the response."""

    outcome: ReleaseOutcome
    headers: tuple[tuple[str, str], ...] = ()
    token: str | None = None
    """The new token if the client is to be given one, else None.  For applications that deliver it
    themselves, with `enable_set_cookie=False`."""

    def __repr__(self) -> str:
        """Return the outcome and the names of the headers; their values may contain the token."""
        names = ", ".join(name for name, _ in self.headers)
        return f"<Release {self.outcome.value}: {names or 'no headers'}>"


release_of: Callable[[tuple[Any, ...]], Release] = partial(tuple.__new__, Release)
"""Makes a Release of a tuple of its values, without a call of Python."""
