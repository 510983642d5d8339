"""Providers by name, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sojourn import AsyncManager, ConfigError, Manager, register
from sojourn.providers import registry
from sojourn.providers.file import FileProvider
from sojourn.providers.memory import MemoryProvider
from sojourn.providers.naming import named
from sojourn.providers.threads import as_async


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it."""
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))


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
    register("own", Own, lambda config: made, replace=True)
    assert registry.async_provider_for("own", None) is made
    assert isinstance(registry.provider_for("own", None), Own)


def test_a_provider_itself_is_that_of_every_manager_of_the_name() -> None:
    """As the seven lines of Beego's documentation register one."""
    mine = MemoryProvider()
    register("mine", mine)
    with Manager("mine").open({}) as session:
        session["a"] = 1
    assert Manager("mine").active_count() == 1
    assert Manager(mine).active_count() == 1
    register("mine", mine)  # as a module does that is imported twice
    with pytest.raises(ConfigError, match="'mine' was registered as a provider"):
        Manager("mine", provider_config="x")


async def test_an_async_provider_itself_is_registered_too() -> None:
    register("theirs", MemoryProvider(), as_async(MemoryProvider()))
    manager = AsyncManager("theirs")
    async with manager.open({}) as session:
        session["a"] = 1
    assert (await manager.active_count(), Manager("theirs").active_count()) == (1, 0)
    register("asynchronous", as_async(MemoryProvider()))
    with pytest.raises(ConfigError, match="is async: give it to an AsyncManager"):
        Manager("asynchronous")


def test_a_name_is_not_given_twice_by_accident() -> None:
    register("twice", Own)
    for name, other in (("twice", MemoryProvider()), ("redis", Own)):
        with pytest.raises(ConfigError, match=r"stands for another provider.*replace=True"):
            register(name, other)
    register("twice", MemoryProvider(), replace=True)
    assert Manager("twice").active_count() == 0


class OwnAdapter:
    """What a reader of Beego's documentation writes."""

    def session_init(self, maxlifetime: int, save_path: str) -> None: ...
    def session_read(self, sid: str) -> None: ...
    def session_exist(self, sid: str) -> None: ...
    def session_regenerate(self, oldsid: str, sid: str) -> None: ...
    def session_destroy(self, sid: str) -> None: ...
    def session_all(self) -> None: ...
    def session_gc(self) -> None: ...


class Capital:
    def SessionRead(self, sid: str) -> None: ...  # noqa: N802


@pytest.mark.parametrize("adapter", [OwnAdapter(), Capital()])
def test_a_provider_of_seven_methods_is_told_the_way_of_four(adapter: Any) -> None:
    way = r"Beego's interface.*CompareAndSwapProvider, which needs four methods: read, create, swap and scan"
    with pytest.raises(ConfigError, match=way):
        register("beegos", adapter)
    with pytest.raises(ConfigError, match=way):
        Manager(adapter)
    with pytest.raises(ConfigError, match=way):
        register("beegos", type(adapter))


URLS: dict[str, tuple[str, Any]] = {
    "redis://:hunter2@cache:6379/0": ("redis", "address"),
    "rediss://cache": ("redis", "address"),
    "redis+cluster://a,b": ("redis", "address"),
    "valkey://cache": ("redis", "address"),
    "mysql://u:hunter2@db/shop": ("mysql", "dsn"),
    "mariadb+pymysql://u:hunter2@db/shop": ("mysql", "dsn"),
    "postgres://u:hunter2@db/shop": ("postgres", "dsn"),
    "postgresql+psycopg://u:hunter2@db/shop": ("postgres", "dsn"),
    "sqlite:///sessions.db": ("sqlite", "path"),
}


@pytest.mark.parametrize("url", URLS)
def test_a_url_names_the_provider_and_its_place(url: str) -> None:
    name, keyword = URLS[url]
    assert named(url, None) == named(url, "") == named(url, {}) == (name, url)
    scheme, _, place = url.partition("://")
    assert named(f" {scheme.upper()}://{place}\n", None) == (name, url)
    assert named(url, {"pool": 3}) == (name, {keyword: url, "pool": 3})
    for config in ("redis://other", {keyword: "other"}):
        with pytest.raises(ConfigError, match="the provider is a URL already") as refusal:
            named(url, config)
        assert "hunter2" not in str(refusal.value)


def test_a_manager_takes_a_url(tmp_path: Path) -> None:
    manager = Manager(f"sqlite:///{tmp_path}/sessions.db", provider_config={"table": "visits"})
    with manager.open({}) as session:
        session["a"] = 1
    assert manager.active_count() == 1
    manager.close()


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        ("mongodb://u:hunter2@db", "begins with mongodb://: there are redis://"),
        ("u:hunter2@tcp(127.0.0.1:3306)/shop", "neither a name nor a URL"),
        ("./sessions", r"Manager\('file', provider_config='./sessions'\)"),
        ("filesystem", "did you mean 'file'"),
        ("cachelib", "no provider is called 'cachelib': there are"),
        ("SQLAlchemy", "did you mean 'postgres', 'mysql' or 'sqlite'"),
        ("memcached", "derive one from sojourn.CompareAndSwapProvider, in four methods"),
        ("postgresql", "did you mean 'postgres'"),
    ],
)
def test_other_texts_are_answered_and_show_no_password(provider: str, message: str) -> None:
    for make in (Manager, AsyncManager):
        with pytest.raises(ConfigError, match=message) as refusal:
            make(provider)
        assert "hunter2" not in str(refusal.value)


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
    [("", Own, "must be a str"), (7, Own, "must be a str"), ("own", 7, "give a factory")],
)
def test_what_cannot_be_registered(name: Any, factory: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        register(name, factory)
