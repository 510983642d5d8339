"""Providers that store sessions in Redis or Valkey.

They work with a single server, with a master that is monitored by sentinels, and with a cluster.
"""

from __future__ import annotations

from sojourn.errors import ConfigError
from sojourn.providers import releases

try:
    import hiredis  # noqa: F401
    import redis.asyncio  # noqa: F401
except ImportError as missing:
    raise ConfigError(
        f"the package {missing.name} is not installed: pip install 'sojourn[redis]'"
    ) from None

releases.check("redis")
releases.check("hiredis")

# After the checks, since with another release the import might fail.
from sojourn.providers.redis.provider import AsyncRedisProvider, RedisProvider  # noqa: E402

__all__ = ["AsyncRedisProvider", "RedisProvider"]
