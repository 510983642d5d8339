"""Providers that store sessions in Redis or Valkey.

They work with a single server, with a master that is monitored by sentinels, and with a cluster.
"""

from __future__ import annotations

from sojourn.errors import ConfigError

try:
    import hiredis  # noqa: F401
    import redis.asyncio
except ImportError as missing:
    raise ConfigError(
        f"the package {missing.name} is not installed: pip install 'sojourn[redis]'"
    ) from None

if (
    int(redis.__version__.partition(".")[0]) < 8
):  # these modules use internals of redis-py that differ between its major releases
    raise ConfigError(
        f"the package redis {redis.__version__} is too old: pip install 'redis[hiredis]>=8'"
    )

from sojourn.providers.redis.provider import AsyncRedisProvider, RedisProvider

__all__ = ["AsyncRedisProvider", "RedisProvider"]
