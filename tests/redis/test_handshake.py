"""Connections that redis-py opens: over what Sojourn then sends, and what it does without that."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

import pytest

from sojourn.errors import StoreUnavailable
from sojourn.providers.redis import AsyncRedisProvider, RedisProvider, handshake
from sojourn.providers.redis.fallback import PublicSocket, PublicTransport
from tests.redis.fake import Fake
from tests.redis.stores import Make, maker, record_of
from tests.redis.test_clients import works
from tests.redis.test_replies import hash_of
from tests.servers.process import BUSY
from tests.servers.redis import Redis
from tests.servers.redis_groups import RedisCluster, Sentinels

# -- private attributes of redis-py: these tests fail if a release has them no more --------------


WHERE: dict[str, Callable[[Redis, Redis], str]] = {
    "TCP": lambda plain, tls: plain.url(),
    "a unix socket": lambda plain, tls: f"unix://{plain.socket}",
    "TLS": lambda plain, tls: tls_url(tls),
}


def tls_url(server: Redis) -> str:
    assert server.tls
    return f"{server.url()}?ssl_ca_certs={server.tls.ca}"


@pytest.mark.parametrize("where", WHERE)
def test_redis_py_lends_its_socket(redis_server: Redis, redis_tls: Redis, where: str) -> None:
    store = RedisProvider(WHERE[where](redis_server, redis_tls))
    line = store._executor.transport._pool.take()  # type: ignore[attr-defined]
    assert isinstance(line._socket, ssl.SSLSocket if where == "TLS" else socket.socket)
    store._executor.transport._pool.discard(line)  # type: ignore[attr-defined]


@pytest.mark.parametrize("where", WHERE)
async def test_redis_py_lends_its_transport(
    redis_server: Redis, redis_tls: Redis, where: str
) -> None:
    store = AsyncRedisProvider(WHERE[where](redis_server, redis_tls))
    await store.read(record_of().id)
    transport: Any = store._executor.transport
    line = transport._here()._line
    assert not isinstance(line._transport, PublicTransport)
    assert line._transport.get_protocol() is line
    assert line._unread is not None
    await store.close()


# -- without them --------------------------------------------------------------------------------


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> None:
    """A redis-py whose connections have no such attributes."""
    monkeypatch.setattr(handshake, "socket_of", lambda _: None)
    monkeypatch.setattr(handshake, "transport_of", lambda _: None)


@pytest.mark.usefixtures("public")
@pytest.mark.parametrize("where", [*WHERE, "sentinels", "a cluster"])
def test_all_works_by_the_public_methods(
    request: pytest.FixtureRequest, make: Make, where: str
) -> None:
    if where in WHERE:
        servers = [request.getfixturevalue(name) for name in ("redis_server", "redis_tls")]
        assert works(make(WHERE[where](*servers)))
        return
    group: Sentinels | RedisCluster = request.getfixturevalue(
        "redis_sentinels" if where == "sentinels" else "redis_cluster"
    )
    assert works(make(group.url()))


@pytest.mark.usefixtures("public")
def test_a_cut_connection_costs_no_request(make: Make, redis_server: Redis) -> None:
    store, record = make(redis_server.url()), record_of()
    for _ in range(3):
        redis_server.kill_connections()
        time.sleep(0.05)
        assert store.read(record.id) is None


@pytest.mark.usefixtures("public")
def test_silence_ends_with_the_timeout(make: Make) -> None:
    with Fake(lambda words: b"") as server:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            make(server.url(), timeout=0.3).read(record_of().id)
        assert time.monotonic() - began < 0.3 + BUSY


@pytest.mark.usefixtures("public")
@pytest.mark.parametrize("reply", [b":1\r\n", b"#t\r\n", b"$3\r\nQXZ\r\n", b"HTTP/1.1 400\r\n\r\n"])
def test_what_is_no_answer_is_an_error(make: Make, reply: bytes) -> None:
    """And nothing more is read from that connection."""
    record = record_of()
    answers = iter([reply, hash_of(record)])
    with Fake(lambda words: next(answers)) as server:
        assert make(server.url(), timeout=1.0).read(record.id) == record
        assert server.connections == 2


@pytest.mark.usefixtures("public")
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_the_substitutes_are_in_use(redis_server: Redis, colour: Any) -> None:
    with maker(colour) as make:
        store: Any = make(redis_server.url())
        store.read(record_of().id)
        if colour == "sync":
            line = store._executor.transport._pool.take()
            assert isinstance(line._socket, PublicSocket)
            store._executor.transport._pool.put(line)
        else:
            [transport] = store._target._executor.transport._mine().by_loop.values()
            assert isinstance(transport._line._transport, PublicTransport)
