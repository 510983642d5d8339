"""A connection of asyncio, over which batches of commands are sent and their replies received.

redis-py opens the connection, and then this protocol takes over its transport: a stream between the
two would cost more than the server does.  One batch is under way at a time, and the end of each is
checked: a surplus reply would be taken for the reply to the next command, which may be for another
session.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import redis.asyncio
from redis.exceptions import InvalidResponse, ResponseError

from sojourn.errors import SessionError, StoreUnavailable
from sojourn.providers.redis import faults
from sojourn.providers.redis.faults import Lost
from sojourn.providers.redis.parsers import NOTHING, ReplyReader
from sojourn.providers.redis.readiness import unread_in
from sojourn.providers.redis.replies import Command, interpreted

Answer = list[Any] | Exception
"""The replies to the commands of one call, or the exception that the call shall raise.

The exception is a result of the future, so that asyncio does not log it as one that nobody fetched
if the task of the call has been cancelled in the meantime."""


class Call:
    """Commands that are sent together, and the future that receives their replies."""

    __slots__ = ("answer", "commands", "packed", "refusal", "replies")

    def __init__(
        self, packed: bytes, commands: Sequence[Command], answer: asyncio.Future[Answer]
    ) -> None:
        self.packed = packed
        self.commands = commands
        self.answer = answer
        self.replies: list[Any] = []
        self.refusal: StoreUnavailable | None = None

    def take(self, reply: Any) -> bool:
        """Take the next reply; return whether it was the last one.

        Raises Nonsense if it cannot be the reply to its command.
        """
        replies, commands = self.replies, self.commands
        try:
            replies.append(interpreted(commands[len(replies)], reply))
        except StoreUnavailable as refusal:
            self.refusal = refusal
            replies.append(None)
        return len(replies) == len(commands)

    def fail(self, error: Exception) -> None:
        """Hand over an error instead of replies."""
        # Each call gets an exception of its own, because raising one adds to its traceback.  Only
        # Sojourn's can be made again from their `args`; others are shared.
        ours = isinstance(error, SessionError)
        if not self.answer.done():
            self.answer.set_result(type(error)(*error.args) if ours else error)

    @property
    def expected(self) -> str:
        """The name of the command whose reply is due, or was the last one."""
        return self.commands[min(len(self.replies), len(self.commands) - 1)].name


class AsyncLine(asyncio.Protocol):
    """A connection to one server, with at most one batch of calls under way."""

    def __init__(
        self,
        connection: redis.asyncio.Connection,
        transport: asyncio.Transport,
        replies: ReplyReader,
    ) -> None:
        """Take over the transport of a connection.

        replies: the reader that has read the replies of the handshake.
        """
        self.connection = connection
        self.due: deque[Call] = deque()
        """The calls whose replies are due."""
        self._transport = transport
        self._replies = replies
        self._is_open = not transport.is_closing()
        self._is_master = True
        self._used = monotonic()
        self._timer: asyncio.TimerHandle | None = None
        # redis-py waits for this one to be told of the end of the connection.
        self._former = transport.get_protocol()
        socket = transport.get_extra_info("socket")
        self._unread = None if socket is None else unread_in(socket)
        transport.set_protocol(self)

    def begin(self, seconds: float, ended: Callable[[Exception | None], object]) -> None:
        """Set how long the exchange of a batch may take, and the function to call at its end.

        ended: is called when each call of a batch has its replies or an error; its argument is that
            error, or None.
        """
        self._seconds = seconds
        self._ended = ended

    def is_usable(self, longest_idle: float | None) -> bool:
        """Whether the connection, on which no reply is due, can be used for the next batch.

        It cannot if it is closed or has unread data, if it was not used for `longest_idle` seconds,
        or if its server has become a replica.
        """
        if not (self._is_open and self._is_master):
            return False
        if longest_idle is not None and monotonic() - self._used >= longest_idle:
            return False
        # The loop may not have told yet that the server has closed the connection.
        return self._unread is None or not self._unread(0)

    def send(self, batch: Sequence[Call]) -> None:
        """Send a batch, while none is under way; each of its calls gets its replies or an error."""
        self.due.extend(batch)
        self._used = monotonic()
        # A timer takes a fifth of the time of a command, so one serves for many exchanges.
        if self._timer is None:
            self._set_timer(self._seconds)
        packed = batch[0].packed if len(batch) == 1 else b"".join([call.packed for call in batch])
        self._transport.write(packed)

    def break_off(self, error: Exception) -> None:
        """Close the connection at once; the calls whose replies are due get an error."""
        self._is_open = False
        self._transport.abort()
        if self._timer is not None:
            self._timer.cancel()
        due, self.due = self.due, deque()
        lost = faults.lost(error)
        for call in due:
            call.fail(lost)
        if due:
            self._ended(lost)

    async def close(self) -> None:
        """Close the connection, and wait until it is closed."""
        self.break_off(ConnectionError())
        await self.connection.disconnect()

    # -- called by asyncio -------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Hand the replies in a piece of data to the calls that are under way."""
        replies, due = self._replies, self.due
        try:
            replies.feed(data)
            if not due and replies.has_more():
                self.break_off(ConnectionError())
            while due and (reply := replies.next()) is not NOTHING:
                if isinstance(reply, ResponseError) and faults.is_read_only(reply):
                    self._is_master = False
                if due[0].take(reply):
                    self._end_call()
        except InvalidResponse:
            self.break_off(self._nonsense())
        except Lost as lost:
            self.break_off(lost)

    def eof_received(self) -> None:
        """Note that the server has closed the connection; asyncio closes this end too."""
        self._is_open = False

    def connection_lost(self, error: Exception | None) -> None:
        """Fail the calls whose replies are due: the connection is closed."""
        self._former.connection_lost(error)
        self.break_off(ConnectionError())

    def _end_call(self) -> None:
        # Checked before the last call gets its replies, because they may be wrong as well.
        if len(self.due) == 1 and self._replies.has_more():
            raise self._nonsense()
        call = self.due.popleft()
        if not call.answer.done():  # it is done if its task was cancelled
            call.answer.set_result(call.refusal or call.replies)
        if not self.due:
            self._ended(None)

    def _nonsense(self) -> Exception:
        return faults.nonsense(self.due[0].expected) if self.due else ConnectionError()

    def _set_timer(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        """Break off the exchange under way if its time is over; else look again when it is."""
        self._timer = None
        if self.due:
            left = self._used + self._seconds - monotonic()
            if left > 0:
                self._set_timer(left)
            else:
                self.break_off(TimeoutError())
