"""One of the processes that take their turns at one session in a database.

In each turn it puts a key of its own, appends to a list and counts one more.  It says that it is
ready, waits for a line with the visitor's cookie, takes its turns, and says how many seconds the
slowest release took.
"""

from __future__ import annotations

import os
import sys
import time

from sojourn import Manager
from tests.parallel.processes import tell
from tests.parallel.rounds import TURNS, WORK
from tests.sql.stores import KINDS


def main(way: str, address: str, worker: str) -> None:
    manager = Manager(KINDS[way](address))
    tell("ready")
    headers = {"Cookie": sys.stdin.readline().strip()}
    slowest = 0.0
    for turn in range(TURNS):
        session = manager.start(headers)
        for work in WORK.values():
            work.change(session, int(worker), turn)
        os.sched_yield()  # another's turn, between a start and its release
        begun = time.monotonic()
        manager.release(session)
        slowest = max(slowest, time.monotonic() - begun)
    tell(slowest)


if __name__ == "__main__":
    main(*sys.argv[1:])
