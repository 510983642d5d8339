"""The exchange of a statement and its answer by the functions of libpq, sync and for asyncio.

psycopg opens each connection.  Statements do not go through its cursors, whose work takes longer
than the round trip itself: the functions of libpq, which `psycopg.pq` offers, send them and return
the results.  None of these functions waits for the server.  The waiting is done here, on the socket
and with a time limit, since a server or a network that hangs keeps no limit of its own.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

import psycopg
from psycopg.adapt import Transformer
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from sojourn.providers.sql.driver import Answer, Socket
from sojourn.providers.sql.postgres_faults import ServerError

# As plain numbers: to compare with a member of an enumeration takes four times as long.
_DONE, _ROWS = int(ExecStatus.COMMAND_OK), int(ExecStatus.TUPLES_OK)
_FAILED, _BROKEN = int(ExecStatus.FATAL_ERROR), int(ConnStatus.BAD)


class _Results:
    """The parts that the sync and the async form share: they take the results as they arrive."""

    def __init__(self, connection: Any, patience: float) -> None:
        """Take over a connection that psycopg has opened.

        patience: seconds to wait for an answer.
        """
        self.to: PGconn = connection.pgconn
        """The connection of libpq, through which the caller sends a statement."""
        self.to.nonblocking = 1
        self.socket = Socket(connection.fileno(), keeps_alive=True)
        self._connection = connection
        self._patience = patience
        self._until = 0.0
        self._last: PGresult | None = None
        self._decoder = Transformer(connection)

    def _is_complete(self) -> bool:
        """Take the results that have been read; return whether the answer has ended."""
        while not self.to.is_busy():
            result = self.to.get_result()
            if result is None:
                return True
            # The last one counts: an error at the commit comes after the statement's own result.
            self._last = result
            # A damaged answer may look like the beginning of a COPY, whose results never end.
            if result.status not in (_DONE, _ROWS, _FAILED):
                return True
        return False

    def _receive(self) -> bool:
        """Read the input that has arrived; return whether the answer has ended."""
        try:
            self.to.consume_input()
        except psycopg.OperationalError:
            # A server that closes the connection may have sent the reason before that.
            if self._last is None or self._last.status != _FAILED:
                raise
            return True
        return self._is_complete()

    def _answer(self) -> Answer:
        """Return the last result; raise ServerError if it is an error."""
        last, self._last = self._last, None
        if last is None or last.status not in (_DONE, _ROWS):
            raise _error(last)
        if last.status == _DONE:
            return Answer([], last.command_tuples or 0)
        self._decoder.set_pgresult(last)
        rows = self._decoder.load_rows(0, last.ntuples, tuple)
        self._decoder.set_pgresult(None)  # otherwise it would be kept until the next answer
        return Answer(rows, len(rows))

    def _late(self) -> TimeoutError:
        return TimeoutError(f"no answer within {self._patience:g} seconds")


def _error(result: PGresult | None) -> ServerError:
    """Return the error in a result, as far as it can be read."""
    if result is None or result.status != _FAILED:
        return ServerError(None, "an answer that cannot be read")
    code = result.error_field(DiagnosticField.SQLSTATE)
    primary = result.error_field(DiagnosticField.MESSAGE_PRIMARY)
    text = primary or result.error_message
    return ServerError(code.decode() if code else None, text.decode("utf-8", "replace"))


class Libpq(_Results):
    """A connection for threads; one thread uses it at a time."""

    def begin(self) -> None:
        """Start the time limit, for one or more answers together."""
        self._until = monotonic() + self._patience

    def answer(self) -> Answer:
        """Send the rest of the statement, wait for the answer and return it.

        Raises ServerError, psycopg's OperationalError if the connection breaks, and TimeoutError.
        """
        self._last = None
        while self.to.flush():
            # A server that waits for this end to read does not read on itself.
            self._wait(self.socket.wait_for_news_or_room)
            self.to.consume_input()
        is_complete = self._is_complete()
        while not is_complete:
            self._wait(self.socket.wait_for_news)
            is_complete = self._receive()
        return self._answer()

    def close(self) -> None:
        """Close the connection, in any state."""
        self._connection.close()

    def _wait(self, wait: Callable[[float], object]) -> None:
        if not wait(max(0.0, self._until - monotonic())):
            raise self._late()


class AsyncLibpq(_Results):
    """A connection for asyncio; one task of one event loop uses it at a time."""

    def __init__(self, connection: Any, patience: float) -> None:
        """As `Libpq`."""
        self.has_ended = True  # until the socket is watched: see `__del__`
        super().__init__(connection, patience)
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Future[None] | None = None
        self._failure: Exception | None = None
        self._timer: asyncio.TimerHandle | None = None
        # Watched as long as the connection is open: to begin and to end that with each statement
        # would take half as long as the statement.
        self._descriptor = connection.fileno()
        # By a weak reference: the loop must not keep the connections of a provider that is dropped
        # without being closed.
        self._loop.add_reader(self._descriptor, _tell, weakref.ref(self))
        self.has_ended = False
        """Whether the server closed the connection, or sent something unasked."""

    def begin(self) -> None:
        """Start the time limit, for one or more answers together."""
        # One timer serves many statements, since a timer for each would cost a tenth of a
        # statement.  It may be due earlier than `_until`; `_look` then sets a new one.
        self._until = self._loop.time() + self._patience
        if self._timer is None:
            self._timer = self._loop.call_at(self._until, self._look)

    async def answer(self) -> Answer:
        """Send the rest of the statement, wait for the answer and return it.

        Raises ServerError, psycopg's OperationalError if the connection breaks, and TimeoutError.
        """
        self._last = self._failure = None
        if self.to.flush():
            self._loop.add_writer(self._descriptor, self._on_room)
        # Complete already: libpq itself reads what has arrived if it cannot send.
        if not self._is_complete():
            self._waiting = self._loop.create_future()
            await self._waiting
        if self._failure is not None:
            raise self._failure
        return self._answer()

    def close(self) -> None:
        """Close the connection, in any state, without waiting for the server."""
        if self._timer is not None:
            self._timer.cancel()
        self._stop_watching()
        self.to.finish()

    def __del__(self) -> None:
        if not self.has_ended:
            # In the thread of the loop, and before the number of the descriptor becomes free.
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(_drop, self._loop, self._descriptor, self.to)

    def on_news(self) -> None:
        """Read the input that has arrived; called by the loop."""
        self._go_on(self._receive)

    def _on_room(self) -> None:
        self._go_on(self._send)

    def _send(self) -> bool:
        """Send more of the statement; return whether its answer has ended."""
        if not self.to.flush():
            self._loop.remove_writer(self._descriptor)
        return self._is_complete()

    def _go_on(self, step: Callable[[], bool]) -> None:
        """Take a step, and wake the task if it was the last one."""
        if self._waiting is None or self._waiting.done():
            self._stop_watching()
            return
        try:
            if not step():
                return
        except Exception as error:  # noqa: BLE001 - it is raised in the task that waits
            self._failure = error
        # libpq closes the socket of a connection that broke.  Nothing may be watched under its
        # number any more when this returns, since another connection may get the same number.
        if self._failure is not None or self.to.status == _BROKEN:
            self._stop_watching()
        self._waiting.set_result(None)

    def _stop_watching(self) -> None:
        if not self.has_ended:
            self.has_ended = True
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)

    def _look(self) -> None:
        self._timer = None
        if self._waiting is None or self._waiting.done():
            return  # without a statement no timer is needed, until the next `begin`
        if self._until > self._loop.time():
            self._timer = self._loop.call_at(self._until, self._look)
            return
        self._failure = self._late()
        self._waiting.set_result(None)


def _tell(reference: weakref.ref[AsyncLibpq]) -> None:
    libpq = reference()
    if libpq is not None:
        libpq.on_news()


def _drop(loop: asyncio.AbstractEventLoop, descriptor: int, to: PGconn) -> None:
    """Close a connection that nothing refers to any more."""
    loop.remove_reader(descriptor)
    loop.remove_writer(descriptor)
    to.finish()
