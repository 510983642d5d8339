"""The calls of a provider that a decision asks for; the managers carry them there and back."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple

from sojourn.record import Changes, Record
from sojourn.release import Release


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


class Pause(NamedTuple):
    """Let others go first for so many seconds; there is no answer."""

    seconds: float


Call = Create | Update | Destroy | Pause
Steps = Generator[Call, Any, Release]
