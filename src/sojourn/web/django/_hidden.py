"""Where a store is, and with what password, is for the store alone.

Django shows its settings on the page for an error while DEBUG is on, and hides what is called
a password, a key or a token; a connection string is called none of these.  So it is hidden once
the store is open; as long as it is wrong, errors have to show what is.
"""

from __future__ import annotations

from typing import Any


class Hidden(str):
    """Text that no repr shows."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<hidden>"


def conceal(ours: Any) -> None:
    """Leave in SOJOURN what equals its `provider_config`, and shows no text."""
    if isinstance(ours, dict) and "provider_config" in ours:
        ours["provider_config"] = _hidden(ours["provider_config"])


def _hidden(value: Any) -> Any:
    if isinstance(value, str):
        return Hidden(value)
    if isinstance(value, dict):
        return {key: _hidden(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_hidden(inner) for inner in value]
    return value
