"""The server's memory is full: what needs none goes on, and nothing is written by halves."""

from __future__ import annotations

from sojourn.errors import StoreUnavailable
from tests.redis.faults.load import Load
from tests.redis.faults.verdict import nothing_is_lost
from tests.servers.redis import Redis, fresh_prefix

LARGE = 60_000


def test_a_full_server_lets_sessions_be_read_and_ended() -> None:
    with Redis() as server:
        with Load(server.url(), prefix=fresh_prefix(), filler=LARGE) as load:
            used = server.cli("INFO", "memory")["used_memory"]
            server.cli("CONFIG SET", "maxmemory", used)
            load.go_on(1.5)
            server.cli("CONFIG SET", "maxmemory", 0)
            load.go_on(0.2)
        nothing_is_lost(load, [server])
    failed = [one for one in load.requests if one.error]
    assert {type(one.error) for one in failed} == {StoreUnavailable}
    assert {str(one.error) for one in failed} == {"Redis is full: it has reached `maxmemory`"}
    assert {"look", "end"}.isdisjoint(one.verb for one in failed)
