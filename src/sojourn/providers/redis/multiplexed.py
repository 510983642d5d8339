"""The transport to one server for the tasks of an event loop.

If each task had its own connection, each command would need two iterations of the loop and four
system calls, which take more time than the server does.  Therefore all tasks of a loop share one
connection, a `Multiplexed`.  A command that is issued while nothing is under way is sent at once.
Commands that are issued before its reply has arrived form the next batch, which is sent as a
pipeline, and the replies arrive in the order of the commands.  So a single command does not wait,
and the more commands are issued at once, the less time each of them takes.

If a task is cancelled, its place in the order is kept and its reply is dropped, so no task can
receive the reply to another task's command.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Self

from hiredis import pack_command
from redis.exceptions import RedisError, ResponseError

from sojourn.errors import StoreUnavailable
from sojourn.providers.redis import faults
from sojourn.providers.redis.async_line import Answer, AsyncLine, Call
from sojourn.providers.redis.faults import Silent
from sojourn.providers.redis.replies import Command


class Multiplexed:
    """Sends commands to one server, over one connection, from one event loop."""

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
        self._queue: list[Call] = []
        self._opening: asyncio.Task[None] | None = None
        self._slow: Multiplexed | None = None

    async def call(self, command: Command) -> Any:
        """Return the interpreted reply to one command.

        Raises ResponseError if Redis answers with an error, StoreUnavailable if the server cannot
        be reached, and Lost if the connection breaks or the reply makes no sense.
        """
        answer = await self._asked(pack_command(command.words), (command,))
        if isinstance(answer, Exception):
            raise answer
        [reply] = answer
        if isinstance(reply, ResponseError):
            raise reply
        return reply

    async def calls(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies to commands that are sent together, with errors in their places."""
        packed = b"".join([pack_command(command.words) for command in commands])
        answer = await self._asked(packed, commands)
        if isinstance(answer, Exception):
            raise answer
        return answer

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
        while pending := self._pending():
            await asyncio.wait(pending)
        line, self._line = self._line, None
        if line is not None:
            await line.close()

    def _pending(self) -> list[asyncio.Future[Any]]:
        """Return what must end before the connection may be closed."""
        if self._opening is not None:
            return [self._opening]
        due = () if self._line is None else self._line.due
        # Calls may be queued behind others, each of which was cancelled.
        return [call.answer for call in (*due, *self._queue) if not call.answer.done()]

    def _asked(self, packed: bytes, commands: Sequence[Command]) -> asyncio.Future[Answer]:
        """Send commands, now or with the next batch; return the future of their replies."""
        answer: asyncio.Future[Answer] = self._loop.create_future()
        line = self._line
        self._queue.append(Call(packed, commands, answer))
        if self._opening is None and not (line is not None and line.due):
            self._go_on()
        return answer

    def _go_on(self) -> None:
        """Send the queued calls, over a new connection if there is none that can be used."""
        line = self._line
        if line is None or not line.is_usable(self._longest_idle):
            self._opening = self._loop.create_task(self._open())
            self._opening.add_done_callback(self._opened)
            return
        batch, self._queue = self._queue, []
        line.send(batch)

    def _ended(self, error: Exception | None) -> None:
        """Go on after an exchange, in which each call got its replies, or an error."""
        if isinstance(error, Silent):
            # The queued calls were not sent, but would probably wait for the timeout too.
            self._fail(StoreUnavailable("Redis does not answer in time"))
        if self._queue:
            self._go_on()

    def _fail(self, error: Exception) -> None:
        """Fail the queued calls."""
        waiting, self._queue = self._queue, []
        for call in waiting:
            call.fail(error)

    async def _open(self) -> None:
        """Open a connection in the place of the last one, and send the queued calls over it.

        Each of them receives its replies or an exception in every case, because nothing else would
        ever resolve its future, and its task would wait forever.
        """
        try:
            self._line = line = await self._connected()
        except Exception as error:  # noqa: BLE001 - nothing awaits this task: it would be lost
            self._fail(error)
        else:
            line.begin(self._timeout, self._ended)
            # Without another look whether it is usable: a server that closes each new connection
            # would otherwise never let the calls end.
            batch, self._queue = self._queue, []
            line.send(batch)

    def _opened(self, _: object) -> None:
        """Note the end of the task; start another if it was cancelled while calls are queued."""
        self._opening = None
        # Not for calls that were cancelled too, as all are when the loop is shut down.
        self._queue = [call for call in self._queue if not call.answer.done()]
        if self._queue and not (self._line is not None and self._line.due):
            self._go_on()

    async def _connected(self) -> AsyncLine:
        """Close the connection, if there is one, and open another; raise StoreUnavailable."""
        try:
            async with asyncio.timeout(self._timeout):
                if self._line is not None:
                    await self._line.close()
                return await self._connect()
        # A TimeoutError is an OSError.
        except (RedisError, OSError) as error:
            raise faults.unreachable(error) from None
