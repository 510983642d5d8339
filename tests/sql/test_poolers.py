"""PgBouncer between the application and PostgreSQL, with two connections for all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sojourn import AsyncManager, Manager
from sojourn.errors import StoreUnavailable
from sojourn.providers.sql import AsyncPostgresProvider, PostgresProvider
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Postgres

THREADS, TURNS = 6, 10

# As it is set up by Debian, and as people set it up who met the error of that.
SETTINGS = [
    {"pool_mode": mode, **more}
    for mode in ("session", "transaction", "statement")
    for more in ({}, {"ignore_startup_parameters": "options"})
]


@pytest.fixture(params=SETTINGS, ids=lambda settings: " ".join(settings.values()))
def pooler(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[PgBouncer]:
    with PgBouncer(postgres, **request.param) as pooler:
        yield pooler


def cookie_of(session: Any) -> dict[str, str]:
    return {"Cookie": f"session={session.released.token}"}


def size(pooler: PgBouncer) -> int:
    """How many connections of ours it can serve at once."""
    return 2 if pooler.options["pool_mode"] == "session" else THREADS


def test_threads_store_and_read_by_way_of_it(pooler: PgBouncer, table: str) -> None:
    provider = PostgresProvider(pooler.url(), table=table, pool=size(pooler))
    manager = Manager(provider)
    manager.init()

    def work(number: int) -> None:
        with manager.open({}) as session:
            session["number"] = number
        cookie = cookie_of(session)
        for turn in range(TURNS):
            with manager.open(cookie) as session:
                assert session["number"] == number
                session[f"turn {turn}"] = True
        with manager.open(cookie) as session:
            assert len(session) == TURNS + 1
            session.login("ada")
        with manager.open(cookie_of(session)) as session:
            session.destroy()

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(work, range(THREADS)))
    assert manager.active_count() == 0
    manager.close()


def test_tasks_store_and_read_by_way_of_it(pooler: PgBouncer, table: str) -> None:
    provider = AsyncPostgresProvider(pooler.url(), table=table, pool=size(pooler))

    async def work(manager: AsyncManager, number: int) -> None:
        async with manager.open({}) as session:
            session["number"] = number
        for turn in range(TURNS):
            async with manager.open(cookie_of(session)) as again:
                assert again["number"] == number
                again[f"turn {turn}"] = True

    async def main() -> None:
        manager = AsyncManager(provider)
        await manager.init()
        await asyncio.gather(*[work(manager, number) for number in range(THREADS)])
        assert await manager.active_count() == THREADS
        await manager.close()

    asyncio.run(main())


def test_nothing_is_prepared_by_way_of_it(
    pooler: PgBouncer, postgres: Postgres, table: str
) -> None:
    """A name could stand for a statement that another client has prepared."""
    behind = PostgresProvider(pooler.url(), table=table, pool=1)
    direct = PostgresProvider(postgres.url(), table=table, pool=1)
    for provider in (behind, direct):
        for _ in range(3):
            assert provider.read("ab" * 32) is None
    names = "SELECT count(*) FROM pg_prepared_statements"
    assert behind._link.run(names).rows == [(0,)]
    assert direct._link.run(names).rows[0][0] > 0
    for provider in (behind, direct):
        provider.close()


def test_options_of_the_address_are_kept_or_refused_by_name(postgres: Postgres, table: str) -> None:
    """To leave them out would be to write into another schema."""
    with PgBouncer(postgres, pool_mode="session") as pooler:
        provider = PostgresProvider(f"{pooler.url()}?options=-c%20search_path%3Dshop", table=table)
        with pytest.raises(StoreUnavailable, match="`options` of this address"):
            provider.read("ab" * 32)
        provider.close()


def test_a_check_warns_where_no_limit_of_time_holds(postgres: Postgres, table: str) -> None:
    with PgBouncer(postgres, pool_mode="transaction") as pooler:
        behind = PostgresProvider(pooler.url(), table=table)
        direct = PostgresProvider(postgres.url(), table=table)
        assert any("lock_timeout" in warning for warning in behind.check())
        assert not any("lock_timeout" in warning for warning in direct.check())
        behind.close()
        direct.close()
