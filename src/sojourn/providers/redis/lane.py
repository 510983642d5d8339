"""One server, asked by the tasks of an event loop: the short way to it.

A connection of its own for each task costs more than the server: two turns of the loop and four
system calls for each command.  Here all tasks of a loop share one connection, a `Lane`.  What they
ask for in one turn is sent together, and the replies come back in the order of the commands; what
is asked for meanwhile makes the next batch.  So a lone command waits for nothing, and the more
come at once, the less each of them costs.

A task that is cancelled leaves its place in the order behind, so that no reply can reach another.
The connection is redis-py's, and so is everything that it takes to make one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Self

from hiredis import pack_command
from redis.asyncio import Connection
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    RedisError,
    ResponseError,
)

from sojourn.errors import SessionError, StoreUnavailable
from sojourn.providers.redis import faults
from sojourn.providers.redis.verbs import Command, Words


class _Asked(NamedTuple):
    packed: bytes
    replies: int
    answer: asyncio.Future[list[Any]]


class Lane:
    """Sends commands to one server, over one connection, from one event loop."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        *,
        timeout: float,
        longest_idle: float | None = None,
    ) -> None:
        self._connect = connect
        self._timeout = timeout
        self._longest_idle = longest_idle
        self._loop = asyncio.get_running_loop()
        self._connection: Connection | None = None
        self._used = self._loop.time()
        self._outdated = False
        self._closing: set[asyncio.Task[None]] = set()
        self._queue: list[_Asked] = []
        self._pump: asyncio.Task[None] | None = None
        self._limit = _Limit(timeout, self._give_up)
        self._slow: Lane | None = None

    async def call(self, words: Words, tag: str = "") -> Any:  # noqa: ARG002 - a cluster needs it
        """Return the reply to one command; raise ResponseError if it is an error."""
        [reply] = await self._ask(pack_command(words), 1)
        if isinstance(reply, ResponseError):
            raise reply
        return reply

    async def calls(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies to commands that are sent together; errors are among them."""
        return await self._ask(
            b"".join(pack_command(words) for words, _ in commands), len(commands)
        )

    async def lasting(self, commands: Sequence[Command]) -> list[Any]:
        """As `calls`, of commands that may take long: on a connection of their own."""
        if self._slow is None:
            self._slow = Lane(self._connect, timeout=self._timeout, longest_idle=self._longest_idle)
        return await self._slow.calls(commands)

    async def servers(self) -> AsyncIterator[Self]:
        """Yield the one server that there is."""
        yield self

    async def close(self) -> None:
        """Close the connection, once those that wait for a reply have it."""
        if self._slow is not None:
            await self._slow.close()
        while self._pump is not None:
            await asyncio.wait([self._pump])
        self._limit.stop()
        self._disconnect()
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _ask(self, packed: bytes, replies: int) -> list[Any]:
        answer: asyncio.Future[list[Any]] = self._loop.create_future()
        self._queue.append(_Asked(packed, replies, answer))
        if self._pump is None:
            self._start()
        return await answer

    def _start(self) -> None:
        self._pump = self._loop.create_task(self._run())
        self._pump.add_done_callback(self._stopped)

    def _stopped(self, _: object) -> None:
        """Start another pump for what came meanwhile, or what one left that was cancelled."""
        self._pump = None
        if self._queue and not self._loop.is_closed():
            self._start()

    async def _run(self) -> None:
        """Send what is asked for, batch by batch, until nothing is."""
        while self._queue:
            await self._exchange(self._waiting())

    async def _exchange(self, batch: list[_Asked]) -> None:
        """Send a batch and hand out the replies; whatever happens, each gets an answer."""
        try:
            connection = await self._connected()
            self._limit.begin()
            await self._converse(connection, batch)
        except StoreUnavailable as error:
            _fail([*batch, *self._waiting()], error)
        except (RedisError, OSError) as error:
            self._disconnect()
            _fail(batch, faults.lost(error))
        except Exception as error:  # noqa: BLE001 - nobody else would hear of it
            self._disconnect()
            _fail([*batch, *self._waiting()], error)
        except asyncio.CancelledError:
            self._disconnect()
            if not self._limit.exceeded:  # the loop ends
                _fail([*batch, *self._waiting()], faults.lost(ConnectionError()))
                raise
            _fail(batch, faults.lost(TimeoutError()))
            _fail(self._waiting(), StoreUnavailable("Redis does not answer in time"))
        finally:
            self._limit.end()
        self._used = self._loop.time()

    async def _converse(self, connection: Connection, batch: list[_Asked]) -> None:
        await connection.send_packed_command([asked.packed for asked in batch], check_health=False)
        for asked in batch:
            try:
                replies = [await _reply(connection) for _ in range(asked.replies)]
            except (BusyLoadingError, AuthenticationError) as error:
                _fail([asked], faults.refused(error))  # and the answers to the others are lost
                raise RedisError from None
            if not asked.answer.done():  # its task may have been cancelled
                asked.answer.set_result(replies)
            if any(map(faults.is_read_only, replies)):
                self._outdated = True  # it leads to what is the master no more

    def _give_up(self) -> None:
        if self._pump is not None:
            self._pump.cancel()

    def _waiting(self) -> list[_Asked]:
        waiting, self._queue = self._queue, []
        return waiting

    async def _connected(self) -> Connection:
        """Return the connection, or a new one if the server has closed it meanwhile."""
        if self._connection is not None and await self._is_usable(self._connection):
            return self._connection
        self._disconnect()
        try:
            async with asyncio.timeout(self._timeout):
                self._connection = await self._connect()
        except (RedisError, OSError) as error:
            raise faults.unreachable(error) from None
        return self._connection

    async def _is_usable(self, connection: Connection) -> bool:
        idle = self._loop.time() - self._used
        if self._outdated or (self._longest_idle is not None and idle >= self._longest_idle):
            return False
        try:
            return not await connection.can_read()
        except (RedisError, OSError):
            return False

    def _disconnect(self) -> None:
        """Have the connection closed by a task of its own: a silent server may take its time."""
        connection, self._connection, self._outdated = self._connection, None, False
        if connection is not None:
            closing = self._loop.create_task(connection.disconnect())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


class _Limit:
    """The seconds that an exchange may take, kept by one timer for all of them.

    To set a timer costs a fifth of what a command costs, so it is not set for each: when it goes
    off, it looks how long the exchange of that moment has gone on.
    """

    def __init__(self, seconds: float, give_up: Callable[[], None]) -> None:
        self._seconds = seconds
        self._give_up = give_up
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._began: float | None = None
        self.exceeded = False

    def begin(self) -> None:
        """An exchange begins."""
        self._began = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_at(self._began + self._seconds, self._look)

    def end(self) -> None:
        """It has ended."""
        self._began = None
        self.exceeded = False

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._began is None:
            return
        until = self._began + self._seconds
        if self._loop.time() < until:
            self._timer = self._loop.call_at(until, self._look)
        else:
            self.exceeded = True
            self._give_up()


async def _reply(connection: Connection) -> Any:
    try:  # the lane sees to a broken connection itself, and waits until it is closed
        return await connection.read_response(disable_decoding=True, disconnect_on_error=False)
    except ResponseError as error:
        return error


def _fail(batch: Sequence[_Asked], error: Exception) -> None:
    ours = isinstance(error, SessionError)
    for asked in batch:
        if not asked.answer.done():  # each raises one of its own
            asked.answer.set_exception(type(error)(*error.args) if ours else error)
