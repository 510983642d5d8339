"""The interface of a database driver: it connects, executes statements, and classifies errors.

A driver here wraps a package such as psycopg.  All errors of the package become a `Fault`, which
states the one thing that a provider has to know: whether the statement was certainly not executed,
and if so, why.
"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import socket
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, NamedTuple, Protocol

from sojourn.errors import SessionTooLarge, StoreUnavailable
from sojourn.providers.pool import KEEPALIVE

Connection = Any
Parameters = tuple[object, ...]


class Answer(NamedTuple):
    """The answer to a statement."""

    rows: list[Any]
    """The rows that it returned; empty if it returns none."""
    number: int
    """The number of rows that it found or changed.  An UPDATE counts the rows that its WHERE clause
    matches, even if the new values are the same as the old ones."""


class Fault(Enum):
    """The meaning of an error for the caller.

    Only after LOST and SILENT may the statement have been executed; after all others nothing was
    done.
    """

    LOST = auto()
    """The connection broke before the answer arrived: the statement may have been executed."""
    SILENT = auto()
    """No answer arrived in time: the statement may have been executed, or may be later."""
    BUSY = auto()
    """Other transactions interfered, by a lock or a deadlock: the statement may be sent again."""
    TAKEN = auto()
    """The row, or the table to create, exists already."""
    TOO_LARGE = auto()
    """The statement or a value in it is larger than the database accepts."""
    ABSENT = auto()
    """The table does not exist."""
    OTHER_COLUMNS = auto()
    """The table has other columns than the statement names."""
    DENIED = auto()
    """The database user lacks a right."""
    READ_ONLY = auto()
    """This server takes no writes.  After a failover, a new connection may reach one that does."""
    REFUSED = auto()
    """The database refused the statement for any other reason."""


class Driver(Protocol):
    """A driver for threads.  Each connection is used by one thread at a time."""

    errors: tuple[type[Exception], ...]
    """The exceptions that it raises for faults of the database and of the connection."""
    timeout: float
    """Seconds that the database waits for locks held by others."""
    patience: float
    """Seconds that the driver waits for an answer before the connection counts as broken.  For a
    server more than `timeout`, so that the server itself reports a lock that it could not get."""

    def connect(self) -> Connection:
        """Return a new connection in autocommit mode: each statement is a separate transaction."""

    def execute(self, connection: Connection, statement: str, parameters: Parameters) -> Answer:
        """Send a statement and return its answer, within a bounded time.

        Raises one of `errors`, or SessionTooLarge before anything is sent.  If the answer cannot be
        parsed, the package may raise any other exception.
        """

    def is_stale(self, connection: Connection) -> object:
        """Whether an idle connection is dead, as far as this end can see without sending."""

    def close(self, connection: Connection) -> None:
        """Close a connection in any state; never raises."""

    def forget(self, connection: Connection) -> None:
        """Ensure that the parent's connection survives when a child of `fork` drops its copy."""

    def fault(self, error: Exception) -> tuple[Fault, str]:
        """Return the meaning of one of `errors`, and its reason as text without session data."""


class AsyncDriver(Protocol):
    """The same for asyncio; attributes as in `Driver`."""

    errors: tuple[type[Exception], ...]
    timeout: float
    patience: float

    async def connect(self) -> Connection:
        """As `Driver.connect`."""

    async def execute(
        self, connection: Connection, statement: str, parameters: Parameters
    ) -> Answer:
        """As `Driver.execute`."""

    def is_stale(self, connection: Connection) -> object:
        """As `Driver.is_stale`."""

    def abort(self, connection: Connection) -> None:
        """Close a connection in any state, at once and without awaiting; never raises.

        The server is told, but not waited for: a request may have to close connections to a server
        that does not answer.
        """

    def forget(self, connection: Connection) -> None:
        """As `Driver.forget`."""

    def fault(self, error: Exception) -> tuple[Fault, str]:
        """As `Driver.fault`."""


class Failed(Exception):
    """A failure that the provider handles: it does not reach the application."""


class Lost(Failed):
    """The connection broke before the answer arrived: the statement may have been executed."""


class Silent(Lost):
    """No answer arrived in time.  The statement is not repeated, which would take as long again."""


class Taken(Failed):
    """The row or table exists already, and nothing was done."""


class Absent(StoreUnavailable):
    """The table does not exist."""


class OtherColumns(StoreUnavailable):
    """The table has other columns than the statement names."""


class Denied(StoreUnavailable):
    """The database user lacks a right."""


