"""Hides the address and the password of the store in Django's debug pages.

If DEBUG is on, Django shows its settings on error pages.  It hides values whose names suggest a
password, a key or a token, but the name of a connection string does not.  So connection strings are
replaced by text without a readable repr once the store is open; before that, errors about a wrong
one must be able to show it.
"""

from __future__ import annotations

from typing import Any


class Hidden(str):
    """A string whose repr does not show its text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<hidden>"


def conceal(ours: Any) -> None:
    """Replace `provider_config` and the store's URL in SOJOURN by equal values with a hidden repr.

    ours: the setting SOJOURN, which is changed in place; its "TEST" is treated in the same way.
    """
    if isinstance(ours, dict):
        conceal(ours.get("TEST"))
        if "provider_config" in ours:
            ours["provider_config"] = _hidden(ours["provider_config"])
        if "://" in str(ours.get("provider")):
            ours["provider"] = _hidden(ours["provider"])


def _hidden(value: Any) -> Any:
    if isinstance(value, str):
        return Hidden(value)
    if isinstance(value, dict):
        return {key: _hidden(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_hidden(inner) for inner in value]
    return value
