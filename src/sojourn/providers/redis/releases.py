"""The releases of redis-py and hiredis that these modules work with.

The modules read the socket of a connection from a private attribute of redis-py, and redis-py's
connections differ between major releases.  The tests run with the first and the last release of
each range, which the extra `redis` in `pyproject.toml` has too.
"""

from __future__ import annotations

import re

from sojourn.errors import ConfigError

RANGES = {"redis": ("8.0.1", "9"), "hiredis": ("3.2", "4")}
"""For each package the first release that is supported, and the first one that is not any more."""


def check(package: str, installed: str) -> None:
    """Raise ConfigError if the installed release of a package is not supported."""
    first, end = RANGES[package]
    if not _numbers(first) <= _numbers(installed) < _numbers(end):
        raise ConfigError(
            f"{package} {installed} is not supported: install {first} or later, below {end},"
            f" for instance with: pip install '{package}>={first},<{end}'"
        )


def _numbers(release: str) -> list[int]:
    """Return the first three numbers of a version (PEP 440)."""
    return [int(number) for number in re.findall(r"\d+", release)[:3]]
