"""What belongs to one process: its connections, its locks, the number its versions count from.

A child of `fork` begins with a copy of what its parent has, and must use none of that.  Over a
connection that both use, each may read the answers of the other; and a lock that another thread
held at the fork stays locked in the child.  Python tells of a fork (`os.register_at_fork`) only
where Python itself forks.  A server that forks in C, such as uWSGI, runs no such function, so the
process id is compared whenever the value is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from os import getpid
from typing import Generic, TypeVar

T = TypeVar("T")

_inherited: list[object] = []
"""What parents of this process made.  It is kept here, since to collect it might be to close it."""


class PerProcess(Generic[T]):
    """A value that each process makes for itself, when it first asks for it."""

    known: T
    """The value of the process that asked last: of this one, if the caller has asked before."""

    def __init__(self, make: Callable[[], T], leave: Callable[[T], object] | None = None) -> None:
        """Make nothing yet.

        make: returns a new value.  Threads that ask for the first one at once may each make one,
            but all get the same.
        leave: is called in a child with the value of its parent, before that is laid aside.
        """
        self._make = make
        self._leave = leave
        self._pid = -1
        self._made: dict[int, T] = {}

    def __call__(self) -> T:
        """Return the value of this process."""
        return self.known if self._pid == getpid() else self._begin()

    def leave_to_parent(self) -> None:
        """Lay aside, in a child, what its parent made."""
        own = getpid()
        for pid in list(self._made):
            if pid != own:
                self._lay_aside(pid)

    def _begin(self) -> T:
        # Without a lock, since another thread may have held it at the fork.  `setdefault` and `pop`
        # are atomic.
        own = getpid()
        value = self._made.setdefault(own, self._make())
        self.leave_to_parent()
        self.known = value
        self._pid = own
        return value

    def _lay_aside(self, pid: int) -> None:
        try:
            value = self._made.pop(pid)
        except KeyError:  # another thread has done it
            return
        _inherited.append(value)
        if self._leave is not None:
            self._leave(value)
