"""The calls of a provider as values: a decision yields them, and the managers carry them out."""

from __future__ import annotations

from collections.abc import Generator
from copy import copy
from typing import Any, NamedTuple

from sojourn.errors import OutcomeUnknown, StoreError, StoreUnavailable
from sojourn.record import Changes, Record
from sojourn.release import Release

PATIENCE = 5.0
"""Seconds for which a release tries again while others change the same keys."""


def crowded() -> StoreUnavailable:
    """Return the error of a release whose time is up, and of which nothing was written."""
    return StoreUnavailable(f"others changed the same keys without a pause for {PATIENCE} seconds")


def same_error(error: BaseException) -> BaseException:
    """Return the error to raise in one of several releases that failed together.

    An error of the store is copied: each release raises it in its own thread or task, which would
    add its traceback to a shared object.
    """
    # An interrupt (Ctrl-C, a cancellation) is meant for one thread or task, not for the others.
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
    """Call `update`; the answer is an Outcome, or the stored Record if it was not as expected."""

    record: Record
    changes: Changes


class Destroy(NamedTuple):
    """Call `destroy`; the answer is the deleted Record, or None."""

    id: str


class Find(NamedTuple):
    """Call `find`; the answer is the set of the ids that it yields."""

    user: str
    now: float


Call = Read | Create | Update | Destroy | Find
Steps = Generator[Call, Any, Release]
"""The calls of one release, which it yields one after the other, and its result."""
