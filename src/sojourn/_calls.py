"""The calls of a provider that a decision asks for; the managers carry them there and back."""

from __future__ import annotations

from collections.abc import Generator
from copy import copy
from typing import Any, NamedTuple

from sojourn.errors import OutcomeUnknown, StoreError, StoreUnavailable
from sojourn.record import Changes, Record
from sojourn.release import Release

PATIENCE = 5.0
"""Seconds that a release goes on against others that change the same keys."""


def crowded() -> StoreUnavailable:
    """Return the error of a release that never came to write."""
    return StoreUnavailable(f"others changed the same keys without a pause for {PATIENCE} seconds")


def same_error(error: BaseException) -> BaseException:
    """Return an error of its own for each of several releases that failed together."""
    if not isinstance(error, Exception):
        return OutcomeUnknown("storing the session was interrupted: it may have been stored or not")
    try:
        return copy(error) if isinstance(error, StoreError) else error
    except Exception:  # noqa: BLE001 - its class may want other arguments
        return error


class Read(NamedTuple):
    """Call `read`; the answer is the Record, or None."""

    id: str


class Create(NamedTuple):
    """Call `create`; the answer is a bool."""

    record: Record


class Update(NamedTuple):
    """Call `update`; the answer is an Outcome, or the Record that stands."""

    record: Record
    changes: Changes


class Destroy(NamedTuple):
    """Call `destroy`; the answer is the Record taken away, or None."""

    id: str


Call = Read | Create | Update | Destroy
Steps = Generator[Call, Any, Release]
