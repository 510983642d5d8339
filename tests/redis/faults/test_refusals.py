"""The server answers, and refuses: each request fails at once, says why, and then all goes on."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
import redis

from sojourn.errors import StoreUnavailable
from tests.faults.load import COLOURS
from tests.redis.faults.load import Load
from tests.redis.faults.verdict import nothing_is_lost
from tests.servers.process import free_port, wait_until
from tests.servers.redis import PASSWORD, Redis, admit, fresh_prefix

Trouble = Callable[[Redis, str], AbstractContextManager[None]]
"""A block in which a server refuses a user."""

TROUBLES = dict[str, Trouble]()
"""By what the error says."""


def says(reason: str) -> Callable[[Callable[[Redis, str], Iterator[None]]], None]:
    def enter(trouble: Callable[[Redis, str], Iterator[None]]) -> None:
        TROUBLES[reason] = contextlib.contextmanager(trouble)

    return enter


@says("is a replica, and read-only")
def _demoted(server: Redis, user: str) -> Iterator[None]:
    server.cli("REPLICAOF", "127.0.0.1", free_port())
    yield
    server.cli("REPLICAOF", "NO", "ONE")


@says("is a replica that has lost its master")
def _orphaned(server: Redis, user: str) -> Iterator[None]:
    server.cli("CONFIG SET", "replica-serve-stale-data", "no")
    server.cli("REPLICAOF", "127.0.0.1", free_port())
    yield
    server.cli("REPLICAOF", "NO", "ONE")


@says("has too few replicas to write")
def _lonely(server: Redis, user: str) -> Iterator[None]:
    server.cli("CONFIG SET", "min-replicas-to-write", 1)
    yield
    server.cli("CONFIG SET", "min-replicas-to-write", 0)


@says("refuses to write since it cannot save to its disk")
def _disk_failed(server: Redis, user: str) -> Iterator[None]:
    in_the_way = server.folder / "dump.rdb"
    in_the_way.mkdir()
    server.cli("CONFIG SET", "save", "3600 1")
    server.cli("BGSAVE")
    wait_until(lambda: not saves(server), "a failure to save")
    yield
    in_the_way.rmdir()
    server.cli("BGSAVE")
    wait_until(lambda: saves(server), "a success")
    server.cli("CONFIG SET", "save", "")


def saves(server: Redis) -> bool:
    return bool(server.cli("INFO", "persistence")["rdb_last_bgsave_status"] == "ok")


@says("refuses the user or the password")
def _other_password(server: Redis, user: str) -> Iterator[None]:
    server.cli("ACL SETUSER", user, "resetpass", ">another")
    server.kill_connections()
    yield
    server.cli("ACL SETUSER", user, f">{PASSWORD}")


@says("does not permit this user to run a command that sessions need")
def _fewer_rights(server: Redis, user: str) -> Iterator[None]:
    server.cli("ACL SETUSER", user, "-@scripting", "-hgetall")
    yield
    server.cli("ACL SETUSER", user, "+@scripting", "+hgetall")


@says("has too many clients")
def _crowded(server: Redis, user: str) -> Iterator[None]:
    server.cli("CONFIG SET", "maxclients", 1)
    server.kill_connections()
    yield
    server.cli("CONFIG SET", "maxclients", 10_000)


@says("is busy with a script")
def _busy(server: Redis, user: str) -> Iterator[None]:
    server.cli("CONFIG SET", "lua-time-limit", 50)
    other = server.enter()

    def endless() -> None:
        with contextlib.suppress(redis.ResponseError):  # it is killed
            other.eval("while true do end", 0)

    script = threading.Thread(target=endless)
    script.start()
    time.sleep(0.2)
    yield
    server.cli("SCRIPT KILL")
    script.join()
    other.close()


@pytest.mark.parametrize("reason", TROUBLES)
def test_a_refusal_is_named_and_passes(reason: str) -> None:
    with Redis() as server:
        prefix = fresh_prefix()
        user = admit(prefix, server)
        with Load(server.url(user), prefix=prefix) as load:
            with TROUBLES[reason](server, user):
                time.sleep(0.3)
            load.go_on(0.1)
        nothing_is_lost(load, [server])
    for colour in COLOURS:
        refused = [str(one) for one in load.errors(colour) if type(one) is StoreUnavailable]
        assert f"Redis {reason}" in refused, load


def test_a_server_that_loads_is_waited_for() -> None:
    """Stopped in peace, it saves; and while it loads that, it says so."""
    slowly: dict[str, Any] = {"key_load_delay": 2000, "loading_process_events_interval_bytes": 1024}
    with Redis(save="3600 1", **slowly) as server:
        for number in range(400):
            server.cli("SET", f"other:{number}", b"x" * 100)
        with Load(server.url(), prefix=fresh_prefix()) as load:
            server.stop()
            server.start()
            load.go_on(0.1)
        nothing_is_lost(load, [server])
        for colour in COLOURS:
            assert "Redis is still loading its data" in map(str, load.errors(colour)), load
