"""The pool of connections: bounded, the last used first, and nobody waits longer than said."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sojourn.errors import StoreUnavailable
from sojourn.providers.pool import Pool
from tests.forks import FORKS, as_in_a_child
from tests.servers.process import BUSY, wait_until

ROOT = Path(__file__).parents[2]
TIMEOUT = 0.3


class Connection:
    """Knows whether it is open, and who uses it."""

    def __init__(self) -> None:
        self.is_open = True
        self.users = 0

    def close(self) -> None:
        self.is_open = False


class Counter:
    """How many connections are open, and the most that ever were."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.made = self.open = self.most = 0

    def connect(self) -> Connection:
        with self._lock:
            self.made += 1
            self.open += 1
            self.most = max(self.most, self.open)
        return Connection()

    def close(self, connection: Connection) -> None:
        with self._lock:
            self.open -= 1
        connection.close()


def pool_of(size: int = 2, **settings: Any) -> Pool[Connection]:
    options: dict[str, Any] = {
        "connect": Connection,
        "close": Connection.close,
        "is_stale": lambda connection: not connection.is_open,
        "timeout": TIMEOUT,
        **settings,
    }
    return Pool(size=size, **options)


@contextmanager
def switching_often() -> Iterator[None]:
    """Have threads come in each other's way at every step."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_the_last_used_comes_first() -> None:
    pool = pool_of()
    first, second = pool.take(), pool.take()
    pool.put(second)
    pool.put(first)
    assert pool.take() is first
    assert pool.take() is second


def test_a_connection_is_opened_when_it_is_needed() -> None:
    counter = Counter()
    pool = pool_of(50, connect=counter.connect)
    for _ in range(10):
        pool.put(pool.take())
    assert counter.made == 1


def test_who_finds_none_free_is_told_in_time() -> None:
    pool = pool_of(2)
    pool.take()
    pool.take()
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"all 2 connections .* 0\.3 seconds: give `pool`"):
        pool.take()
    assert TIMEOUT <= time.monotonic() - began < TIMEOUT + BUSY


def give(pool: Pool[Connection], connection: Connection) -> None:
    pool.put(connection)


def drop(pool: Pool[Connection], connection: Connection) -> None:
    pool.discard(connection)


@pytest.mark.parametrize(("leave", "is_same"), [(give, True), (drop, False)])
def test_who_waits_is_served_at_once(
    leave: Callable[[Pool[Connection], Connection], None], is_same: bool
) -> None:
    pool = pool_of(1, timeout=30.0)
    held = pool.take()
    with ThreadPoolExecutor(1) as threads:
        waits = threads.submit(pool.take)
        time.sleep(0.05)
        assert not waits.done()
        leave(pool, held)
        assert (waits.result(1.0) is held) == is_same
    assert held.is_open == is_same


def test_a_connection_that_is_at_hand_needs_no_waiting() -> None:
    counter = Counter()
    pool = pool_of(2, connect=counter.connect, close=counter.close)
    with pytest.raises(BlockingIOError):
        pool.take_nowait()
    assert counter.made == 0
    held = pool.take()
    pool.put(held)
    assert pool.take_nowait() is held
    with pytest.raises(BlockingIOError):
        pool.take_nowait()
    pool.put(held)
    held.is_open = False
    with pytest.raises(BlockingIOError):
        pool.take_nowait()
    assert counter.open == 1, "to close it may take a while: that is left to others"
    assert pool.take() is not held
    assert (counter.made, counter.open) == (2, 1)


def test_who_waits_misses_no_connection_that_is_only_looked_at() -> None:
    """A stale one is taken for a moment and put back, just as somebody looks for it."""
    pool = pool_of(1, timeout=30.0)
    held = pool.take()

    def is_stale(_: Connection) -> bool:
        pool._is_stale = lambda _: False
        looking.set()
        return go_on.wait(BUSY)

    looking, go_on = threading.Event(), threading.Event()
    pool.put(held)
    pool._is_stale = is_stale
    with ThreadPoolExecutor(2) as threads:
        look = threads.submit(pool.take_nowait)
        assert looking.wait(BUSY)
        waits = threads.submit(pool.take)
        wait_until(lambda: pool._shelf().waiting == 1, "somebody waits")
        go_on.set()
        assert waits.result(BUSY) is held
        with pytest.raises(BlockingIOError):
            look.result(BUSY)


def test_what_could_not_be_opened_takes_no_place() -> None:
    answers: list[Any] = [OSError, OSError, KeyboardInterrupt, Connection, Connection]

    def connect() -> Connection:
        kind = answers.pop(0)
        if issubclass(kind, BaseException):
            raise kind
        return Connection()

    pool = pool_of(1, connect=connect)
    for error in (OSError, OSError, KeyboardInterrupt):
        with pytest.raises(error):
            pool.take()
    assert pool.take().is_open


def test_what_the_server_has_closed_is_not_used_again() -> None:
    pool = pool_of(2)
    dead = [pool.take(), pool.take()]
    for connection in dead:
        pool.put(connection)
        connection.close()
    alive = [pool.take(), pool.take()]
    assert not {*alive} & {*dead}


def test_what_was_idle_for_too_long_is_not_used_again() -> None:
    pool = pool_of(1, longest_idle=0.05)
    old = pool.take()
    pool.put(old)
    assert pool.take() is old
    pool.put(old)
    time.sleep(0.06)
    assert pool.take() is not old
    assert not old.is_open


def test_a_place_is_free_once_its_connection_is_closed() -> None:
    """Or a server that counts would see one more than are allowed."""
    closing, go_on = threading.Event(), threading.Event()

    def close(connection: Connection) -> None:
        closing.set()
        assert go_on.wait(5)
        connection.close()

    pool = pool_of(1, close=close, timeout=5.0)
    old = pool.take()
    with ThreadPoolExecutor(2) as threads:
        dropped = threads.submit(pool.discard, old)
        assert closing.wait(5)
        waits = threads.submit(pool.take)
        time.sleep(0.05)
        too_early = waits.done()
        go_on.set()
        dropped.result(5)
        assert waits.result(5).is_open
    assert not too_early


def test_draining_closes_what_is_idle_alone() -> None:
    pool = pool_of(2)
    busy, idle = pool.take(), pool.take()
    pool.put(idle)
    pool.close()
    assert (busy.is_open, idle.is_open) == (True, False)
    pool.put(busy)
    assert {pool.take(), pool.take()} & {busy, idle} == {busy}


def test_only_those_that_lay_idle_before_are_dropped() -> None:
    pool = pool_of(2)
    old, new = pool.take(), pool.take()
    pool.put(old)
    moment = time.monotonic()
    time.sleep(0.001)
    pool.put(new)
    pool.drop_idle(moment + 0.0005)
    assert (old.is_open, new.is_open) == (False, True)


def test_no_two_threads_have_the_same_and_there_are_never_more() -> None:
    counter, shared = Counter(), list[int]()
    pool = pool_of(3, connect=counter.connect, close=counter.close, timeout=30.0)

    def work(number: int) -> None:
        for turn in range(300):
            connection = pool.take()
            connection.users += 1
            if connection.users != 1:
                shared.append(number)
            time.sleep(1e-5)
            connection.users -= 1
            (pool.discard if (number + turn) % 7 == 0 else pool.put)(connection)

    with switching_often(), ThreadPoolExecutor(16) as threads:
        list(threads.map(work, range(16)))
    assert shared == []
    assert counter.most == 3


def test_after_a_fork_no_thread_gets_what_the_parent_has() -> None:
    """Whichever of the child's threads comes first; nor waits it for one of the parent's."""
    with switching_often():
        for _ in range(300):
            pool = pool_of(8)
            parents = {pool.take(), pool.take(), pool.take()}
            for connection in parents:
                pool.put(connection)
            assert pool._shelf.known.changed.acquire()  # by a thread that the child has not
            as_in_a_child(pool._shelf)
            taken = taken_at_once(pool, 8)
            assert len({*taken}) == 8
            assert not {*taken} & parents


def taken_at_once(pool: Pool[Connection], count: int) -> list[Connection]:
    """What so many threads get that come together."""
    taken, begin = list[Connection](), threading.Barrier(count)

    def take() -> None:
        begin.wait()
        taken.append(pool.take())

    threads = [threading.Thread(target=take, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 5.0
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    assert not any(thread.is_alive() for thread in threads), "it hangs"
    return taken


FORK = """
import os, sys, threading
from sojourn.providers.pool import Pool
from tests.forks import FORKS

