"""What a driver does for a provider: it connects, asks, and says what an error means."""

from __future__ import annotations

import contextlib
import functools
import os
import select
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, NamedTuple, Protocol

from sojourn.errors import SessionTooLarge, StoreUnavailable

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


class Denied(StoreUnavailable):
    """The user lacks a right."""


_FAILURES = {Fault.LOST: Lost, Fault.SILENT: Silent, Fault.TAKEN: Taken}
_REFUSALS = {Fault.ABSENT: Absent, Fault.DENIED: Denied}


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


def cut_off(lost: Lost) -> StoreUnavailable:
    """The error for a question that never got an answer."""
    return StoreUnavailable(f"the database of the sessions does not answer: {lost}")


def listener(fd: int) -> Callable[[], object]:
    """Return what tells whether something came in: an idle connection hears only of its end."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return functools.partial(poll.poll, 0)


def lead_nowhere(fd: int) -> None:
    """Let a descriptor of this process lead nowhere, so that closing it says nothing to a server."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, fd)
        os.close(nowhere)
