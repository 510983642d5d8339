"""What a driver does for a provider: it connects, asks, and says what an error means."""

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
    """What a statement was answered with."""

    rows: list[Any]
    number: int
    """How many rows it found or changed."""


class Fault(Enum):
    """What an error means for whoever asked."""

    LOST = auto()
    """The connection broke: the statement was carried out or not."""
    SILENT = auto()
    """The same, since no answer came in time."""
    BUSY = auto()
    """Others were in the way, and nothing was done: it may be tried again."""
    TAKEN = auto()
    """Something stands where the row should go."""
    TOO_LARGE = auto()
    """The database takes nothing as large."""
    ABSENT = auto()
    """The table is not there."""
    OTHER_COLUMNS = auto()
    """The table has other columns than the statement names."""
    DENIED = auto()
    """The user lacks a right."""
    READ_ONLY = auto()
    """Nothing is written here: a new connection may lead to where it is."""
    REFUSED = auto()
    """It would not, whatever the reason: nothing was done."""


class Driver(Protocol):
    """One way to one database."""

    errors: tuple[type[Exception], ...]
    """What it raises for faults of the database."""
    timeout: float
    """Seconds that the database waits for the locks of others."""
    patience: float
    """Seconds that it waits for an answer, before the connection counts as broken."""

    def connect(self) -> Connection:
        """Return a new connection, every statement of which is a transaction of its own."""

    def execute(self, connection: Connection, statement: str, parameters: Parameters) -> Answer:
        """Send a statement and wait for the answer, for a bounded time."""

    def is_stale(self, connection: Connection) -> object:
        """Whether a connection died since it was last used, as far as can be seen from here."""

    def close(self, connection: Connection) -> None:
        """Close it, in whatever state it is; never raises."""

    def forget(self, connection: Connection) -> None:
        """Make sure that its end, in a child of `fork`, is none for the parent."""

    def fault(self, error: Exception) -> tuple[Fault, str]:
        """Say what an error of this driver means, and the reason in words without any data."""


class AsyncDriver(Protocol):
    """The same for asyncio."""

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
        """Close it at once, in whatever state it is; never raises."""

    async def close(self, connection: Connection) -> None:
        """Close one that is not in use; never raises."""

    def forget(self, connection: Connection) -> None:
        """As `Driver.forget`."""

    def fault(self, error: Exception) -> tuple[Fault, str]:
        """As `Driver.fault`."""


class Failed(Exception):
    """A statement failed in a way of which the provider makes something."""


class Lost(Failed):
    """The connection broke before the answer came."""


class Silent(Lost):
    """No answer came in time: to ask again would take as long again."""


class Taken(Failed):
    """Something stands where the row should go, and nothing was done."""


class Absent(StoreUnavailable):
    """The table is not there."""


class OtherColumns(StoreUnavailable):
    """The table has other columns than the statement names."""


class Denied(StoreUnavailable):
    """The user lacks a right."""


_FAILURES = {Fault.LOST: Lost, Fault.SILENT: Silent, Fault.TAKEN: Taken}
_REFUSALS = {Fault.ABSENT: Absent, Fault.DENIED: Denied, Fault.OTHER_COLUMNS: OtherColumns}


def fault_of(driver: Driver | AsyncDriver, error: Exception) -> tuple[Fault, str]:
    """Say what an error means, and the reason in words without any data.

    A driver that reads an answer of the wrong shape may raise anything, such as IndexError: the
    connection is of no use then, and nobody knows whether the statement was carried out.
    """
    if isinstance(error, driver.errors):
        return driver.fault(error)
    return Fault.LOST, f"an answer that cannot be read ({type(error).__name__})"


def raised(fault: Fault, reason: str) -> Exception:
    """Return what to raise for the fault of a statement that was sent."""
    if fault is Fault.BUSY:
        return StoreUnavailable(f"others were in the way in the database for too long: {reason}")
    if fault is Fault.TOO_LARGE:
        return SessionTooLarge(f"the session was not stored: {reason}")
    if fault in _FAILURES:
        return _FAILURES[fault](reason)
    refused = _REFUSALS.get(fault, StoreUnavailable)
    return refused(f"the database of the sessions refused: {reason}")


def unreachable(reason: str) -> StoreUnavailable:
    """The error for a database to which no connection could be made."""
    return StoreUnavailable(f"the database of the sessions cannot be reached: {reason}")


def cut_off(lost: Exception) -> StoreUnavailable:
    """The error for a question that never got an answer."""
    return StoreUnavailable(f"the database of the sessions does not answer: {lost}")


class Socket:
    """The socket of a connection, which the driver reads from and closes."""

    def __init__(self, fd: int, *, keeps_alive: bool = False) -> None:
        """Take its descriptor.  keeps_alive: the driver itself sees to that."""
        self._fd = fd
        if not keeps_alive:
            self._keep_alive()
        self._inode = os.fstat(fd).st_ino
        self.has_news = _listener(fd)
        """Tells whether something came in.  An idle connection hears only of its end."""

    def _keep_alive(self) -> None:
        """Have the system ask the other end whether it is there, if it is reached by TCP."""
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._fd)) as same:
            if same.family in (socket.AF_INET, socket.AF_INET6):
                same.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                for option, value in KEEPALIVE.items():
                    same.setsockopt(socket.IPPROTO_TCP, option, value)

    def lead_nowhere(self) -> None:
        """Have the descriptor lead nowhere, so that closing it says nothing to the server.

        A child of `fork` may have closed it already, as daemons do, and have opened something else.
        """
        with contextlib.suppress(OSError):
            if os.fstat(self._fd).st_ino == self._inode:
                nowhere = os.open(os.devnull, os.O_RDWR)
                os.dup2(nowhere, self._fd)
                os.close(nowhere)


def _listener(fd: int) -> Callable[[], object]:
    if not hasattr(select, "poll"):  # eventlet takes it away
        return lambda: select.select([fd], [], [], 0)[0]
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return functools.partial(poll.poll, 0)
