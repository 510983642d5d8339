"""Floors of Redis: the client of redis-py, its connection without the client, and a bare socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ormsgpack
import redis
import redis.asyncio

from bench import servers
from bench.payloads import PAYLOADS

GET, GET_SET, HASH = "redis-py GET", "redis-py GET + SET", "redis-py HGETALL"
LINK_HASH = "redis-py's Connection HGETALL"
SOCKET_GET, SOCKET_SET = "socket GET", "socket SET"
SOCKET_GET_SET, SOCKET_HASH = "socket GET + SET", "socket HGETALL"
ASYNC_GET, ASYNC_GET_SET = "redis-py asyncio GET", "redis-py asyncio GET + SET"
ASYNC_HASH = "redis-py asyncio HGETALL"
ASYNC_LINK_HASH = "redis-py asyncio's Connection HGETALL"
STREAM_HASH = "asyncio streams HGETALL"

TEXT, HASHED, LIFETIME = b"text", b"hash", 3600

Floors = dict[str, Callable[[], Any]]


@contextmanager
def opened(size: str, _folder: object, loop: asyncio.Runner) -> Iterator[Floors]:
    """Yield operations on the session as one string, and as a hash with a field for each key."""
    servers.empty_redis()
    port = servers.redis().port
    data = ormsgpack.packb(PAYLOADS[size])
    fields = {key.encode(): ormsgpack.packb(value) for key, value in PAYLOADS[size].items()}
    with redis.Redis(port=port) as client, socket.create_connection(("127.0.0.1", port)) as plug:
        client.set(TEXT, data)
        client.hset(HASHED, mapping=fields)
        plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = client.connection_pool.get_connection()
        after = redis.asyncio.Redis(port=port)
        after_link = loop.run(after.connection_pool.get_connection())
        reader, writer = loop.run(asyncio.open_connection("127.0.0.1", port))
        yield {
            **_by_client(client, data),
            LINK_HASH: _by_link(link),
            **_by_socket(plug, data, fields),
            **_by_async_client(after, data),
            ASYNC_LINK_HASH: _by_async_link(after_link),
            STREAM_HASH: _by_stream(reader, writer, fields),
        }
        writer.close()
        loop.run(after_link.disconnect())
        loop.run(after.aclose())
        client.connection_pool.release(link)


def _by_client(client: redis.Redis, data: bytes) -> Floors:
    def get_set() -> None:
        client.get(TEXT)
        client.set(TEXT, data, ex=LIFETIME)

    return {
        GET: lambda: client.get(TEXT),
        GET_SET: get_set,
        HASH: lambda: client.hgetall(HASHED),
    }


def _by_link(link: Any) -> Callable[[], Any]:
    command = link.pack_command(b"HGETALL", HASHED)

    def hgetall() -> Any:
        link.send_packed_command(command)
        return link.read_response()

    return hgetall


def _by_socket(plug: socket.socket, data: bytes, fields: dict[bytes, bytes]) -> Floors:
    get, hgetall, set_ = _array(b"GET", TEXT), _array(b"HGETALL", HASHED), _set(data)
    text, hashed = len(_bulk(data)), len(_array(*_flat(fields)))
    done = len(b"+OK\r\n")

    def get_set() -> None:
        _trip(plug, get, text)
        _trip(plug, set_, done)

    return {
        SOCKET_GET: lambda: _trip(plug, get, text),
        SOCKET_SET: lambda: _trip(plug, set_, done),
        SOCKET_GET_SET: get_set,
        SOCKET_HASH: lambda: _trip(plug, hgetall, hashed),
    }


def _trip(plug: socket.socket, command: bytes, length: int) -> None:
    """Send a command, and receive a response of a known length."""
    plug.sendall(command)
    while length > 0:
        length -= len(plug.recv(65_536))


def _by_async_client(client: redis.asyncio.Redis, data: bytes) -> Floors:
    async def get() -> Any:
        return await client.get(TEXT)

    async def get_set() -> None:
        await client.get(TEXT)
        await client.set(TEXT, data, ex=LIFETIME)

    async def hgetall() -> Any:
        return await client.hgetall(HASHED)

    return {ASYNC_GET: get, ASYNC_GET_SET: get_set, ASYNC_HASH: hgetall}


def _by_async_link(link: Any) -> Callable[[], Any]:
    command = link.pack_command(b"HGETALL", HASHED)

    async def hgetall() -> Any:
        await link.send_packed_command(command)
        return await link.read_response()

    return hgetall


def _by_stream(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fields: dict[bytes, bytes]
) -> Callable[[], Any]:
    command, length = _array(b"HGETALL", HASHED), len(_array(*_flat(fields)))

    async def hgetall() -> bytes:
        writer.write(command)
        return await reader.readexactly(length)

    return hgetall


# -- what Redis speaks ---------------------------------------------------------------------------


def _set(data: bytes) -> bytes:
    return _array(b"SET", TEXT, data, b"EX", b"%d" % LIFETIME)


def _array(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(map(_bulk, words))


def _bulk(word: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(word), word)


def _flat(fields: dict[bytes, bytes]) -> list[bytes]:
    return [word for pair in fields.items() for word in pair]
