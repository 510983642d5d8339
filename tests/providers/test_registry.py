"""Providers by name, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sojourn import AsyncManager, ConfigError, Manager, register
from sojourn.providers import registry
from sojourn.providers.file import FileProvider
from sojourn.providers.memory import MemoryProvider
from sojourn.providers.threads import as_async


class Own(MemoryProvider):
    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config


def test_a_factory_is_given_the_provider_config_as_it_stands() -> None:
    register("own", Own)
    for config in ("some text", {"key": 1}, None):
        provider = registry.provider_for("own", config)
        assert isinstance(provider, Own)
        assert provider.config == config


def test_an_async_manager_takes_the_async_factory() -> None:
    made = as_async(MemoryProvider())
    register("own", Own, lambda config: made)
    assert registry.async_provider_for("own", None) is made
    assert isinstance(registry.provider_for("own", None), Own)


def test_the_file_provider_takes_a_path_or_keywords(tmp_path: Path) -> None:
    assert isinstance(registry.provider_for("file", str(tmp_path)), FileProvider)
    config = {"path": str(tmp_path), "fsync": True}
    assert isinstance(registry.provider_for("file", config), FileProvider)


@pytest.mark.parametrize(
    ("provider", "settings", "message"),
    [
        ("memroy", {}, "no provider is called 'memroy': did you mean 'memory'"),
        ("zzz", {}, "there are file, memory, mysql, postgres, redis, sqlite;"),
        ("file", {}, "'./sessions'"),
        ("file", {"provider_config": {"pth": "x"}}, "missing a required argument: 'path'"),
        ("file", {"provider_config": {"path": "/tmp", "x": 1}}, "unexpected keyword argument 'x'"),
        ("memory", {"provider_config": "x"}, "memory takes none"),
        (object(), {}, "object is no provider: it has no read, create"),
        (MemoryProvider, {}, "MemoryProvider is a class: give a provider that it makes"),
        (as_async(MemoryProvider()), {}, "is async: give it to an AsyncManager"),
    ],
)
def test_what_is_refused(provider: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        Manager(provider, **settings)
    assert message in str(refusal.value)


def test_an_async_manager_refuses_the_same() -> None:
    with pytest.raises(ConfigError, match="no provider is called"):
        AsyncManager("memroy")
    with pytest.raises(ConfigError, match="is no provider"):
        AsyncManager(object())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "factory", "message"),
    [("", Own, "must be a str"), (7, Own, "must be a str"), ("own", 7, "must be a factory")],
)
def test_what_cannot_be_registered(name: Any, factory: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        register(name, factory)
