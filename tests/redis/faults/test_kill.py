"""A server dies and is started again: with `appendfsync always` nothing acknowledged is missing."""

from __future__ import annotations

from tests.redis.faults.load import Load
from tests.redis.faults.verdict import nothing_is_lost
from tests.servers.redis import Redis, fresh_prefix

DEATHS = 6


def test_nothing_acknowledged_dies_with_the_server() -> None:
    with Redis(appendonly="yes", appendfsync="always") as server:
        with Load(server.url(), prefix=fresh_prefix()) as load:
            for _ in range(DEATHS):
                load.go_on(0.2)
                server.kill()
                server.start()
                load.until_served()
        nothing_is_lost(load, [server])