pool = Pool(connect=object, close=id, is_stale=lambda one: False, size=1, timeout=0.2)
mine = pool.take()
pool.put(mine)
held = pool.take()
locked = pool._shelf.known.changed.acquire()  # another thread had it at the fork
child = FORKS[sys.argv[1]]()
if child == 0:
    its = pool.take()
    pool.put(its)
    os._exit(its is mine or pool.take() is not its)
pool._shelf.known.changed.release()
assert os.waitpid(child, 0)[1] == 0
pool.put(held)
assert pool.take() is mine
"""


@pytest.mark.parametrize("fork", FORKS)
def test_a_child_begins_with_none_and_the_parent_keeps_its_own(fork: str) -> None:
    subprocess.run([sys.executable, "-c", FORK, fork], check=True, timeout=30, cwd=ROOT)


LATE = """
import os, sys
from sojourn.providers.pool import Pool
from tests.forks import FORKS

told = []
pool = Pool(connect=object, close=id, is_stale=id, size=1, timeout=1, forget=told.append)
mine = pool.take()
pool.put(mine)
child = FORKS[sys.argv[1]]()
if child == 0:
    import atexit
    atexit._run_exitfuncs()
    os._exit(told != [mine])
assert os.waitpid(child, 0)[1] == 0
assert told == []
"""


@pytest.mark.parametrize("fork", FORKS)
def test_a_child_that_asks_for_none_lays_those_of_its_parent_aside_as_it_ends(fork: str) -> None:
    subprocess.run([sys.executable, "-c", LATE, fork], check=True, timeout=30, cwd=ROOT)


def test_a_test_of_a_connection_that_is_interrupted_takes_no_place() -> None:
    """As by a Timeout of gevent, which may be raised wherever a greenlet waits."""
    interrupts = iter([KeyboardInterrupt(), KeyboardInterrupt()])

    def is_stale(_: Connection) -> bool:
        raise next(interrupts, RuntimeError("the last one"))

    pool = Pool(
        connect=Connection, close=Connection.close, is_stale=is_stale, size=1, timeout=TIMEOUT
    )
    for _ in range(2):
        pool.put(pool.take())
        with pytest.raises(KeyboardInterrupt):
            pool.take()
    assert pool.take().is_open
