"""Opening a connection: to a server that is known, or to the master that sentinels know.

Sentinels are asked anew each time, so after a failover the next connection leads to the new
master.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import redis
import redis.asyncio

from sojourn.providers.redis.address import Address

Kind = Callable[..., Any]
"""A class of redis-py's connections."""


def opener(kind: Kind, settings: Mapping[str, Any]) -> Callable[..., Any]:
    """Return what opens a connection.  It takes a host and a port, if the settings have none."""

    def connect(*place: Any) -> Any:
        connection = kind(**_at(settings, place))
        connection.connect()
        return connection

    return connect


def master_opener(address: Address, kind: Kind, settings: Mapping[str, Any]) -> Callable[..., Any]:
    """Return what opens a connection to a master."""
    sentinel = redis.Sentinel([*address.hosts], sentinel_kwargs=_for_sentinels(address, settings))  # type: ignore[no-untyped-call]
    connect = opener(kind, settings)

    def open_master() -> Any:
        return connect(*sentinel.discover_master(address.service))  # type: ignore[no-untyped-call]

    return open_master


def async_opener(kind: Kind, settings: Mapping[str, Any]) -> Callable[..., Awaitable[Any]]:
    """As `opener`, for asyncio."""

    async def connect(*place: Any) -> Any:
        connection = kind(**_at(settings, place))
        try:
            await connection.connect()
        except BaseException:  # cancelled, too
            await connection.disconnect(nowait=True)
            raise
        return connection

    return connect


def async_master_opener(
    address: Address, kind: Kind, settings: Mapping[str, Any]
) -> Callable[..., Awaitable[Any]]:
    """As `master_opener`, for asyncio: it keeps nothing connect, since that would bind it to a loop."""
    asked = _for_sentinels(address, settings)
    connect = async_opener(kind, settings)

    async def open_master() -> Any:
        sentinel = redis.asyncio.Sentinel([*address.hosts], sentinel_kwargs=asked)  # type: ignore[no-untyped-call]
        try:
            place = await sentinel.discover_master(address.service or "")
        finally:
            for client in sentinel.sentinels:
                await client.aclose()
        return await connect(*place)

    return open_master


def _at(settings: Mapping[str, Any], place: tuple[Any, ...]) -> dict[str, Any]:
    return {**settings, **dict(zip(("host", "port"), place, strict=False))}


def _for_sentinels(address: Address, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings for the sentinels, which share the time that a connection may take."""
    seconds = settings["socket_connect_timeout"] / len(address.hosts)
    return {
        **settings,
        "db": 0,
        "username": address.sentinel_username,
        "password": address.sentinel_password,
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        **({} if address.tls is None else {"ssl": True}),
    }
