"""Law 4 between processes: one folder of sessions, each process with a provider of its own."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from sojourn import Manager, StoreUnavailable
from sojourn.providers.file import FileProvider
from tests.parallel.processes import hear, python
from tests.parallel.rounds import TURNS, WORK, begin, taken
from tests.servers.process import BUSY

PROMPT = 5.0
"""Seconds within which a write succeeds or says that it cannot."""


@pytest.mark.parametrize("work", WORK)
def test_processes_lose_nothing_of_each_other(tmp_path: Path, work: str) -> None:
    manager = Manager(FileProvider(tmp_path))
    headers = begin(manager).headers
    slowest = taken(tmp_path, work, headers)
    WORK[work].check(manager.start(headers), TURNS)
    assert max(slowest) < PROMPT + BUSY


HOLDER = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
fcntl.flock(fd, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.readline()
"""


def test_a_write_gives_up_on_a_lock_that_another_process_keeps(tmp_path: Path) -> None:
    manager = Manager(FileProvider(tmp_path))
    headers = begin(manager).headers
    late = manager.start(headers)
    late["key"] = "value"
    waited = list[float]()

    def release() -> None:
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable):
            manager.release(late)
        waited.append(time.monotonic() - begun)

    with python("-c", HOLDER, tmp_path / late.id[0] / late.id[1]) as holder:
        assert hear(holder) == "held"
        writer = threading.Thread(target=release)
        writer.start()
        reads = 0
        while writer.is_alive():
            assert manager.start(headers)["list"] == []
            reads += 1
            time.sleep(0.01)
        writer.join()
    assert PROMPT - 0.5 < waited[0] < PROMPT + BUSY
    assert reads > 20
    with manager.open(headers) as session:
        assert "key" not in session
        session["key"] = "again"
    assert manager.start(headers)["key"] == "again"
