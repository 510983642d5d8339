"""The conversion of an address or a client into a function that opens connections.

An application describes its Redis by a text, which is parsed to an `Address`, or by an existing
client of redis-py.  Only the settings of a client are used; its connections are never touched.
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
from sojourn.providers.pool import KEEPALIVE
from sojourn.providers.redis.address import Address, parse
from sojourn.providers.redis.connections import (
    async_master_opener,
    async_opener,
    master_opener,
    opener,
)
from sojourn.providers.redis.slots import Place, Remap, as_announced

TIMEOUT = 2.0
"""The default seconds to wait for a connection, and for a reply."""


class Target(NamedTuple):
    """A server or a cluster to connect to."""

    connect: Callable[..., Any]
    """Opens a connection (for asyncio it is a coroutine function); for a cluster it takes a host
    and a port."""
    seeds: tuple[Place, ...]
    """Some nodes of a cluster; empty for a single server."""
    options: dict[str, Any]
    """The other settings: pool, timeout, longest_idle, prefix, wait; None: not given."""
    remap: Remap = as_announced
    """Maps the address that a cluster node announces to the one under which it is reachable."""


def target(where: Any, module: ModuleType, timeout: float | None) -> Target:
    """Return the target that `where` describes.

    where: text, or a client of redis-py.
    module: `redis` or `redis.asyncio`; a client must be of this module.
    timeout: seconds, which take precedence over those in the text or the client; None: not given.

    Raises ConfigError if the text is wrong, or `where` is of another type.
    """
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
    # The addresses of a cluster's nodes and of a master are not known yet: `connect` takes them.
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


_KEPT_ALIVE = {"socket_keepalive": True, "socket_keepalive_options": KEEPALIVE}


def _settings(address: Address, timeout: float) -> dict[str, Any]:
    # Given explicitly, so that the check does not depend on a default of redis-py.
    tls = {} if address.tls is None else {"ssl_check_hostname": True, **address.tls}
    return {
        "username": address.username,
        "password": address.password,
        "client_name": address.client_name,
        "protocol": 3,
        "socket_connect_timeout": address.connect_timeout or timeout,
        **tls,
        **(_KEPT_ALIVE if address.path is None else {}),
    }


def _no_repeats(module: ModuleType, timeout: float | None) -> dict[str, Any]:
    """Return the settings that turn off the retries of redis-py, and for asyncio its timeout.

    Some commands must not be sent twice, and a multiplexed connection has its own timer.
    """
    if module is redis:
        return {"retry": Retry(NoBackoff(), 0), "socket_timeout": timeout}
    return {"retry": AsyncRetry(NoBackoff(), 0), "socket_timeout": None}


# -- from clients --------------------------------------------------------------------------------


_PLAIN = {"decode_responses": False, "encoding": "utf-8"}
"""Settings that replace those of a client, because the values of a session are bytes."""


def _of_pool(pool: Any, module: ModuleType, timeout: float | None) -> Target:
    timeout = timeout or pool.connection_kwargs.get("socket_timeout") or TIMEOUT
    settings = {**pool.connection_kwargs, **_PLAIN, **_no_repeats(module, timeout)}
    # The connections of a sentinel pool need the pool, but hold only a weak reference to it.
    options = {"timeout": timeout, "kept": pool}
    return Target(_opener(module)(pool.connection_class, settings), (), options)


def _of_cluster_client(client: Any, module: ModuleType, timeout: float | None) -> Target:
    # The nodes that the client has found; those it was created with if it has not connected yet.
    nodes = [*(client.get_nodes() or client.nodes_manager.startup_nodes.values())]
    if module is redis:
        # This client is created only because its constructor derives the class of its connections
        # (with TLS or without) from the settings; it never connects.
        pool = redis.Redis(**client.get_connection_kwargs()).connection_pool
        kind, settings = pool.connection_class, pool.connection_kwargs
    else:
        kind, settings = nodes[0].connection_class, dict(nodes[0].connection_kwargs)
        # The settings of one node, which are used for all of them.
        settings.pop("host", None)
        settings.pop("port", None)
    timeout = timeout or settings.get("socket_timeout") or TIMEOUT
    settings = {**settings, **_PLAIN, **_no_repeats(module, timeout)}
    seeds = tuple((node.host, node.port) for node in nodes)
    remap = client.nodes_manager.address_remap or as_announced
    return Target(_opener(module)(kind, settings), seeds, {"timeout": timeout}, remap)
