"""The transport to one server for the tasks of an event loop.

If each task had its own connection, each command would need two iterations of the loop and four
system calls, which take more time than the server does.  Therefore all tasks of a loop share one
connection, a `Multiplexed`.  The commands of one iteration of the loop are sent as a pipeline,
and the replies arrive in the order of the commands.  Commands that are issued during the exchange
form the next batch.  So a single command does not wait, and the more commands are issued at once,
the less time each of them takes.

If a task is cancelled, its place in the order is kept and its reply is dropped, so no task can
receive the reply to another task's command.  redis-py opens the connection and parses the replies.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Self

from hiredis import pack_command
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    InvalidResponse,
    RedisError,
    ResponseError,
)

from sojourn.errors import SessionError, StoreUnavailable
from sojourn.providers.redis import faults
from sojourn.providers.redis.connections import AsyncLine
from sojourn.providers.redis.faults import Lost
from sojourn.providers.redis.parsers import AsyncParser
from sojourn.providers.redis.replies import Command, refusal


class _Asked(NamedTuple):
    """The packed commands of one call, and the future that receives their replies."""

    packed: bytes
    commands: Sequence[Command]
    answer: asyncio.Future[list[Any]]


class Multiplexed:
    """Sends commands to one server, over one connection, from one event loop.

    A separate task, the pump, sends the batches as long as calls are queued.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[AsyncLine]],
        *,
        timeout: float,
        longest_idle: float | None = None,
    ) -> None:
        self._connect = connect
        self._timeout = timeout
        self._longest_idle = longest_idle
        self._loop = asyncio.get_running_loop()
        self._line: AsyncLine | None = None
        self._used = self._loop.time()
        self._outdated = False
        self._closing: set[asyncio.Task[None]] = set()
        self._queue: list[_Asked] = []
        self._pump: asyncio.Task[None] | None = None
        self._limit = _Limit(timeout, self._give_up)
        self._slow: Multiplexed | None = None

    async def call(self, command: Command) -> Any:
        """Return the interpreted reply to one command.

        Raises ResponseError if Redis answers with an error, StoreUnavailable if the server cannot
        be reached, and Lost if the connection breaks or the reply makes no sense.
        """
        [reply] = await self._ask(pack_command(command.words), (command,))
        if isinstance(reply, ResponseError):
            raise reply
        return reply

    async def calls(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies to commands that are sent together, with errors in their places."""
        packed = b"".join([pack_command(command.words) for command in commands])
        return await self._ask(packed, commands)

    async def lasting(self, commands: Sequence[Command]) -> list[Any]:
        """Do the same as `calls`, for commands that may take long, over a second connection.

        On the first one they would delay the commands of all other tasks.
        """
        if self._slow is None:
            self._slow = Multiplexed(
                self._connect, timeout=self._timeout, longest_idle=self._longest_idle
            )
        return await self._slow.calls(commands)

    async def servers(self) -> AsyncIterator[Self]:
        """Yield this server, the only one."""
        yield self

    async def close(self) -> None:
        """Close the connections, after all pending calls have received their replies."""
        if self._slow is not None:
            await self._slow.close()
        # `_stopped` sets the pump to None, or starts another one for calls that were queued.
        while self._pump is not None:
            await asyncio.wait([self._pump])
        self._limit.stop()
        self._disconnect()
        # `_disconnect` starts a task, which must end before the loop may be closed.
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _ask(self, packed: bytes, commands: Sequence[Command]) -> list[Any]:
        # The pump starts in the next iteration of the loop, so calls of other tasks that are ready
        # now join the same batch.
        answer: asyncio.Future[list[Any]] = self._loop.create_future()
        self._queue.append(_Asked(packed, commands, answer))
        if self._pump is None:
            self._start()
        return await answer

    def _start(self) -> None:
        self._pump = self._loop.create_task(self._run())
        self._pump.add_done_callback(self._stopped)

    def _stopped(self, _: object) -> None:
        """Start another pump if calls are queued.

        They were queued while this pump ended, or it was cancelled before it sent them.
        """
        self._pump = None
        if self._queue and not self._loop.is_closed():
            self._start()

    async def _run(self) -> None:
        """Send the queued calls, batch by batch, until the queue is empty."""
        while self._queue:
            await self._exchange(self._waiting())

    async def _exchange(self, batch: list[_Asked]) -> None:
        """Send a batch and distribute the replies.

        Each call receives its replies or an exception in every case, because nothing else would
        ever resolve its future, and its task would wait forever.
        """
        try:
            line = await self._connected()
            self._limit.begin()
            await self._converse(line, batch)
        except StoreUnavailable as error:
            # No connection could be opened.  The queued calls fail as well, instead of each batch
            # waiting for the timeout in turn.
            _fail([*batch, *self._waiting()], error)
        except (RedisError, OSError, Lost) as error:
            # The connection broke.  Calls of the batch that have their replies keep them; the
            # queued calls were not sent, and get a new connection.
            self._disconnect()
            _fail(batch, faults.lost(error))
        except Exception as error:  # noqa: BLE001 - nothing awaits the pump: it would be lost
            self._disconnect()
            _fail([*batch, *self._waiting()], error)
        except asyncio.CancelledError:
            # Replies are still to come on this connection, so it cannot be used again.
            self._disconnect()
            if not self._limit.exceeded:  # not by `_give_up`: the loop is shutting down
                _fail([*batch, *self._waiting()], faults.lost(ConnectionError()))
                raise
            # Cancelled by `_give_up`: the cancellation ends here, and the pump continues.  The
            # queued calls were not sent, but would probably wait for the timeout too.
            _fail(batch, faults.lost(TimeoutError()))
            _fail(self._waiting(), StoreUnavailable("Redis does not answer in time"))
        finally:
            self._limit.end()
        self._used = self._loop.time()

    async def _converse(self, line: AsyncLine, batch: list[_Asked]) -> None:
        """Send the commands of a batch, read the replies in order, and resolve the futures."""
        packed = [asked.packed for asked in batch]
        await line.connection.send_packed_command(packed, check_health=False)
        for asked in batch:
            try:
                replies = [await _reply(line.parser, command) for command in asked.commands]
            except (BusyLoadingError, AuthenticationError) as error:
                # These two are replies to one command, but in redis-py they are ConnectionErrors,
                # which its parser raises.  This call gets its own error here.  Other replies to it
                # may be unread, so the connection cannot be used again: the RedisError makes
                # `_exchange` close it and fail the rest of the batch with Lost.  (That does not
                # affect this call, since `_fail` skips a future that has its result.)
                _fail([asked], faults.refused(error))
                raise RedisError from None
            # A surplus reply would be taken for the reply to the next command.  This is checked
            # before the last call is resolved, because its replies may be wrong as well.
            if asked is batch[-1] and line.parser.end():
                raise faults.nonsense(asked.commands[-1].name)
            if not asked.answer.done():  # it is done if its task was cancelled
                asked.answer.set_result(replies)
            # After a failover this server is a replica: the next batch opens a new connection.
            if any(map(faults.is_read_only, replies)):
                self._outdated = True

    def _give_up(self) -> None:
        # Cancelling is the only way to interrupt a task that waits for data.
        if self._pump is not None:
            self._pump.cancel()

    def _waiting(self) -> list[_Asked]:
        waiting, self._queue = self._queue, []
        return waiting

    async def _connected(self) -> AsyncLine:
        """Return the connection; open a new one if it is closed, outdated or was idle too long."""
        if self._line is not None and await self._is_usable(self._line):
            return self._line
        self._disconnect()
        try:
            async with asyncio.timeout(self._timeout):
                self._line = await self._connect()
        # A TimeoutError is an OSError.
        except (RedisError, OSError) as error:
            raise faults.unreachable(error) from None
        return self._line

    async def _is_usable(self, line: AsyncLine) -> bool:
        idle = self._loop.time() - self._used
        if self._outdated or (self._longest_idle is not None and idle >= self._longest_idle):
            return False
        try:
            # No reply is due, so readable data means that the server has closed the connection.
            return not await line.connection.can_read()
        except (RedisError, OSError):
            return False

    def _disconnect(self) -> None:
        """Close the connection in a separate task, since a server that hangs may delay that."""
        line, self._line, self._outdated = self._line, None, False
        if line is not None:
            closing = self._loop.create_task(line.connection.disconnect())
            # The set keeps a reference to the task, of which the loop has only a weak one.
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


class _Limit:
    """The time limit of an exchange, with one timer for all exchanges.

    Setting a timer takes a fifth of the time of a command, so it is not set for each exchange.
    When the timer fires, it checks how long the current exchange has lasted, and if its time is not
    over, the timer is set again for the rest.
    """

    def __init__(self, seconds: float, give_up: Callable[[], None]) -> None:
        self._seconds = seconds
        self._give_up = give_up
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._began: float | None = None
        self.exceeded = False

    def begin(self) -> None:
        """Start the time of an exchange."""
        self._began = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_at(self._began + self._seconds, self._look)

    def end(self) -> None:
        """End the time of the exchange; the timer may still run, and then has no effect."""
        self._began = None
        self.exceeded = False

    def stop(self) -> None:
        """Cancel the timer."""
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


async def _reply(parser: AsyncParser, command: Command) -> Any:
    # The parser is called directly, because the method of the connection would also close it after
    # an error, which the multiplexed connection does itself in `_disconnect`.
    try:
        reply = await parser.read_response(disable_decoding=True)
        return refusal(command, reply) if isinstance(reply, ResponseError) else command.read(reply)
    except InvalidResponse:
        pass
    except (RedisError, OSError):
        raise
    except Exception:  # noqa: BLE001, S110 - a strange reply makes parsers raise anything
        pass
    raise faults.nonsense(command.name)


def _fail(batch: Sequence[_Asked], error: Exception) -> None:
    # Only Sojourn's errors can be made again from their `args`; others are shared.
    ours = isinstance(error, SessionError)
    for asked in batch:
        # Each call gets a separate exception, because raising one adds to its traceback.
        if not asked.answer.done():
            asked.answer.set_exception(type(error)(*error.args) if ours else error)
