"""Checks that an installed framework is new enough for its integration."""

from __future__ import annotations

import re
from importlib.metadata import version

from sojourn.errors import ConfigError


def require(package: str, at_least: str) -> None:
    """Raise ConfigError if the installed package is older than a version such as "3.1"."""
    installed = version(package)
    if _numbers(installed) < _numbers(at_least):
        raise ConfigError(
            f"{package} {installed} is too old: install {package} {at_least} or newer, "
            f"for instance with: pip install '{package}>={at_least}'"
        )


def _numbers(text: str) -> list[int]:
    """Return the first three numbers of a version (PEP 440), without those of a local part."""
    return [int(number) for number in re.findall(r"\d+", text.partition("+")[0])[:3]]
