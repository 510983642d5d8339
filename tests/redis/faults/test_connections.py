"""Connections are cut while long answers are on their way: no answer reaches another, or in part."""

from __future__ import annotations

import time

from tests.redis.faults.load import Load
from tests.redis.faults.verdict import nothing_is_lost
from tests.servers.redis import Redis, fresh_prefix

CUTS, LONG = 60, 400_000


def test_cut_connections_are_opened_again(redis_server: Redis) -> None:
    with Load(redis_server.url(), prefix=fresh_prefix(), filler=LONG) as load:
        for _ in range(CUTS):
            redis_server.kill_connections()
            time.sleep(0.03)
        load.go_on(0.1)
    nothing_is_lost(load, [redis_server])
