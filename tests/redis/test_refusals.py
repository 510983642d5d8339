"""What is wrong is named, with the way out, and never with a password."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
import redis
import redis.asyncio

from sojourn import AsyncManager, Manager
from sojourn.errors import ConfigError, StoreUnavailable
from sojourn.providers.base import Provider
from sojourn.record import Changes
from tests.redis.stores import Make, record_of
from tests.servers.certificates import Certificate
from tests.servers.process import BUSY, free_port
from tests.servers.redis import PASSWORD, Redis, admit

SECRET = "QXZ-a-secret"
"""Stands in passwords and nowhere else."""


# -- settings, refused when the provider is made -------------------------------------------------

WRONG: dict[str, tuple[Any, tuple[str, ...]]] = {
    "pool of 0": ({"pool": 0}, ("pool: 0", "a whole number, 1 or more")),
    "pool of -1": ({"pool": -1}, ("pool: -1", "1 or more")),
    "pool of 1.5": ({"pool": 1.5}, ("pool: 1.5", "a whole number")),
    "pool of True": ({"pool": True}, ("pool: True", "a whole number")),
    "pool as text": ({"pool": "9"}, ("pool: '9'", "a whole number")),
    "timeout of 0": ({"timeout": 0}, ("timeout: 0", "seconds", "0.001 or more")),
    "negative timeout": ({"timeout": -2.5}, ("timeout: -2.5", "seconds")),
    "timeout True": ({"timeout": True}, ("timeout: True", "seconds")),
    "timeout nan": ({"timeout": math.nan}, ("timeout: nan", "seconds")),
    "timeout inf": ({"timeout": math.inf}, ("timeout: inf", "seconds")),
    "timeout as text": ({"timeout": "2"}, ("timeout: '2'", "seconds")),
    "wait of -1": ({"wait": -1}, ("wait: -1", "0 or more")),
    "wait True": ({"wait": True}, ("wait: True", "a whole number")),
    "unknown keyword": ({"pools": 5}, ("pools",)),
    "password as keyword": ({"password": SECRET}, ("password",)),
    "unknown option": ({"address": "redis://h/0?pools=5"}, ("pools", "did you mean 'pool'?")),
    "pool of 0 in a URL": ({"address": "redis://h/0?pool=0"}, ("pool", "'0'", "above 0")),
    "timeout of 0 in a URL": ({"address": "redis://h/0?timeout=0"}, ("timeout", "above 0")),
    "pool of 0 in parts": (f"127.0.0.1:6379,0,{SECRET}", ("part 2, the pool", "'0'", "above 0")),
    "no number": (f"127.0.0.1:6379,{SECRET}", ("part 2, the pool", "above 0")),
    "no database": (f"127.0.0.1:6379,1,{SECRET},x", ("part 4, the database",)),
    "no port": (f"127.0.0.1:port,1,{SECRET}", ("the address", "1 to 65535")),
    "no scheme": (f"rediz://u:{SECRET}@h/0", ("'rediz'", "did you mean 'redis://'?")),
    "half a URL": (f"redis://u:{SECRET}@h@i/0", ("'@'", "%40")),
    "JSON": (f'{{"address": "redis://u:{SECRET}@h/0"}}', ("JSON", "mapping")),
}


@pytest.mark.parametrize("manager", [Manager, AsyncManager])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_setting_that_makes_no_sense_is_named(manager: Any, wrong: str) -> None:
    config, words = WRONG[wrong]
    with pytest.raises(ConfigError) as caught:
        manager("redis", provider_config=config)
    for word in words:
        assert word in str(caught.value)
    assert "QXZ" not in all_of(caught.value)


def all_of(error: BaseException | None) -> str:
    """What a traceback would show of an error, and of those that it came from."""
    text = ""
    while error is not None:
        text += f"{error!r} {error} "
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return text


# -- servers that refuse -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def locked() -> Iterator[Redis]:
    with Redis(requirepass=PASSWORD, databases=4) as server:
        yield server


def refusal(store: Provider) -> str:
    """What every verb says, in the same words; in bounded time, and without a secret."""
    record, said = record_of(), set[str]()
    verbs: list[Callable[[], object]] = [
        lambda: store.read(record.id),
        lambda: store.create(record),
        lambda: store.update(record, Changes(record.seen, put={b"a": b"2"})),
        lambda: store.destroy(record.id),
        lambda: store.count(record.seen),
        lambda: list(store.find("ada", record.seen)),
        lambda: list(store.find(None, record.seen)),
        lambda: store.gc(record.seen, 10),
    ]
    for verb in verbs:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable) as caught:
            verb()
        assert time.monotonic() - began < 2 + BUSY
        said.add(str(caught.value))
        shown = all_of(caught.value)
        assert "QXZ" not in shown
        assert PASSWORD not in shown
        assert quote(PASSWORD, "") not in shown
    [words] = said
    return words


def test_a_wrong_password(make: Make, locked: Redis) -> None:
    for address in (f"redis://:{SECRET}@{locked.address}", f"{locked.address},9,{SECRET}"):
        assert refusal(make(address)) == "Redis refuses the user or the password"


def test_a_missing_password(make: Make, locked: Redis) -> None:
    assert refusal(make(locked.address)) in (
        "Redis wants a password",
        "Redis refuses the user or the password",
    )


def test_a_user_that_is_not_known(make: Make, redis_server: Redis) -> None:
    store = make(f"redis://nobody:{SECRET}@{redis_server.address}")
    assert refusal(store) == "Redis refuses the user or the password"


def test_a_wrong_password_of_a_client(
    locked: Redis, make: Make, request: pytest.FixtureRequest
) -> None:
    module = redis.asyncio if "async" in request.node.name else redis
    client = module.Redis(port=locked.port, password=SECRET)
    assert refusal(make(client)) == "Redis refuses the user or the password"


def test_a_database_that_the_server_lacks(make: Make, locked: Redis) -> None:
    for address in (locked.url(database=4), f"{locked.address},9,{PASSWORD},99"):
        assert refusal(make(address)) == "Redis does not have a database of this number"


def test_a_server_that_is_not_there(make: Make) -> None:
    port = free_port()
    assert refusal(make(f"redis://u:{SECRET}@127.0.0.1:{port}/0")).startswith(
        "Redis cannot be reached"
    )
    assert refusal(make(f"redis+cluster://u:{SECRET}@127.0.0.1:{port}")).startswith(
        "Redis cannot be reached"
    )


def test_sentinels_that_are_not_there(make: Make) -> None:
    port = free_port()
    store = make(f"redis+sentinel://u:{SECRET}@127.0.0.1:{port}/mymaster/0")
    assert refusal(store) == "Redis has no master that its sentinels know"


def test_what_is_no_cluster(make: Make, redis_server: Redis) -> None:
    with pytest.raises(StoreUnavailable, match="cluster"):
        make(f"redis+cluster://{redis_server.address}").read(record_of().id)


SCRIPTED: list[Callable[[Provider], object]] = [
    lambda store: store.create(record_of()),
    lambda store: store.update(record_of(), Changes(0.0, put={b"a": b"2"})),
    lambda store: store.destroy(record_of().id),
]


class Unscripted(Redis):
    """A server of which somebody has taken a command away."""

    def command(self) -> list[str]:
        return [*super().command(), "--rename-command", "EVALSHA", "gone"]


def test_a_server_without_scripts(make: Make) -> None:
    """Too old, or robbed of them."""
    with Unscripted() as server:
        store = make(server.url())
        for verb in SCRIPTED:
            with pytest.raises(StoreUnavailable, match=r"lacks a command .* Redis 6 or later"):
                verb(store)


def test_a_user_who_may_not_run_scripts(make: Make, redis_server: Redis, prefix: str) -> None:
    user = admit(prefix, redis_server)
    redis_server.cli("ACL SETUSER", user, "-@scripting")
    store = make(redis_server.url(user))
    for verb in SCRIPTED:
        with pytest.raises(StoreUnavailable, match="does not permit this user"):
            verb(store)


def test_a_user_who_may_not_touch_the_keys(make: Make, redis_server: Redis, prefix: str) -> None:
    user = admit(prefix, redis_server)
    store = make(redis_server.url(user), prefix=f"{prefix}-other")
    assert refusal(store) == ("Redis does not permit this user to run a command that sessions need")


# -- TLS -----------------------------------------------------------------------------------------


NOT_TRUSTED = "Redis shows a certificate that is not trusted"


def test_a_server_that_no_ca_vouches_for(make: Make, redis_tls: Redis) -> None:
    """The certificate is not ours to trust: nothing is sent over that connection."""
    other = Certificate.new().ca
    for address in (redis_tls.url(), f"{redis_tls.url()}?ssl_ca_certs={quote(str(other))}"):
        assert refusal(make(address)).startswith(NOT_TRUSTED)


def test_a_server_of_another_name(make: Make, redis_tls: Redis) -> None:
    """A good certificate of somebody else opens nothing."""
    assert redis_tls.tls
    ca = quote(str(redis_tls.tls.ca))
    url = f"rediss://0.0.0.0:{redis_tls.port}/0?ssl_ca_certs={ca}"
    assert refusal(make(url)).startswith(NOT_TRUSTED)
    assert make(f"{url}&ssl_check_hostname=false").read(record_of().id) is None


def test_tls_that_only_one_side_speaks(make: Make, redis_server: Redis, redis_tls: Redis) -> None:
    for address in (f"rediss://{redis_server.address}/0", f"redis://{redis_tls.address}/0"):
        with pytest.raises(StoreUnavailable):
            make(address, timeout=0.5).read(record_of().id)


# -- what is shown -------------------------------------------------------------------------------


@pytest.mark.parametrize("manager", [Manager, AsyncManager])
def test_no_repr_shows_a_password(manager: Any) -> None:
    made = manager("redis", provider_config=f"redis://u:{SECRET}@127.0.0.1/0")
    shown = f"{made!r} {made.config!r} {made._provider!r} {vars(made._provider)!r}"
    assert "QXZ" not in shown
