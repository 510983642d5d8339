"""The `quiet` of the asynchronous integrations: which requests do not read their session at once.

An event loop must not wait for a store while other requests could be served, so a session cannot be
read at its first use there.  Applications therefore name the requests that rarely or never use one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import iscoroutinefunction
from typing import Any, TypeAlias

from sojourn.errors import ConfigError

Quiet: TypeAlias = "bool | Iterable[str] | Callable[[Any], bool]"
"""True for every request, False for none; paths, such as "/health" or "/static/*"; or a function."""


def quiet_rule(quiet: Quiet, path_of: Callable[[Any], str]) -> Callable[[Any], bool]:
    """Return a function that tells whether a request, in the framework's form, is quiet.

    A path matches exactly or, if it ends in "*", every path that begins like it.

    Raises ConfigError if `quiet` is none of the three, and for a path without "/" in front.
    """
    if isinstance(quiet, bool):
        return lambda _: quiet
    if callable(quiet):
        # The coroutine that it would return is always true, so every request would be quiet.
        if iscoroutinefunction(quiet):
            raise ConfigError(f"quiet={quiet!r:.80}: give a plain function, not an `async` one")
        return quiet
    if isinstance(quiet, str | bytes) or not isinstance(quiet, Iterable):
        raise ConfigError(f"quiet={quiet!r:.80}: give True, a list of paths, or a function")
    paths = frozenset(quiet)
    for path in paths:
        if not isinstance(path, str) or not path.startswith("/") or "*" in path[:-1]:
            raise ConfigError(
                f"quiet: the path {path!r:.80} must begin with '/', and may have '*' at its end"
            )
    beginnings = tuple(path[:-1] for path in paths if path.endswith("*"))

    def covers(request: Any) -> bool:
        path = path_of(request)
        return path in paths or path.startswith(beginnings)

    return covers
