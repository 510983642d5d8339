"""Providers by name: the one place that knows which there are."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from sojourn.errors import ConfigError
from sojourn.providers.base import AsyncProvider, Provider
from sojourn.providers.threads import as_async

ProviderConfig = str | Mapping[str, Any] | None
Factory = Callable[[Any], Provider]
AsyncFactory = Callable[[Any], AsyncProvider]

Given = str | Provider
"""What a Manager is given: a provider, or the name of a registered one."""
AsyncGiven = str | Provider | AsyncProvider
"""What an AsyncManager is given: a sync provider too."""


P = TypeVar("P")

_REDIS_FORM = "an address, such as '127.0.0.1:6379,100,password' or 'redis://host:6379/0'"


class _Entry(NamedTuple):
    factory: Factory
    async_factory: AsyncFactory | None


_entries: dict[str, _Entry] = {}


def register(name: str, factory: Factory, async_factory: AsyncFactory | None = None) -> None:
    """Let managers make a provider by `name`.

    A factory takes `provider_config` (a str, a mapping, or None if it is not set) and returns a
    provider.  Without an `async_factory` an AsyncManager runs the sync one through threads.
    Registering a name again replaces it.
    """
    if not isinstance(name, str) or not name:
        raise ConfigError(f"register: the name {name!r} must be a str that is not empty")
    for given in (factory, async_factory):
        if given is not None and not callable(given):
            raise ConfigError(
                f"register({name!r}): {given!r} must be a factory: a class, or a function"
            )
    _entries[name] = _Entry(factory, async_factory)


def provider_for(provider: Given, config: ProviderConfig) -> Provider:
    """Return a sync provider: `provider` itself, or the one of that name."""
    if isinstance(provider, str):
        provider = _entry(provider).factory(config)
    _check(provider)
    if inspect.iscoroutinefunction(provider.read):
        raise ConfigError(f"{type(provider).__name__} is async: give it to an AsyncManager")
    return provider


def async_provider_for(provider: AsyncGiven, config: ProviderConfig) -> AsyncProvider:
    """Return an async provider; a sync one runs inline if it never waits, else in threads."""
    if isinstance(provider, str):
        entry = _entry(provider)
        provider = (entry.async_factory or entry.factory)(config)
    _check(provider)
    return as_async(provider)


def _entry(name: str) -> _Entry:
    entry = _entries.get(name)
    if entry is None:
        near = difflib.get_close_matches(name, _entries, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(_entries))};"
        raise ConfigError(f"no provider is called {name!r}: {hint} `register` adds your own")
    return entry


def _check(provider: object) -> None:
    verbs = ("read", "create", "update", "destroy", "find", "count", "gc", "close")
    missing = [verb for verb in verbs if not callable(getattr(provider, verb, None))]
    if missing:
        raise ConfigError(
            f"{type(provider).__name__} is no provider: it has no {', '.join(missing)}"
        )


def _memory(config: ProviderConfig) -> Provider:
    from sojourn.providers.memory import MemoryProvider

    if config:
        raise ConfigError("provider_config: memory takes none")
    return MemoryProvider()


def _file(config: ProviderConfig) -> Provider:
    from sojourn.providers.file import FileProvider

    return _made(FileProvider, config, "the path of a folder, such as './sessions'")


def _redis(config: ProviderConfig) -> Provider:
    from sojourn.providers.redis import RedisProvider

    return _made(RedisProvider, config or {}, _REDIS_FORM)


def _async_redis(config: ProviderConfig) -> AsyncProvider:
    from sojourn.providers.redis import AsyncRedisProvider

    return _made(AsyncRedisProvider, config or {}, _REDIS_FORM)


def _made(factory: Callable[..., P], config: ProviderConfig, form: str) -> P:
    """Call a factory with `provider_config`: a mapping of its keywords, or its first argument."""
    args, keywords = ((), config) if isinstance(config, Mapping) else ((config,), {})
    try:
        inspect.signature(factory).bind(*args, **keywords)
    except TypeError as error:
        raise ConfigError(
            f"provider_config: {error}. Give {form}, or a mapping of keywords"
        ) from None
    return factory(*args, **keywords)


register("memory", _memory)
register("file", _file)
register("redis", _redis, _async_redis)
