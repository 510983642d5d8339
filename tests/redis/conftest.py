"""Providers of both colours, each test with a prefix of its own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from sojourn.providers.redis import RedisProvider
from tests.redis.stores import Make, Names, maker
from tests.servers.redis import Redis, fresh_prefix


@pytest.fixture
def prefix() -> str:
    return fresh_prefix()


@pytest.fixture
def names(prefix: str) -> Names:
    return Names(prefix)


@pytest.fixture(params=["sync", "async"])
def make(request: pytest.FixtureRequest, prefix: str) -> Iterator[Make]:
    """Makes providers of one colour."""
    with maker(request.param) as make:
        yield partial(make, prefix=prefix)


@pytest.fixture
def store(make: Make, redis_server: Redis) -> RedisProvider:
    """A provider of one colour on one server."""
    return make(redis_server.url())
