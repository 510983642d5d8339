"""The public API as a type checker sees it: checked by mypy, never run.

Each function is a use that must stay well typed; an `assert_type` that turns false is a change
of the API and belongs in CHANGELOG.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from typing import Any, Literal, assert_type

import sojourn
from sojourn import (
    AsyncCompareAndSwapProvider,
    AsyncManager,
    AsyncProvider,
    Changes,
    CompareAndSwapProvider,
    Config,
    CorruptRecord,
    Manager,
    Move,
    Outcome,
    Provider,
    Record,
    Release,
    ReleaseOutcome,
    Session,
    SessionError,
    SessionInfo,
    StoreError,
    register,
)
from sojourn.providers.file import FileProvider
from sojourn.providers.memory import MemoryProvider
from sojourn.providers.redis import AsyncRedisProvider, RedisProvider
from sojourn.providers.sql import (
    AsyncMySQLProvider,
    AsyncPostgresProvider,
    MySQLProvider,
    PostgresProvider,
    SQLiteProvider,
)
from sojourn.record import Merged, is_live, merge
from sojourn.testing import async_signed_in, signed_in


def managers() -> None:
    assert_type(Manager(MemoryProvider()), Manager)
    assert_type(Manager("file", provider_config="./sessions", max_lifetime=60), Manager)
    assert_type(Manager("memory", '{"cookieName": "gosessionid"}'), Manager)
    assert_type(Manager(MemoryProvider(), {"secure": True}, clock=lambda: 0.0), Manager)
    assert_type(AsyncManager(FileProvider("./sessions"), Config(same_site="Strict")), AsyncManager)


def a_request(manager: Manager) -> None:
    session = manager.start({"Cookie": "session=..."}, https=True)
    assert_type(session, Session)
    release = manager.release(session)
    assert_type(release, Release)
    assert_type(release.outcome, ReleaseOutcome)
    assert_type(release.headers, tuple[tuple[str, str], ...])
    assert_type(release.token, str | None)
    assert_type(manager.release(manager.start({}), headers=False), Release)
    assert_type(manager.discard(manager.start({})), Release)
    with manager.open([(b"cookie", b"session=...")]) as opened:
        assert_type(opened, Session)
    assert_type(opened.released, Release | None)
    with manager.open_id("4be7...") as resumed:
        assert_type(resumed, Session)
    assert_type((session.accessed, session.modified, session.persistent), tuple[bool, bool, bool])
    assert_type(session.lifetime, float)
    assert_type(session.get_as("cart", list[str]), list[str] | None)
    assert_type(session.get_as("cart", list[str], []), list[str])
    assert_type(session.get_as("count", int, 0), int)
    assert_type(session.issued_token, str)
    session.on_release(lambda: session.id)
    assert_type(session.copy(), dict[Any, Any])
    assert_type(session | {"a": 1}, dict[Any, Any])


async def visitors(manager: Manager, async_manager: AsyncManager) -> None:
    assert_type(signed_in(manager, "ada").cookies, dict[str, str])
    assert_type(signed_in(async_manager, None, {"cart": []}).headers, dict[str, str])
    assert_type((await async_signed_in(async_manager, "ada")).cookie, tuple[str, str])


class Shopping(Session):
    """A session with words of an application's own."""

    __slots__ = ()


def words_of_ones_own(manager: Manager) -> None:
    assert_type(Shopping.adopt(manager.start({})), Shopping)


async def an_async_request(manager: AsyncManager) -> None:
    session = await manager.start({"Cookie": ["session=...", "session=..."]}, https=True)
    assert_type(session, Session)
    assert_type(await manager.release(session), Release)
    assert_type(await manager.release(await manager.start({}), headers=False), Release)
    assert_type(manager.discard(await manager.start({})), Release)
    async with manager.open([(b"cookie", b"session=...")]) as opened:
        assert_type(opened, Session)
    assert_type(opened.released, Release | None)
    async with manager.open_id("4be7...") as resumed:
        assert_type(resumed, Session)


def administration(manager: Manager) -> None:
    assert_type(manager.destroy("4be7..."), bool)
    assert_type(manager.destroy("4be7...", user="ada"), bool)
    assert_type(manager.destroy_user("ada", keep="4be7..."), int)
    assert_type(manager.sessions(), Iterator[SessionInfo])
    assert_type(manager.sessions("ada"), Iterator[SessionInfo])
    assert_type(manager.active_count(), int)
    assert_type(manager.gc(), int)
    assert_type(manager.repair(), int)
    assert_type(manager.check(), list[str])
    assert_type(manager.ddl(), str)
    manager.init()
    assert_type(manager.config, Config)
    manager.start_gc()
    manager.set_secure("auto")
    manager.set_hash_func("sha512", b"key")
    manager.close()


