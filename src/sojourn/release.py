"""What came of a session at the end of its request, and what the response has to say of it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class ReleaseOutcome(StrEnum):
    """What a release did."""

    UNCHANGED = "unchanged"
    """Nothing was to be stored."""
    TOUCHED = "touched"
    """Only its times moved."""
    CREATED = "created"
    """It was stored for the first time."""
    SAVED = "saved"
    """Its changes were stored."""
    RENEWED = "renewed"
    """It goes on under a new token and id, its changes stored with it."""
    ENDED = "ended"
    """It was destroyed, or nothing was left in it."""
    LATE = "late"
    """It had ended before this release: nothing was stored, the client's cookie is left alone."""
    RETIRED = "retired"
    """Its token had been regenerated away before the request: nothing was stored."""
    OUTAGE = "outage"
    """The store was down, and `on_outage` is "anonymous": nothing was stored."""
    DISCARDED = "discarded"
    """The request was given up, and its changes with it: nothing was stored."""


class Release(NamedTuple):
    """What came of a session, and the headers to append to the response."""

    outcome: ReleaseOutcome
    headers: tuple[tuple[str, str], ...] = ()
    token: str | None = None
    """The new secret, where the client is to be given one: for applications that hand it over
    themselves, with `enable_set_cookie` off."""

    def __repr__(self) -> str:
        """Name the headers, and not what is in them: one holds the token."""
        names = ", ".join(name for name, _ in self.headers)
        return f"<Release {self.outcome.value}: {names or 'no headers'}>"
