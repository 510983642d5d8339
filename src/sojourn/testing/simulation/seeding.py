"""What makes a history reproducible: tokens that depend on the seed, and a log that is kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from unittest.mock import patch

from sojourn import _tokens


class _Seeded:
    """Takes the place of `secrets`, so that a seed reproduces its history with all tokens and ids."""

    def __init__(self, seed: int) -> None:
        self._dice = Random(f"tokens {seed}")

    def token_bytes(self, count: int) -> bytes:
        return self._dice.randbytes(count)

    def randbelow(self, limit: int) -> int:
        return self._dice.randrange(limit)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let tokens be the same in each run with this seed."""
    with patch.object(_tokens, "secrets", _Seeded(seed)):
        yield


class _Capture(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))


@contextmanager
def captured(lines: list[str]) -> Iterator[None]:
    """Append to `lines` everything that Sojourn logs."""
    logger, handler = logging.getLogger("sojourn"), _Capture(lines)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
