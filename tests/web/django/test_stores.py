"""The same on servers: the sync and the async provider of one name, and one session in both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import AsyncClient, Client
from django.test.utils import override_settings

from sojourn.web.django import async_manager, manager
from tests.servers.mariadb import MariaDB
from tests.servers.redis import Redis, fresh_prefix
from tests.servers.sql import fresh_table
from tests.web.django.conftest import MIDDLEWARES
from tests.web.django.pages import ato, to
from tests.web.django.settings import OTHERS


@pytest.fixture(params=["redis", "mysql"])
def given(request: pytest.FixtureRequest) -> dict[str, Any]:
    if request.param == "redis":
        redis: Redis = request.getfixturevalue("redis_server")
        config = {"address": redis.address, "prefix": fresh_prefix()}
    else:
        maria: MariaDB = request.getfixturevalue("mariadb")
        config = {"dsn": maria.url(), "table": fresh_table()}
    return {"provider": request.param, "provider_config": config}


@pytest.fixture(params=MIDDLEWARES)
def mode(request: pytest.FixtureRequest, given: dict[str, Any]) -> Iterator[str]:
    with override_settings(MIDDLEWARE=[MIDDLEWARES[request.param], *OTHERS], SOJOURN=given):
        yield request.param
        manager().close()


def test_it_counts_and_ends(mode: str) -> None:
    client = Client()
    for expected in (1, 2, 3):
        assert client.get("/count").json()["said"] == expected
    client.get(to(lambda request: request.session.flush()))
    assert manager().active_count() == 0


async def test_both_colours_work_on_one_session(mode: str) -> None:
    client = AsyncClient()
    try:
        for expected in (1, 3):
            assert (await client.get("/count")).json()["said"] == expected
            assert (await client.get("/acount")).json()["said"] == expected + 1

        async def leave(request: Any) -> None:
            await request.session.acycle_key()
            await request.session.aset_expiry(60)

        await client.get(ato(leave))
        [info] = [info async for info in async_manager().sessions()]
        assert info.expires_at - info.seen_at == pytest.approx(60, abs=0.01)
        assert (await client.get("/count")).json()["said"] == 5
    finally:
        await async_manager().close()


def test_views_of_both_colours_behind_wsgi(mode: str) -> None:
    """There every async view runs on an event loop of its own."""
    client = Client()
    said = [client.get(page).json()["said"] for page in ("/acount", "/count", "/acount")]
    assert said == [1, 2, 3]
