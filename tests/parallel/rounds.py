"""Many requests that change one session at the same time, and what must stand afterwards.

As a program it is one of the processes that `taken` starts: it says that it is ready, waits for a
line with the visitor's cookie, takes its turns, and says how many seconds the slowest release took.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from sojourn import AsyncManager, Manager, Provider, Session
from sojourn.providers.file import FileProvider
from sojourn.providers.redis import RedisProvider
from tests.parallel.processes import hear, python, say, tell
from tests.parallel.visits import PATIENCE, Jar

WORKERS, TURNS = 8, 200


class Work(NamedTuple):
    """What the request of a worker's turn does, and the check once all had so many turns."""

    change: Callable[[Session, int, int], None]
    check: Callable[[Session, int], None]


def put_own_key(session: Session, worker: int, turn: int) -> None:
    session[f"p{worker}-{turn}"] = turn


def all_keys_stand(session: Session, turns: int) -> None:
    expected = {f"p{worker}-{turn}": turn for worker in range(WORKERS) for turn in range(turns)}
    assert expected.keys() - session.keys() == set()
    assert expected.items() <= dict(session.items()).items()


def append_to_the_list(session: Session, worker: int, turn: int) -> None:
    session["list"].append(worker + turn * WORKERS)


def all_items_stand_in_order(session: Session, turns: int) -> None:
    items = session["list"]
    assert sorted(items) == list(range(WORKERS * turns))
    for worker in range(WORKERS):
        own = [item for item in items if item % WORKERS == worker]
        assert own == sorted(own)


def count_one_more(session: Session, worker: int, turn: int) -> None:
    session.apply("count", lambda count: count + 1, 0)


def count_is_exact(session: Session, turns: int) -> None:
    assert session["count"] == WORKERS * turns


WORK = {
    "own keys": Work(put_own_key, all_keys_stand),
    "one list": Work(append_to_the_list, all_items_stand_in_order),
    "one count": Work(count_one_more, count_is_exact),
}


def begin(manager: Manager) -> Jar:
    """The browser of a visitor whose session is stored."""
    jar = Jar()
    with manager.open({}) as session:
        session["list"] = []
    assert session.released is not None
    jar.take(session.released.headers)
    return jar


async def begin_async(manager: AsyncManager) -> Jar:
    """The browser of a visitor whose session is stored."""
    jar = Jar()
    async with manager.open({}) as session:
        session["list"] = []
    assert session.released is not None
    jar.take(session.released.headers)
    return jar


def taken(store: object, work: str, headers: Mapping[str, str]) -> list[float]:
    """Have all processes take their turns; the seconds that the slowest release of each took."""
    with contextlib.ExitStack() as stack:
        workers = [
            stack.enter_context(python("-m", "tests.parallel.rounds", store, work, str(number)))
            for number in range(WORKERS)
        ]
        assert [hear(worker) for worker in workers] == ["ready"] * WORKERS
        for worker in workers:
            say(worker, headers["Cookie"])
        slowest = [float(worker.communicate(timeout=PATIENCE)[0]) for worker in workers]
        assert [worker.returncode for worker in workers] == [0] * WORKERS
    return slowest


def provider_at(store: str) -> Provider:
    """The provider of a folder, or of a URL."""
    return RedisProvider(store) if "://" in store else FileProvider(store)


def main(store: str, work: str, worker: str) -> None:
    manager = Manager(provider_at(store))
    tell("ready")
    headers = {"Cookie": sys.stdin.readline().strip()}
    slowest = 0.0
    for turn in range(TURNS):
        session = manager.start(headers)
        WORK[work].change(session, int(worker), turn)
        os.sched_yield()  # another's turn, between a start and its release
        begun = time.monotonic()
        manager.release(session)
        slowest = max(slowest, time.monotonic() - begun)
    manager.close()
    tell(slowest)


if __name__ == "__main__":
    main(*sys.argv[1:])
