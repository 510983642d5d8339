"""What a session stands on: what it needs of the world, and how it stands towards the store."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

from sojourn._tokens import Tokens
from sojourn.codec import Codec
from sojourn.config import Config


class Context(NamedTuple):
    """What a session needs of the world."""

    config: Config
    codec: Codec
    tokens: Tokens
    clock: Callable[[], float]


class Standing(Enum):
    """How a session stands towards the store."""

    NORMAL = auto()
    RETIRED = auto()
    """It came with a token that was regenerated away: it stores nothing, and can end nothing."""
    OUTAGE = auto()
    """The store was down and the policy is to go on: it stores nothing."""
    DETACHED = auto()
    """Opened by its id, without a request: no cookie, no touch, no new id."""