_FAILURES = {Fault.LOST: Lost, Fault.SILENT: Silent, Fault.TAKEN: Taken}
_REFUSALS = {Fault.ABSENT: Absent, Fault.DENIED: Denied, Fault.OTHER_COLUMNS: OtherColumns}


def fault_of(driver: Driver | AsyncDriver, error: Exception) -> tuple[Fault, str]:
    """Return the meaning of an error that a driver raised, and its reason without session data."""
    # A driver that parses a malformed answer may raise anything, such as IndexError.  The rest of
    # the stream is then useless, and the statement may or may not have been executed.  Only the
    # name of the exception is shown, since its text could quote data.
    if isinstance(error, driver.errors):
        return driver.fault(error)
    return Fault.LOST, f"an answer that cannot be read ({type(error).__name__})"


def raised(fault: Fault, reason: str) -> Exception:
    """Return the exception for the fault of a statement that was sent."""
    if fault is Fault.BUSY:
        return StoreUnavailable(f"others were in the way in the database for too long: {reason}")
    if fault is Fault.TOO_LARGE:
        return SessionTooLarge(f"the session was not stored: {reason}")
    if fault in _FAILURES:
        return _FAILURES[fault](reason)
    refused = _REFUSALS.get(fault, StoreUnavailable)
    return refused(f"the database of the sessions refused: {reason}")


def unreachable(reason: str) -> StoreUnavailable:
    """Return the error for a database that could not be reached: nothing was sent."""
    return StoreUnavailable(f"the database of the sessions cannot be reached: {reason}")


def cut_off(lost: Exception) -> StoreUnavailable:
    """Return the error for a statement that got no answer and has no effect on sessions."""
    return StoreUnavailable(f"the database of the sessions does not answer: {lost}")


class Socket:
    """The socket of a connection; it belongs to the driver, and is only observed here."""

    def __init__(self, fd: int, *, keeps_alive: bool = False) -> None:
        """Observe the socket with this descriptor.

        keeps_alive: whether the driver has enabled TCP keepalive itself.
        """
        self._fd = fd
        if not keeps_alive:
            self._keep_alive()
        self._inode = os.fstat(fd).st_ino
        self._poll = _poller(fd)
        # The server sends nothing on an idle connection except its end, so an idle connection with
        # input is dead.  The test costs one system call and no round trip.
        self.has_news = functools.partial(self._poll, 0)
        """Return a true value if there is input to read."""

    def wait_for_news(self, seconds: float) -> object:
        """Wait for input, or the end of the connection; return a false value if none came."""
        return self._poll(seconds * 1000)

    def wait_for_news_or_room(self, seconds: float) -> object:
        """The same, or until more can be sent."""
        return _poller(self._fd, sends=True)(seconds * 1000)

    def _keep_alive(self) -> None:
        """Have the system probe the other end while the connection is idle, if it uses TCP."""
        # The options belong to the socket, not to the descriptor, so they are set through a copy of
        # it: closing the copy leaves the driver's own descriptor open.
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._fd)) as same:
            if same.family in (socket.AF_INET, socket.AF_INET6):
                same.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                for option, value in KEEPALIVE.items():
                    same.setsockopt(socket.IPPROTO_TCP, option, value)

    def lead_nowhere(self) -> None:
        """Make the descriptor lead to /dev/null, so that closing it sends nothing to the server.

        For a child of `fork`: its driver may send a goodbye when the connection is dropped, and
        that would end the session that the parent still uses.
        """
        with contextlib.suppress(OSError):
            # A daemon closes all descriptors after the fork, and may have opened a file under the
            # same number since.  The inode tells whether it is still this socket.
            if os.fstat(self._fd).st_ino == self._inode:
                nowhere = os.open(os.devnull, os.O_RDWR)
                os.dup2(nowhere, self._fd)
                os.close(nowhere)


def _poller(fd: int, *, sends: bool = False) -> Callable[[float], object]:
    """Return a function that waits at most so many milliseconds, and returns whether it was less.

    It waits until there is input; if `sends`, also until there is room for output.
    """
    # `poll` is preferred, since `select` fails for descriptors above 1,023.  eventlet's patching
    # removes it, and Windows has none.
    if not hasattr(select, "poll"):
        read, write = [fd], [fd] if sends else []
        return lambda milliseconds: any(select.select(read, write, [], milliseconds / 1000))
    poll = select.poll()
    poll.register(fd, select.POLLIN | (select.POLLOUT if sends else 0))
    return poll.poll
