"""Law 4 between processes over Redis: one session, and each process with connections of its own."""

from __future__ import annotations

import pytest

from sojourn import Manager
from sojourn.providers.redis import RedisProvider
from tests.parallel.rounds import TURNS, WORK, begin, taken
from tests.parallel.test_processes import PROMPT
from tests.servers.process import BUSY
from tests.servers.redis import Redis, fresh_prefix
from tests.servers.redis_groups import RedisCluster


@pytest.fixture(params=["server", "cluster"])
def url(request: pytest.FixtureRequest) -> str:
    """Where the sessions are, with a prefix of this test's."""
    servers: Redis | RedisCluster = request.getfixturevalue(f"redis_{request.param}")
    return f"{servers.url()}?prefix={fresh_prefix()}"


@pytest.mark.parametrize("work", WORK)
def test_processes_lose_nothing_of_each_other(url: str, work: str) -> None:
    manager = Manager(RedisProvider(url))
    headers = begin(manager).headers
    slowest = taken(url, work, headers)
    WORK[work].check(manager.start(headers), TURNS)
    assert max(slowest) < PROMPT + BUSY
    manager.close()
