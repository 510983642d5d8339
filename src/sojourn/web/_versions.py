"""Checks that an installed framework is new enough for its integration."""

from __future__ import annotations

from importlib.metadata import version

from sojourn._versions import numbers
from sojourn.errors import ConfigError


def require(package: str, at_least: str) -> None:
    """Raise ConfigError if the installed package is older than a version such as "3.1"."""
    installed = version(package)
    if numbers(installed) < numbers(at_least):
        raise ConfigError(
            f"{package} {installed} is too old: install {package} {at_least} or newer, "
            f"for instance with: pip install '{package}>={at_least}'"
        )
