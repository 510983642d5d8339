"""One server, asked by threads: the short way to it.

redis-py's client wraps each command in options, retries, callbacks and measurements that cost
more than the server itself.  What is used here is the layer below, its `Connection`, which makes
the connection in every way that redis-py knows (TLS, unix sockets, ACLs, by way of sentinels),
sends packed commands and parses replies; and a pool of our own, for the same reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

from hiredis import pack_command
from redis import Connection
from redis.exceptions import RedisError, ResponseError

from sojourn.providers.pool import Pool
from sojourn.providers.redis import faults
from sojourn.providers.redis.verbs import Command, Words


class Server:
    """Sends commands to one server, over a connection that nobody else uses meanwhile."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        *,
        size: int,
        timeout: float,
        longest_idle: float | None = None,
    ) -> None:
        self._connect = connect
        self._pool = Pool(
            connect=self._opened,
            close=Connection.disconnect,
            is_stale=_is_stale,
            size=size,
            timeout=timeout,
            longest_idle=longest_idle,
        )

    def call(self, words: Words, tag: str = "") -> Any:  # noqa: ARG002 - a cluster needs it
        """Return the reply to one command; raise ResponseError if it is an error."""
        connection = self._pool.take()
        try:
            connection.send_packed_command([pack_command(words)], check_health=False)  # type: ignore[no-untyped-call]
            reply = connection.read_response(disable_decoding=True)
        except ResponseError as error:
            self._give(connection, error)
            raise
        except RedisError as error:
            self._pool.discard(connection)
            raise faults.lost(error) from None
        except BaseException:
            self._pool.discard(connection)
            raise
        self._pool.put(connection)
        return reply

    def calls(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies to commands that are sent together; errors are among them."""
        connection = self._pool.take()
        try:
            packed = b"".join(pack_command(words) for words, _ in commands)
            connection.send_packed_command([packed], check_health=False)  # type: ignore[no-untyped-call]
            replies = [_reply(connection) for _ in commands]
        except RedisError as error:
            self._pool.discard(connection)
            raise faults.lost(error) from None
        except BaseException:
            self._pool.discard(connection)
            raise
        self._give(connection, *replies)
        return replies

    def lasting(self, commands: Sequence[Command]) -> list[Any]:
        """As `calls`, of commands that may take long."""
        return self.calls(commands)

    def servers(self) -> Iterator[Self]:
        """Yield the one server that there is."""
        yield self

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._pool.close()

    def _opened(self) -> Connection:
        try:
            return self._connect()
        except (RedisError, OSError) as error:
            raise faults.unreachable(error) from None

    def _give(self, connection: Connection, *replies: Any) -> None:
        """Take a connection back, unless it leads to what is the master no more."""
        if any(map(faults.is_read_only, replies)):
            self._pool.discard(connection)
            self._pool.close()
        else:
            self._pool.put(connection)


def _reply(connection: Connection) -> Any:
    try:
        return connection.read_response(disable_decoding=True)
    except ResponseError as error:
        return error


def _is_stale(connection: Connection) -> bool:
    """Whether it is closed or has something to say: an idle one that speaks says goodbye."""
    try:
        return connection.can_read()
    except RedisError:
        return True
