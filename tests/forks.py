"""Forks: by Python, and below it.

A server that forks in C, as uWSGI does, runs no function of `os.register_at_fork`.  A child of either
kind must share neither connections nor locks with its parent.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from sojourn._processes import PerProcess
from tests.servers.process import BUSY

PATIENCE = 5.0  # seconds


def _fork_in_c() -> int:
    """Fork as C does, while no other thread asks for the interpreter's lock.

    Otherwise Python hands the lock over at the next opportunity and waits until the other thread
    has it: in the child too, where there is no other thread.  PyDLL keeps the lock during the call.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(PATIENCE)  # after which a thread asks
    time.sleep(0)  # those that have asked already get it now
    try:
        return int(ctypes.PyDLL(None).fork())
    finally:
        sys.setswitchinterval(before)


FORKS: dict[str, Callable[[], int]] = {"python": os.fork, "c": _fork_in_c}


def in_child(work: Callable[[], object], fork: str = "c") -> None:
    """Do some work in a child; fail if it fails or takes too long."""
    wait_for(child_of(work, fork))


def child_of(work: Callable[[], object], fork: str = "c") -> int:
    """Begin some work in a child; return its pid.  The child then ends without finalizers."""
    pid = FORKS[fork]()
    if pid:
        return pid
    try:
        signal.alarm(int(BUSY))
        work()
        os._exit(0)
    except BaseException:  # noqa: BLE001 - nothing of it may go on as a second run of the tests
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(1)


def wait_for(pid: int) -> None:
    """Wait for a child; fail if that has failed, or hangs."""
    deadline = time.monotonic() + 4 * BUSY
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)
    assert os.waitstatus_to_exitcode(status) == 0


def as_in_a_child(value: PerProcess[Any]) -> None:
    """Have this process take what it has made for its parent's."""
    value._made[-1] = value._made.pop(os.getpid())
    value._pid = -1
