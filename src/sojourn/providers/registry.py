"""The registry of providers, which converts a name, a URL or an object to a provider.

Built-in providers and those of applications are registered in the same way.  A factory imports
its module, and with it the database driver, only when a manager needs that provider.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple, cast

from sojourn.errors import ConfigError
from sojourn.providers.base import AsyncProvider, Provider
from sojourn.providers.naming import named, unknown

ProviderConfig = str | Mapping[str, Any] | None
Factory = Callable[[Any], Provider]
AsyncFactory = Callable[[Any], AsyncProvider]

Given = str | Provider
"""A Manager's `provider` argument: a provider, the name of a registered one, or a store's URL."""
AsyncGiven = str | Provider | AsyncProvider
"""The `provider` argument of an AsyncManager, which also accepts a sync provider."""


class _Entry(NamedTuple):
    """A registration: the factory of the sync provider, and of the async one if there is one."""

    factory: Factory
    async_factory: AsyncFactory | None


_entries: dict[str, _Entry] = {}


def register(
    name: str,
    factory: Factory | Provider | AsyncProvider,
    async_factory: AsyncFactory | AsyncProvider | None = None,
    *,
    replace: bool = False,
) -> None:
    """Register a provider, so that managers can be given it by `name`.

    factory: a function or class that takes `provider_config` (a str, a mapping, or None if it is
        not set) and returns a provider.  A ready provider may be given instead; all managers that
        use the name then share it.
    async_factory: the same for an AsyncManager.  Without one, an AsyncManager calls the sync
        provider in threads.
    replace: whether the name may take the place of an existing registration.

    Raises ConfigError if the name is registered for another provider and `replace` is False, or if
    an argument is neither a factory nor a provider.
    """
    if not isinstance(name, str) or not name:
        raise ConfigError(f"register: the name {name!r} must be a str that is not empty")
    twin = None if async_factory is None else _factory(name, async_factory)
    entry = _Entry(_factory(name, factory), twin)
    # The same registration may be repeated: a module that registers its provider may be reloaded.
    if not replace and _entries.get(name, entry) != entry:
        raise ConfigError(
            f"register({name!r}): the name stands for another provider: choose another name, or give "
            "replace=True"
        )
    _entries[name] = entry


def _factory(name: str, given: Any) -> Callable[[Any], Any]:
    """Return `given` itself if it is a factory, or a factory that returns the given provider."""
    # A provider class has all methods too, but is a factory: only instances are wrapped.
    if not isinstance(given, type) and not _missing(given):
        return cast("Callable[[Any], Any]", _Ready(name, given))
    # A class with the methods of Beego's interface is callable too, but its instances are no
    # providers: refused here, where the mistake is, and not when a manager is created.
    if not callable(given) or _is_beegos(given):
        kind = given if isinstance(given, type) else type(given)
        raise ConfigError(
            f"register({name!r}): give a factory (a class or a function) or a provider; "
            f"{kind.__name__} is neither: it has no {', '.join(_missing(given))}{_way(given)}"
        )
    return cast("Callable[[Any], Any]", given)


class _Ready(NamedTuple):
    """A factory that returns a provider which already exists."""

    name: str
    provider: Any

    def __call__(self, config: ProviderConfig) -> Any:
        if config:
            raise ConfigError(
                f"provider_config: {self.name!r} was registered as a provider, not as a factory, so it "
                "takes none"
            )
        return self.provider


def provider_for(provider: Given, config: ProviderConfig) -> Provider:
    """Return a sync provider: `provider` itself, or the one with that name or URL.

    Raises ConfigError for an unknown name, for an async provider, and for an object that lacks
    methods of the contract.
    """
    if isinstance(provider, str):
        name, config = named(provider, config)
        provider = _entry(name).factory(config)
    # A factory of the application may return anything, so its result is checked as well.
    _check(provider)
    if inspect.iscoroutinefunction(provider.read):
        raise ConfigError(f"{type(provider).__name__} is async: give it to an AsyncManager")
    return provider


def async_provider_for(provider: AsyncGiven, config: ProviderConfig) -> AsyncProvider:
    """Return an async provider: `provider` itself, or the one with that name or URL.

    A sync provider is adapted: it is called directly if it never blocks, and in threads otherwise.
    Raises ConfigError for an unknown name and for an object that lacks methods of the contract.
    """
    # Imported here, since a synchronous application needs neither threads nor asyncio.
    from sojourn.providers.threads import as_async

    if isinstance(provider, str):
        name, config = named(provider, config)
        entry = _entry(name)
        provider = (entry.async_factory or entry.factory)(config)
    _check(provider)
    return as_async(provider)


def _entry(name: str) -> _Entry:
    """Return the registration with this name; raise ConfigError if there is none."""
    entry = _entries.get(name)
    if entry is None:
        raise unknown(name, _entries)
    return entry


def _check(provider: object) -> None:
    """Raise ConfigError for an object that lacks methods of a provider."""
    if isinstance(provider, type):
        name = provider.__name__
        raise ConfigError(f"{name} is a class: give a provider that it makes, {name}(...)")
    missing = _missing(provider)
    if missing:
        raise ConfigError(
            f"{type(provider).__name__} is no provider: it has no {', '.join(missing)}{_way(provider)}"
        )


def _missing(provider: object) -> list[str]:
    """Return the methods of the contract that an object lacks."""
    verbs = ("read", "create", "update", "destroy", "find", "count", "gc", "close")
    return [verb for verb in verbs if not callable(getattr(provider, verb, None))]


def _way(given: object) -> str:
    """Return advice on how to write a provider, for the end of an error message."""
    # A user of Beego may have written a provider with the methods of Beego's interface.
    beegos = " (the methods of Beego's interface are other ones)" if _is_beegos(given) else ""
    return (
        f"{beegos}. Derive it from sojourn.CompareAndSwapProvider, which needs four methods: read, create, swap "
        "and scan"
    )


def _is_beegos(given: object) -> bool:
    """Whether an object has the methods of Beego's interface, in Go's or in Python's spelling."""
    return "sessionread" in {name.lower().replace("_", "") for name in dir(given)}


def _memory(config: ProviderConfig) -> Provider:
    """Return a new memory provider; it takes no configuration."""
    from sojourn.providers.memory import MemoryProvider

    # Not only None: Beego's settings contain "" for a provider without configuration.
    if config:
        raise ConfigError("provider_config: memory takes none")
    return MemoryProvider()


def _ours(module: str, name: str, form: str) -> Callable[[ProviderConfig], Any]:
    """Return a factory for a built-in provider, which imports the module when it is called.

    A `provider_config` that is a mapping is passed as keyword arguments, any other as the first
    argument.
    """

    def factory(config: ProviderConfig) -> Any:
        # Imported here and not at the top, since the driver may not be installed.
        provider = getattr(import_module(f"sojourn.providers.{module}"), name)
        args: tuple[Any, ...] = () if config is None or isinstance(config, Mapping) else (config,)
        keywords = config if isinstance(config, Mapping) else {}
        try:
            # Checked before the call, so that a TypeError from inside the constructor is not
            # mistaken for a wrong setting.
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
# Only these have an async class; the others are adapted.
for _name, _module, _class, _form in (
    ("redis", "redis", "RedisProvider", _REDIS),
    ("mysql", "sql", "MySQLProvider", _MYSQL),
    ("postgres", "sql", "PostgresProvider", _POSTGRES),
):
    register(_name, _ours(_module, _class, _form), _ours(_module, f"Async{_class}", _form))
