"""The settings of a provider, collected from its arguments, its address and the defaults."""

from __future__ import annotations

from types import ModuleType
from typing import Any, NamedTuple

from sojourn.errors import ConfigError
from sojourn.providers.redis.clients import TIMEOUT, Target, target
from sojourn.providers.redis.executor import Waiting
from sojourn.providers.redis.layout import Layout

# The defaults.
PREFIX = "sojourn"
POOL = 50


class Settings(NamedTuple):
    """The complete, checked settings of a provider; times are seconds."""

    target: Target
    layout: Layout
    waiting: Waiting | None
    pool: int
    timeout: float
    longest_idle: float | None
    """Seconds without use after which a connection is replaced; None for no limit."""


def settings(
    module: ModuleType,
    address: Any,
    *,
    prefix: str | None,
    pool: int | None,
    timeout: float | None,
    wait: int | None,
) -> Settings:
    """Return the settings in force.

    An argument takes precedence over the same setting in the address, which takes precedence over
    the default.

    module: `redis` or `redis.asyncio`; a client given as `address` must be of this module.

    Raises ConfigError, which names the setting, if a value is wrong.
    """
    _check("pool", pool, 1, int)
    _check("wait", wait, 0, int)
    _check("timeout", timeout, 0.001, (int, float))
    there = target(address, module, timeout)
    # None means that the address does not contain the setting.
    said = {name: value for name, value in there.options.items() if value is not None}
    holds: dict[str, Any] = {"timeout": TIMEOUT, "pool": POOL, "prefix": PREFIX, "wait": 0, **said}
    given = {"prefix": prefix, "pool": pool, "timeout": timeout, "wait": wait}
    holds |= {name: value for name, value in given.items() if value is not None}
    seconds = float(holds["timeout"])
    return Settings(
        there,
        Layout(holds["prefix"]),
        # Half of the timeout: Redis must give up WAIT before this side gives up the reply.
        Waiting(holds["wait"], seconds / 2) if holds["wait"] else None,
        holds["pool"],
        seconds,
        holds.get("longest_idle"),
    )


def _check(name: str, value: Any, least: float, kind: Any) -> None:
    if value is None:
        return
    # A bool is an int in Python.  The upper limit also excludes infinity, and NaN fails both.
    if isinstance(value, bool) or not isinstance(value, kind) or not least <= value < 1e9:
        what = "a whole number" if kind is int else "seconds"
        raise ConfigError(f"{name}: {value!r:.60} must be {what}, {least:g} or more")
