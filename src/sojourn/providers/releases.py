"""The releases of clients and drivers that the providers work with.

Some modules use a part of a package that may differ in its next major release, such as the socket of
a connection of redis-py.  The extras in `pyproject.toml` have the same ranges.
"""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from sojourn._versions import numbers
from sojourn.errors import ConfigError

RANGES = {
    "redis": ("8.0.1", "9"),
    "hiredis": ("3.2", "4"),
    "psycopg": ("3.3.6", "4"),
    "PyMySQL": ("1.2", "2"),
    "asyncmy": ("0.2.18", "1"),
    "mysqlclient": ("2.2", "3"),
}
"""For each package the first release that is supported, and the first one that is not any more."""


def check(package: str) -> None:
    """Raise ConfigError if the installed release of a package is not supported."""
    # A package in a frozen application may lack its metadata, and with it the number.
    with suppress(PackageNotFoundError):
        installed = version(package)
        first, end = RANGES[package]
        if not numbers(first) <= numbers(installed) < numbers(end):
            raise ConfigError(
                f"{package} {installed} is not supported: install {first} or later, below {end},"
                f" for instance with: pip install '{package}>={first},<{end}'"
            )
