"""Sessions in Redis or Valkey: one server, one that sentinels watch, or a cluster."""

from __future__ import annotations

try:
    import hiredis  # noqa: F401
    import redis.asyncio  # noqa: F401
except ImportError as missing:
    from sojourn.errors import ConfigError

    raise ConfigError(
        f"the package {missing.name} is not installed: pip install 'sojourn[redis]'"
    ) from None

from sojourn.providers.redis.provider import AsyncRedisProvider, RedisProvider

__all__ = ["AsyncRedisProvider", "RedisProvider"]
