"""From what an application says of its Redis to connections: how one is made, and where.

It may say it as text, an `Address`, or give a client of redis-py that it has.  Of a client only
the settings are used: its connections stay its own.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple, cast

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from sojourn.errors import ConfigError
from sojourn.providers.redis.address import Address, parse
from sojourn.providers.redis.opening import (
    async_master_opener,
    async_opener,
    master_opener,
    opener,
)
from sojourn.providers.redis.slots import Place

TIMEOUT = 2.0
"""Seconds to wait for a connection, and for a reply, where nobody says otherwise."""


class Target(NamedTuple):
    """What there is to connect to."""

    connect: Callable[..., Any]
    """Returns a new connection, or for asyncio an awaitable; takes a host and port of a cluster."""
    seeds: tuple[Place, ...]
    """Some nodes of a cluster; none: it is one server."""
    options: dict[str, Any]
    """What the text says besides: pool, timeout, idle_timeout, prefix, wait."""


def target(where: Any, module: ModuleType, timeout: float | None) -> Target:
    """Return what `where` says.  module: `redis` or `redis.asyncio`."""
    if isinstance(where, str):
        return _of_address(parse(where), module, timeout)
    if isinstance(where, module.RedisCluster):
        return _of_cluster_client(where, module, timeout)
    if isinstance(where, module.Redis):
        return _of_pool(where.connection_pool, module, timeout)
    raise ConfigError(_no_client(where, module))


def _no_client(where: object, module: ModuleType) -> str:
    kind = f"{type(where).__module__}.{type(where).__qualname__}"
    if isinstance(where, _clients(redis) + _clients(redis.asyncio)):
        other = "an AsyncManager" if module is redis else "a Manager"
        return f"address: a {kind} is for a provider of {other}: give a client of {module.__name__}"
    return (
        f"address: a {kind} is neither text, such as '127.0.0.1:6379,100,password' or"
        f" 'redis://host:6379/0', nor a client of {module.__name__}"
    )


def _clients(module: ModuleType) -> tuple[type, ...]:
    return module.Redis, module.RedisCluster


# -- from text -----------------------------------------------------------------------------------


def _of_address(address: Address, module: ModuleType, timeout: float | None) -> Target:
    timeout = timeout or address.timeout or TIMEOUT
    options = {
        "pool": address.pool,
        "timeout": timeout,
        "longest_idle": address.idle_timeout,
        "prefix": address.prefix,
        "wait": address.wait,
    }
    shared = {**_settings(address, timeout), **_no_repeats(module, timeout)}
    kind = _kind(address, module)
    if address.kind == "cluster":
        return Target(_opener(module)(kind, shared), address.hosts, options)
    shared["db"] = address.database
    if address.kind == "sentinel":
        by_sentinels = master_opener if module is redis else async_master_opener
        return Target(by_sentinels(address, kind, shared), (), options)
    if address.path is not None:
        shared["path"] = address.path
    else:
        shared["host"], shared["port"] = address.hosts[0]
    return Target(_opener(module)(kind, shared), (), options)


def _opener(module: ModuleType) -> Callable[..., Any]:
    return opener if module is redis else async_opener


def _kind(address: Address, module: ModuleType) -> type:
    kind = module.Connection if address.path is None else module.UnixDomainSocketConnection
    return cast("type", kind if address.tls is None else module.SSLConnection)


def _settings(address: Address, timeout: float) -> dict[str, Any]:
    tls = {} if address.tls is None else {"ssl_check_hostname": True, **address.tls}
    return {
        "username": address.username,
        "password": address.password,
        "client_name": address.client_name,
        "protocol": 3,
        "socket_connect_timeout": address.connect_timeout or timeout,
        **tls,
    }


def _no_repeats(module: ModuleType, timeout: float | None) -> dict[str, Any]:
    """What is sent again, and when the time is up, is decided here."""
    if module is redis:
        return {"retry": Retry(NoBackoff(), 0), "socket_timeout": timeout}
    return {"retry": AsyncRetry(NoBackoff(), 0), "socket_timeout": None}


# -- from clients --------------------------------------------------------------------------------


_PLAIN = {"decode_responses": False, "encoding": "utf-8"}
"""What a client may have otherwise: a session is bytes."""


def _of_pool(pool: Any, module: ModuleType, timeout: float | None) -> Target:
    timeout = timeout or pool.connection_kwargs.get("socket_timeout") or TIMEOUT
    settings = {**pool.connection_kwargs, **_PLAIN, **_no_repeats(module, timeout)}
    options = {"timeout": timeout, "kept": pool}  # a pool of sentinels is not kept by its settings
    return Target(_opener(module)(pool.connection_class, settings), (), options)


def _of_cluster_client(client: Any, module: ModuleType, timeout: float | None) -> Target:
    nodes = [*(client.get_nodes() or client.nodes_manager.startup_nodes.values())]
    if module is redis:
        pool = redis.Redis(**client.get_connection_kwargs()).connection_pool
        kind, settings = pool.connection_class, pool.connection_kwargs
    else:
        kind, settings = nodes[0].connection_class, dict(nodes[0].connection_kwargs)
        settings.pop("host", None)
        settings.pop("port", None)
    timeout = timeout or settings.get("socket_timeout") or TIMEOUT
    settings = {**settings, **_PLAIN, **_no_repeats(module, timeout)}
    seeds = tuple((node.host, node.port) for node in nodes)
    return Target(_opener(module)(kind, settings), seeds, {"timeout": timeout})
