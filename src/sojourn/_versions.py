"""The comparison of the releases of packages."""

from __future__ import annotations

import re


def numbers(release: str) -> list[int]:
    """Return the first three numbers of a version (PEP 440), without those of a local part."""
    return [int(number) for number in re.findall(r"\d+", release.partition("+")[0])[:3]]
