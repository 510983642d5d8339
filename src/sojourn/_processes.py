"""Values that belong to one process: connections, locks, the number from which versions count.

The child of a fork begins with copies of its parent's values, and must not use them.  On a shared
connection, each process may read answers meant for the other, and a lock that another thread held
at the fork stays locked in the child.  Functions registered with `os.register_at_fork` run only if
Python itself forks, and not in a server that forks in C code, such as uWSGI.  So the process id is
compared at each access to a value.
"""

from __future__ import annotations

from collections.abc import Callable
from os import getpid
from typing import Generic, TypeVar

T = TypeVar("T")

_inherited: list[object] = []
"""The values of parent processes.  They are kept, since their finalizers might close a connection
that the parent still uses."""


class PerProcess(Generic[T]):
    """A value that each process makes for itself at the first access."""

    known: T
    """The value of the process that asked last; of this process, if the caller has asked before."""

    def __init__(self, make: Callable[[], T], leave: Callable[[T], object] | None = None) -> None:
        """Set the functions; no value is made yet.

        make: returns a new value.  If several threads ask for the first one at the same time, each
            may call this, but all get the same value.
        leave: is called in a child with the value of its parent, which is no longer used then.
        """
        self._make = make
        self._leave = leave
        self._pid = -1
        self._made: dict[int, T] = {}

    def __call__(self) -> T:
        """Return the value of this process."""
        return self.known if self._pid == getpid() else self._begin()

    def leave_to_parent(self) -> None:
        """Set aside the values of parent processes."""
        own = getpid()
        for pid in list(self._made):
            if pid != own:
                self._lay_aside(pid)

    def _begin(self) -> T:
        # There is no lock, since another thread of the parent may have held it at the fork.
        # `setdefault` here and `pop` below are atomic.
        own = getpid()
        value = self._made.setdefault(own, self._make())
        self.leave_to_parent()
        self.known = value
        # Last: from now on other threads take `known` without coming here.
        self._pid = own
        return value

    def _lay_aside(self, pid: int) -> None:
        try:
            value = self._made.pop(pid)
        except KeyError:  # another thread has set it aside
            return
        _inherited.append(value)
        if self._leave is not None:
            self._leave(value)
