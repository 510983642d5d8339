"""Fairness and law 4 on one session that 64 connections change at once, on a real server over Redis."""

from __future__ import annotations

import pytest

from tests.parallel.hot import (
    CONNECTIONS,
    WORK,
    hammer,
    missing_entries,
    missing_in_the_list,
    served,
)
from tests.servers.redis import Redis, fresh_prefix

ENOUGH = 10 * CONNECTIONS
"""Acknowledged requests after which each connection must have had one."""


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("work", WORK)
def test_every_connection_is_served_and_nothing_is_lost(
    redis_server: Redis, work: str, workers: int
) -> None:
    url = f"{redis_server.url()}?prefix={fresh_prefix()}"
    with served("redis", url, "uvicorn", workers) as process:
        found = hammer(process, work, enough=ENOUGH)
    assert found.missing == 0
    assert found.refused == []
    assert found.connections == set(range(CONNECTIONS))


def test_what_is_lost_is_seen() -> None:
    """Else the test above proves nothing."""
    assert missing_in_the_list([1001, 1002, 2001], [(1, 1), (2, 1), (1, 2)]) == 0
    assert missing_in_the_list([1001, 2001], [(1, 1), (2, 1), (1, 2)]) == 1
    assert missing_in_the_list([1001, 1001], [(1, 1)]) == 1
    assert missing_in_the_list([2001, 1001], [(1, 1), (1, 2)]) == 1
    assert missing_entries({"1": 2, "2": 1}, [(1, 1), (1, 2), (2, 1)]) == 0
    assert missing_entries({"1": 1}, [(1, 1), (1, 2), (2, 1)]) == 2
