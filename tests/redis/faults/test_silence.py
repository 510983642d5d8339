"""A server says nothing for a while: each request gives up in time, and then all goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.load import COLOURS, THREADS
from tests.redis.faults.load import Load
from tests.redis.faults.verdict import nothing_is_lost
from tests.servers.process import BUSY
from tests.servers.redis import Redis, fresh_prefix

TIMEOUT, SILENCE = 0.8, 1.5


def hang(server: Redis) -> None:
    server.pause()
    time.sleep(SILENCE)
    server.resume()


def pause_all(server: Redis) -> None:
    server.cli("CLIENT PAUSE", int(SILENCE * 1000), "ALL")
    time.sleep(SILENCE)


def pause_writes(server: Redis) -> None:
    server.cli("CLIENT PAUSE", int(SILENCE * 1000), "WRITE")
    time.sleep(SILENCE)


@pytest.mark.parametrize(
    ("fall_silent", "pool"), [(hang, 1), (hang, 50), (pause_all, 50), (pause_writes, 50)]
)
def test_silence_is_borne(fall_silent: Callable[[Redis], None], pool: int) -> None:
    """It is not asked again, and who waits for a connection to it does not wait much longer."""
    settings: dict[str, Any] = {"timeout": TIMEOUT, "pool": pool}
    with Redis() as server:
        with Load(server.url(), prefix=fresh_prefix(), **settings) as load:
            fall_silent(server)
            load.go_on(0.2)
        nothing_is_lost(load, [server])
    longest = TIMEOUT if pool > THREADS else 2 * TIMEOUT
    assert max(map(load.slowest, COLOURS)) < longest + BUSY, load