async def async_administration(manager: AsyncManager) -> None:
    assert_type(await manager.destroy("4be7..."), bool)
    assert_type(await manager.destroy_user("ada", keep=None), int)
    assert_type(manager.sessions("ada"), AsyncIterator[SessionInfo])
    assert_type([info.id async for info in manager.sessions()], list[str])
    assert_type(await manager.active_count(), int)
    assert_type(await manager.gc(), int)
    assert_type(await manager.repair(), int)
    assert_type(await manager.check(), list[str])
    assert_type(manager.ddl(), str)
    await manager.init()
    manager.start_gc()
    await manager.close()


def a_listed_session(info: SessionInfo) -> None:
    assert_type(info.id, str)
    assert_type(info.user, str | None)
    assert_type(info.created_at, float)
    assert_type(info.seen_at, float)
    assert_type(info.expires_at, float)
    assert_type(info.about, Mapping[str, str])


def a_mapping(session: Session) -> None:
    session["cart"] = ["apple"]
    assert_type(session["cart"], Any)
    assert_type(session.get("cart"), Any)
    assert_type(session.pop("cart", None), Any)
    assert_type("cart" in session, bool)
    assert_type(len(session), int)
    assert_type(list(session), list[Any])
    assert_type(session.apply("clicks", lambda clicks: clicks + 1, default=0), Any)
    session |= {"a": 1}
    session.update(b=2)
    del session["a"]
    session.clear()


def who_and_when(session: Session) -> None:
    assert_type(session.id, str)
    assert_type(session.is_new, bool)
    assert_type(session.user, str | None)
    assert_type(session.authenticated_at, float | None)
    assert_type(session.created_at, float)
    assert_type(session.seen_at, float)
    assert_type(session.expires_at, float)


def intents(session: Session) -> None:
    session.login("ada", keep=False, about={"device": "Lynx"}, remember=timedelta(days=14))
    session.require_fresh(600)
    session.set_lifetime(timedelta(hours=1), persistent=True)
    session.set_lifetime(None)
    session.regenerate_id()
    session.logout()
    session.destroy()


def settings(config: Config) -> None:
    assert_type(Config.load('{"max_lifetime": 60}', secure=True), Config)
    assert_type(Config.load({"max_lifetime": 60}), Config)
    assert_type(Config.load(config), Config)
    assert_type(config.replace(max_lifetime=60), Config)
    assert_type(config.cookie_name, str)
    assert_type(config.max_lifetime, float)
    assert_type(config.absolute_lifetime, float | None)
    assert_type(config.secure, bool | Literal["auto"])
    assert_type(config.on_outage, Literal["error", "anonymous"])


class Own(CompareAndSwapProvider):
    def read(self, id: str) -> Record | None:
        return None

    def create(self, record: Record) -> bool:
        return False

    def swap(self, old: Record, new: Record | None) -> bool:
        return False

    def scan(self) -> Iterator[Record]:
        return iter(())


class AsyncOwn(AsyncCompareAndSwapProvider):
    async def read(self, id: str) -> Record | None:
        return None

    async def create(self, record: Record) -> bool:
        return False

    async def swap(self, old: Record, new: Record | None) -> bool:
        return False

    async def scan(self) -> AsyncIterator[Record]:
        return
        yield


def own_factory(config: str | None) -> Own:
    return Own()


def providers() -> None:
    stores: list[Provider] = [MemoryProvider(), FileProvider("./sessions", fsync=True), Own()]
    stores += [
        RedisProvider("redis://127.0.0.1/0", prefix="shop", pool=20, timeout=0.5, wait=1),
        MySQLProvider("user:password@tcp(127.0.0.1:3306)/shop", table="visits"),
        PostgresProvider("postgres://127.0.0.1/shop", create_table=False),
        SQLiteProvider("./sessions.db"),
    ]
    async_stores: list[AsyncProvider] = [
        AsyncRedisProvider("redis+cluster://127.0.0.1"),
        AsyncMySQLProvider("user@/shop"),
        AsyncPostgresProvider("postgres://127.0.0.1/shop"),
        AsyncOwn(),
    ]
    register("own", own_factory)
    register("own", own_factory, lambda _: AsyncOwn(), replace=True)
    register("memory again", MemoryProvider())
    register("asynchronous", AsyncOwn())
    for store in stores:
        assert_type(Manager(store), Manager)
        assert_type(AsyncManager(store), AsyncManager)
    for async_store in async_stores:
        assert_type(AsyncManager(async_store), AsyncManager)


def values(record: Record, changes: Changes, move: Move) -> None:
    assert_type(is_live(record, 0.0), bool)
    assert_type(merge(record, changes), Merged | Outcome | Record)
    assert_type(record.user, str | None)
    assert_type(changes.move, Move | None)
    assert_type(move.until, float)


def errors(corrupt: CorruptRecord) -> None:
    assert_type(corrupt.id, str | None)
    every: list[type[SessionError]] = [
        sojourn.ConfigError,
        sojourn.CorruptRecord,
        sojourn.EncodeError,
        sojourn.NotFresh,
        sojourn.SessionGone,
        sojourn.SessionReleased,
        sojourn.SessionTooLarge,
        sojourn.StoreError,
    ]
    faults: list[type[StoreError]] = [sojourn.StoreUnavailable, sojourn.OutcomeUnknown]
    assert every
    assert faults
