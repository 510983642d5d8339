"""Law 4 between the threads of one process, which share a manager and its provider."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from sojourn import Manager, Provider
from tests.parallel.rounds import WORK, WORKERS, begin
from tests.parallel.visits import PATIENCE, at_once


@pytest.fixture(autouse=True)
def _threads_take_short_turns() -> Iterator[None]:
    """So that they come between each other in the middle of a step, not only between requests."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(5e-4)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.parametrize("work", WORK)
def test_threads_lose_nothing_of_each_other(provider: Provider, turns: int, work: str) -> None:
    manager = Manager(provider)
    headers = begin(manager).headers
    all_loaded = threading.Barrier(WORKERS, timeout=PATIENCE)

    def requests(worker: int) -> None:
        for turn in range(turns):
            with manager.open(headers) as session:
                WORK[work].change(session, worker, turn)
                all_loaded.wait()

    at_once(requests, WORKERS)
    WORK[work].check(manager.start(headers), turns)
