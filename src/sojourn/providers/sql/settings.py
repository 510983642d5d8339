"""The settings that the constructors of all SQL providers share, and their checks."""

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
"""Seconds.  A request may wait twice, for an answer that never comes and then for a new connection;
together that stays under ten seconds."""


def checked(pool: object, timeout: object, idle_timeout: object = None) -> None:
    """Raise ConfigError if the pool's size or a timeout (in seconds) has a wrong type or range."""
    # Exact types, since True is an int.  NaN fails every comparison, and is refused with the rest.
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
    """Return a pool of at most `size` connections of a driver, for threads.  Times are seconds."""
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
    ways: Mapping[str, Callable[[U, float], T]], wanted: str | None, extra: str
) -> Callable[[U, float], T]:
    """Return a function that creates a driver: the one named by `wanted`, or the first installed.

    ways: each driver's name and class, the fastest first.
    wanted: the configured name; None to try all of them.
    extra: the extra of this package that installs one, for the error message.

    Raises ConfigError for an unknown name; the function raises it if no driver is installed.
    """
    if wanted is not None and wanted not in ways:
        raise ConfigError(f"driver: {wanted!r} is none of {', '.join(ways)}")

    def made(target: U, timeout: float) -> T:
        for name, way in ways.items():
            if wanted in (None, name):
                # A driver's class imports its package when it is instantiated.  A package that is
                # installed but broken, such as mysqlclient without its C library, counts as absent.
                with suppress(ImportError):
                    return way(target, timeout)
        raise ConfigError(
            f"no driver is installed: {wanted or ' or '.join(ways)}; "
            f'pip install "sojourn[{extra}]" brings one'
        )

    return made
