"""Providers by name: the one place that knows which there are."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

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
    if isinstance(provider, type):
        name = provider.__name__
        raise ConfigError(f"{name} is a class: give a provider that it makes, {name}(...)")
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


def _ours(module: str, name: str, form: str) -> Callable[[ProviderConfig], Any]:
    """Return a factory that imports the provider, and with it a driver, when it is asked for one.

    It takes `provider_config` as the first argument, or a mapping of keywords.
    """

    def factory(config: ProviderConfig) -> Any:
        provider = getattr(import_module(f"sojourn.providers.{module}"), name)
        args: tuple[Any, ...] = () if config is None or isinstance(config, Mapping) else (config,)
        keywords = config if isinstance(config, Mapping) else {}
        try:
            inspect.signature(provider).bind(*args, **keywords)
        except TypeError as error:
            raise ConfigError(
                f"provider_config: {error}. Give {form}, or a mapping of keywords"
            ) from None
        return provider(*args, **keywords)

    return factory


_FOLDER = "the path of a folder, such as './sessions'"
_FILE = "the path of a file, such as './sessions.db'"
_REDIS = "an address, such as '127.0.0.1:6379,100,password' or 'redis://host:6379/0'"
_MYSQL = "a DSN, such as 'user:password@tcp(127.0.0.1:3306)/database'"
_POSTGRES = "a URL, such as 'postgres://user:password@127.0.0.1/database'"

register("memory", _memory)
register("file", _ours("file", "FileProvider", _FOLDER))
register("sqlite", _ours("sql", "SQLiteProvider", _FILE))
for _name, _module, _class, _form in (
    ("redis", "redis", "RedisProvider", _REDIS),
    ("mysql", "sql", "MySQLProvider", _MYSQL),
    ("postgres", "sql", "PostgresProvider", _POSTGRES),
):
    register(_name, _ours(_module, _class, _form), _ours(_module, f"Async{_class}", _form))
