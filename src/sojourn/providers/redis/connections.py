"""Functions that open connections, to a known server or to the master that sentinels name.

The sentinels are asked again for each new connection, so after a failover the next connection
leads to the new master.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import redis
import redis.asyncio
from redis.exceptions import InvalidResponse, RedisError

from sojourn.providers.redis.address import Address
from sojourn.providers.redis.async_line import AsyncLine
from sojourn.providers.redis.handshake import AsyncParser, Parser
from sojourn.providers.redis.line import Line

Kind = Callable[..., Any]
"""A connection class of redis-py."""


def opener(kind: Kind, settings: Mapping[str, Any]) -> Callable[..., Line]:
    """Return a function that opens a connection.

    kind: the connection class of redis-py.
    settings: the keyword arguments of that class.

    The returned function takes a host and a port, or nothing if the settings contain them.  It
    raises RedisError or OSError; InvalidResponse, a RedisError, if the reply of the server makes no
    sense.
    """

    def connect(*place: Any) -> Line:
        # A connection keeps its parser in a private attribute, so the parser is made here instead.
        parser = Parser()
        connection = kind(**_at(settings, place), parser_class=_giving(parser))
        try:
            connection.connect()
            return parser.line(connection)
        except Exception as error:  # noqa: BLE001 - redis-py raises many kinds of errors here
            connection.disconnect()
            raise _of_opening(error) from None

    return connect


def master_opener(address: Address, kind: Kind, settings: Mapping[str, Any]) -> Callable[..., Line]:
    """Return a function that asks the sentinels for the master and opens a connection to it.

    It raises RedisError or OSError; MasterNotFoundError, a RedisError, if no sentinel reports one.
    """
    asked = _for_sentinels(address, settings)
    connect = opener(kind, settings)

    def open_master() -> Line:
        # Made for each connection, so that no connection to a sentinel is kept open.
        sentinel = redis.Sentinel([*address.hosts], sentinel_kwargs=asked)  # type: ignore[no-untyped-call]
        _have_parsed_by(Parser, sentinel)
        try:
            place = sentinel.discover_master(address.service)  # type: ignore[no-untyped-call]
        except Exception as error:  # noqa: BLE001 - redis-py raises many kinds of errors here
            raise _of_opening(error) from None
        finally:
            for client in sentinel.sentinels:
                client.close()
        return connect(*place)

    return open_master


def async_opener(kind: Kind, settings: Mapping[str, Any]) -> Callable[..., Awaitable[AsyncLine]]:
    """Return a coroutine function that opens a connection; see `opener`."""

    async def connect(*place: Any) -> AsyncLine:
        parser = AsyncParser()
        connection = kind(**_at(settings, place), parser_class=_giving(parser))
        try:
            await connection.connect()
            return parser.line(connection)
        except Exception as error:  # noqa: BLE001 - redis-py raises many kinds of errors here
            # Without `nowait`, closing would wait for a server that may not answer.
            await connection.disconnect(nowait=True)
            raise _of_opening(error) from None
        # Not an Exception; raised, for example, when the time limit of the multiplexed connection
        # is exceeded.
        except asyncio.CancelledError:
            await connection.disconnect(nowait=True)
            raise

    return connect


def async_master_opener(
    address: Address, kind: Kind, settings: Mapping[str, Any]
) -> Callable[..., Awaitable[AsyncLine]]:
    """Return a coroutine function that opens a connection to the master; see `master_opener`."""
    asked = _for_sentinels(address, settings)
    connect = async_opener(kind, settings)

    async def open_master() -> AsyncLine:
        # Made for each connection, since its clients are bound to the event loop that is running
        # now.
        sentinel = redis.asyncio.Sentinel([*address.hosts], sentinel_kwargs=asked)  # type: ignore[no-untyped-call]
        _have_parsed_by(AsyncParser, sentinel)
        try:
            place = await sentinel.discover_master(address.service or "")
        except Exception as error:  # noqa: BLE001 - redis-py raises many kinds of errors here
            raise _of_opening(error) from None
        finally:
            for client in sentinel.sentinels:
                await client.aclose()
        return await connect(*place)

    return open_master


def _giving(parser: Parser | AsyncParser) -> Callable[..., Parser | AsyncParser]:
    """Return a substitute for a parser class, which returns this parser when redis-py calls it."""
    return lambda socket_read_size: parser  # noqa: ARG005 - redis-py's name for it


def _have_parsed_by(kind: type, sentinel: Any) -> None:
    """Make the clients of sentinels use our parser; redis-py has no public setting for it."""
    for client in sentinel.sentinels:
        client.connection_pool.connection_kwargs["parser_class"] = kind


def _of_opening(error: Exception) -> Exception:
    """Return the error to raise if opening a connection failed.

    If a server does not use the protocol of Redis, redis-py may raise almost any exception, and its
    message may quote the data received.  Such an exception is replaced.
    """
    if isinstance(error, RedisError | OSError):
        return error
    return InvalidResponse("the server is no Redis")


def _at(settings: Mapping[str, Any], place: tuple[Any, ...]) -> dict[str, Any]:
    """Return the settings together with the host and the port in `place`, which may be empty."""
    # Not `strict`: `place` is empty if the settings contain the host and the port, or a socket.
    return {**settings, **dict(zip(("host", "port"), place, strict=False))}


def _for_sentinels(address: Address, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings for connections to the sentinels.

    They have their own user and password.  They are asked one after the other, so each gets an
    equal share of the connection timeout.
    """
    seconds = settings["socket_connect_timeout"] / len(address.hosts)
    return {
        **settings,
        "db": 0,
        "username": address.sentinel_username,
        "password": address.sentinel_password,
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        **({} if address.tls is None else {"ssl": True}),
    }
