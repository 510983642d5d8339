"""The transport to one server for threads.

The client of redis-py wraps each command in options, retries, callbacks and measurements, which
take more time than the server itself.  So redis-py only connects, in every way that it supports
(TLS, unix sockets, ACLs, sentinels), and a `Line` sends the commands and receives the replies.  For
the same reason Sojourn has its own pool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import Any, Self

from redis.exceptions import RedisError, ResponseError

from sojourn.providers.pool import Pool
from sojourn.providers.redis import faults
from sojourn.providers.redis.faults import Lost, Silent
from sojourn.providers.redis.line import Line
from sojourn.providers.redis.replies import Command


class Server:
    """Sends commands to one server; each call takes a connection from a pool."""

    def __init__(
        self,
        connect: Callable[[], Line],
        *,
        size: int,
        timeout: float,
        longest_idle: float | None = None,
    ) -> None:
        self._connect = connect
        self._timeout = timeout
        self._pool = Pool(
            connect=self._opened,
            close=Line.close,
            is_stale=Line.is_stale,
            size=size,
            timeout=timeout,
            longest_idle=longest_idle,
        )

    def call(self, command: Command) -> Any:
        """Return the interpreted reply to one command.

        Raises ResponseError if Redis answers with an error, StoreUnavailable if the server cannot
        be reached, and Lost if the connection breaks or the reply makes no sense.
        """
        line = self._pool.take()
        try:
            reply = line.ask(command)
        except (RedisError, OSError, Lost) as error:
            raise self._lost(line, error) from None
        except BaseException:
            # For example KeyboardInterrupt: the reply is still to come, and the next thread that
            # used the connection would take it for the reply to another command.
            self._pool.discard(line)
            raise
        if isinstance(reply, ResponseError):
            self._give(line, [reply])
            raise reply
        self._pool.put(line)
        return reply

    def calls(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies to commands that are sent in one round trip.

        An error that Redis sends in reply to one of them is returned in its place, not raised.
        Otherwise the same errors are raised as by `call`.
        """
        line = self._pool.take()
        try:
            replies = line.ask_all(commands)
        except (RedisError, OSError, Lost) as error:
            raise self._lost(line, error) from None
        except BaseException:
            self._pool.discard(line)
            raise
        self._give(line, replies)
        return replies

    def lasting(self, commands: Sequence[Command]) -> list[Any]:
        """Do the same as `calls`, for commands that may take long."""
        # They delay no other thread, since here each call has its own connection.
        return self.calls(commands)

    def servers(self) -> Iterator[Self]:
        """Yield this server, the only one."""
        yield self

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._pool.close()

    def _give(self, line: Line, replies: Sequence[Any]) -> None:
        """Put a connection back into the pool, or close it if its server has become a replica."""
        # The idle connections lead to the same server, so they are closed as well.
        if any(map(faults.is_read_only, replies)):
            self._pool.discard(line)
            self._pool.close()
        else:
            self._pool.put(line)

    def _lost(self, line: Line, error: Exception) -> Exception:
        """Close a broken connection and the idle ones that may be broken too; return the error."""
        self._pool.discard(line)
        lost = faults.lost(error)
        # The failure began when the command was sent: now, or a timeout ago.  A connection that was
        # used after that is known to work, and is kept.
        waited = self._timeout if isinstance(lost, Silent) else 0.0
        self._pool.drop_idle(monotonic() - waited)
        return lost

    def _opened(self) -> Line:
        try:
            return self._connect()
        except (RedisError, OSError) as error:
            raise faults.unreachable(error) from None
