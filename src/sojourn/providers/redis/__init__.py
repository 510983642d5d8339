"""Providers that store sessions in Redis or Valkey.

They work with a single server, with a master that is monitored by sentinels, and with a cluster.
"""

from __future__ import annotations

from sojourn.errors import ConfigError

try:
    import hiredis
    import redis.asyncio
except ImportError as missing:
    raise ConfigError(
        f"the package {missing.name} is not installed: pip install 'sojourn[redis]'"
    ) from None

from sojourn.providers.redis import releases

releases.check("redis", redis.__version__)
releases.check("hiredis", hiredis.__version__)

# After the checks, since with another release the import might fail.
from sojourn.providers.redis.provider import AsyncRedisProvider, RedisProvider  # noqa: E402

__all__ = ["AsyncRedisProvider", "RedisProvider"]
