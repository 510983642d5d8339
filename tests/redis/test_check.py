"""What `check` finds unsafe about a server, and that it leaves a good one in peace."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sojourn.cli import main
from sojourn.errors import StoreUnavailable
from sojourn.providers.base import Provider
from tests.redis.stores import Make
from tests.servers.redis import Redis, admit
from tests.servers.redis_groups import RedisCluster, Sentinels


@pytest.fixture(scope="module")
def good() -> Iterator[Redis]:
    """A server that keeps what it was given."""
    with Redis(appendonly="yes", maxmemory="100mb", maxmemory_policy="noeviction") as server:
        yield server


def warnings(store: Provider) -> list[str]:
    found: list[str] = store.check()  # type: ignore[attr-defined]
    return found


def test_a_good_server_is_left_in_peace(make: Make, good: Redis) -> None:
    assert warnings(make(good.url())) == []


@pytest.mark.parametrize(
    "policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-ttl"]
)
def test_it_warns_of_a_server_that_evicts(make: Make, good: Redis, policy: str) -> None:
    """Sessions have a time to live, so a `volatile` policy takes them as well."""
    good.cli("CONFIG SET", "maxmemory-policy", policy)
    try:
        [warning] = warnings(make(good.url()))
    finally:
        good.cli("CONFIG SET", "maxmemory-policy", "noeviction")
    for word in ("ends living sessions", f"maxmemory-policy {policy}", "noeviction"):
        assert word in warning


def test_it_warns_of_a_server_that_keeps_nothing(make: Make) -> None:
    with Redis() as server:
        store = make(server.url())
        [warning] = warnings(store)
        assert "restart ends every session" in warning
        server.cli("CONFIG SET", "save", "3600 1")
        assert warnings(store) == []


def test_it_warns_of_replicas_that_are_missing(make: Make, good: Redis) -> None:
    [warning] = warnings(make(good.url(), wait=2))
    assert "has 0 replicas" in warning
    assert "wait=2" in warning


def test_it_is_content_with_as_many_replicas_as_are_waited_for(
    make: Make, redis_sentinels: Sentinels
) -> None:
    said = warnings(make(redis_sentinels.url(), wait=1))
    assert not [warning for warning in said if "replicas" in warning]


def test_it_looks_at_every_server_of_a_cluster(make: Make, redis_cluster: RedisCluster) -> None:
    """And says once what it finds more than once."""
    store = make(redis_cluster.url())
    before = warnings(store)
    assert len(before) == 1
    for evicting in [[node] for node in redis_cluster.nodes] + [redis_cluster.nodes]:
        assert "allkeys-lru" in new_warning(store, before, evicting)


def new_warning(store: Provider, before: list[str], evicting: list[Redis]) -> str:
    """The one that there is more while these servers evict."""
    for node in evicting:
        node.cli("CONFIG SET", "maxmemory-policy", "allkeys-lru")
    try:
        [new] = [warning for warning in warnings(store) if warning not in before]
    finally:
        for node in evicting:
            node.cli("CONFIG SET", "maxmemory-policy", "noeviction")
    return new


def test_it_asks_for_leave_to_look(make: Make, good: Redis, prefix: str) -> None:
    user = admit(prefix, good)
    good.cli("ACL SETUSER", user, "-info")
    [warning] = warnings(make(good.url(user)))
    assert "permit this user INFO" in warning


# -- by the command ------------------------------------------------------------------------------


def test_the_command_is_content(good: Redis, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--provider", "redis", "--provider-config", good.url()]) == 0
    assert capsys.readouterr().out == "ok\n"


def test_the_command_warns(good: Redis, capsys: pytest.CaptureFixture[str]) -> None:
    good.cli("CONFIG SET", "maxmemory-policy", "allkeys-lru")
    try:
        status = main(["check", "--json", "--provider", "redis", "--provider-config", good.url()])
    finally:
        good.cli("CONFIG SET", "maxmemory-policy", "noeviction")
    said = json.loads(capsys.readouterr().out)
    assert (status, said["ok"]) == (1, False)
    assert "noeviction" in said["warnings"][0]


def test_the_command_says_what_refuses_it(capsys: pytest.CaptureFixture[str]) -> None:
    with Redis(requirepass="right") as server:
        config = f"redis://:QXZ@{server.address}"
        assert main(["check", "--provider", "redis", "--provider-config", config]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "sojourn: Redis refuses the user or the password\n"


def test_a_check_of_a_server_that_is_gone_is_an_error(make: Make) -> None:
    with Redis() as server:
        store = make(server.url())
        assert warnings(store)
    with pytest.raises(StoreUnavailable):
        warnings(store)
