"""What the constructors check alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TypeVar

from sojourn.errors import ConfigError
from sojourn.providers.pool import Pool
from sojourn.providers.sql.driver import Connection, Driver

T = TypeVar("T")
U = TypeVar("U")

TABLE = "sojourn_sessions"
POOL = 10
TIMEOUT = 4.0
"""Seconds.  Two of these, as for an answer that never comes and a connection anew, are under ten."""


def checked(pool: object, timeout: object, idle_timeout: object = None) -> None:
    """Refuse a size of the pool or a timeout that makes no sense."""
    if type(pool) is not int or pool < 1:
        raise ConfigError(f"pool: {pool!r} must be a number of connections, 1 or more")
    if type(timeout) not in (int, float) or not 0 < timeout <= 3600:  # type: ignore[operator]
        raise ConfigError(f"timeout: {timeout!r} must be seconds, more than 0 and at most 3600")
    if idle_timeout is not None and (
        type(idle_timeout) not in (int, float) or not idle_timeout > 0  # type: ignore[operator]
    ):
        raise ConfigError(
            f"idle_timeout: {idle_timeout!r} must be seconds, more than 0; None for no limit"
        )


def pool_of(
    driver: Driver, size: int, timeout: float, longest_idle: float | None = None
) -> Pool[Connection]:
    """Return the connections that threads share."""
    return Pool(
        connect=driver.connect,
        close=driver.close,
        is_stale=driver.is_stale,
        forget=driver.forget,
        size=size,
        timeout=timeout,
        longest_idle=longest_idle,
    )


def fastest(
    ways: Mapping[str, Callable[[U, float], T]], asked: str | None, extra: str
) -> Callable[[U, float], T]:
    """Return what makes a driver: the one that is asked for, or the first that is installed."""
    if asked is not None and asked not in ways:
        raise ConfigError(f"driver: {asked!r} is none of {', '.join(ways)}")

    def made(target: U, timeout: float) -> T:
        for name, way in ways.items():
            if asked in (None, name):
                with suppress(ImportError):
                    return way(target, timeout)
        raise ConfigError(
            f"no driver is installed: {asked or ' or '.join(ways)}; "
            f'pip install "sojourn[{extra}]" brings one'
        )

    return made
