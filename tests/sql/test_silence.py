"""A load balancer between, which forgets idle connections without a word."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sojourn.errors import ConfigError, StoreUnavailable
from sojourn.providers.redis import RedisProvider
from tests.servers.redis import Redis, fresh_prefix
from tests.sql.stores import SYNC, Make, Server, through

IDLE = 4


class Forgetful:
    """Passes on what it gets, but for the connections that it has forgotten: it swallows that."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._door.getsockname()[1])
        self._known: set[int] = set()
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def forget(self) -> None:
        self._known.clear()

    def close(self) -> None:
        for each in [self._door, *self._sockets]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here = self._door.accept()[0]
                there = socket.create_connection(("127.0.0.1", self._to))
                number = len(self._sockets)
                self._sockets += [here, there]
                self._known.add(number)
                for pair in ((here, there), (there, here)):
                    threading.Thread(target=self._pump, args=(*pair, number), daemon=True).start()

    def _pump(self, a: socket.socket, b: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):
            while data := a.recv(65_536):
                if number in self._known:
                    b.sendall(data)
            b.shutdown(socket.SHUT_WR)


@pytest.fixture
def balancer(server: Server) -> Iterator[Forgetful]:
    balancer = Forgetful(server.port)
    yield balancer
    balancer.close()


def fill(pool: Any) -> None:
    """Have some connections lie idle."""
    with ThreadPoolExecutor(IDLE) as threads:
        for each in list(threads.map(lambda _: pool.take(), range(IDLE))):
            pool.put(each)


def failures(store: Any) -> int:
    """How many requests fail before the first that works."""
    for failed in range(IDLE + 1):
        with contextlib.suppress(StoreUnavailable):
            store.count(0.0)
            return failed
    return IDLE + 1


@pytest.mark.parametrize("way", SYNC)
def test_forgotten_connections_cost_one_request(
    way: str, server: Server, balancer: Forgetful, make: Make
) -> None:
    store: Any = make(through(server, balancer.port), timeout=0.5)
    store.count(0.0)
    fill(store._link._source)
    balancer.forget()
    assert failures(store) == 1


def test_forgotten_connections_to_redis_cost_one_request(redis_server: Redis) -> None:
    balancer = Forgetful(redis_server.port)
    url = redis_server.url().replace(f":{redis_server.port}/", f":{balancer.port}/")
    store = RedisProvider(url, prefix=fresh_prefix(), timeout=0.5)
    store.count(0.0)
    fill(store._executor.transport._pool)  # type: ignore[attr-defined]
    balancer.forget()
    assert failures(store) == 1
    store.close()
    balancer.close()


def keeps_alive(fd: int) -> bool:
    with socket.socket(fileno=os.dup(fd)) as same:
        asks = same.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        return bool(asks) and same.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


@pytest.mark.parametrize("way", SYNC)
def test_tcp_asks_whether_the_database_is_there(way: str, server: Server, make: Make) -> None:
    store: Any = make(server.url())
    connection = store._link._source.take()
    assert keeps_alive(connection.socket._fd)
    store._link._source.put(connection)


def test_tcp_asks_whether_redis_is_there(redis_server: Redis) -> None:
    store: Any = RedisProvider(redis_server.url())
    line = store._executor.transport._pool.take()
    assert keeps_alive(line.connection._sock.fileno())
    store._executor.transport._pool.discard(line)


@pytest.mark.parametrize("way", SYNC)
def test_what_lay_idle_for_too_long_is_not_used(way: str, server: Server, make: Make) -> None:
    store: Any = make(server.url(), idle_timeout=0.01)
    source = store._link._source
    first = source.take()
    source.put(first)
    time.sleep(0.02)
    second = source.take()
    assert second is not first
    source.put(second)
    with pytest.raises(ConfigError, match="idle_timeout: 0"):
        make(server.url(), idle_timeout=0)
