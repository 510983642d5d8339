"""A prepared process that forks writers, kills each after a moment, and tells what they had said.

Forking what is imported already makes a death cost milliseconds.  As a program it works in a
folder, kills so many writers in seeded moments, a few of which write at a time, and prints one
object of JSON: the token of the session that all of them share, and the journal of each.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback

from sojourn import Manager
from sojourn.providers.file import FileProvider
from tests.parallel.processes import tell
from tests.parallel.writer import SHARED, Writer

AT_A_TIME = 3
LONGEST_LIFE = 0.012
"""Seconds between two deaths; a request takes a fraction of a millisecond."""


class Victim:
    """A writer in a fork, which journals into a pipe."""

    def __init__(self, manager: Manager, number: int, shared: str) -> None:
        self._journal, writing = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.dup2(writing, sys.stdout.fileno())
                Writer(manager, str(number), shared).run()
            except BaseException:  # noqa: BLE001 - whatever it is, the fork must not go on
                traceback.print_exc()
            os._exit(1)
        os.close(writing)

    def kill(self) -> list[str]:
        """Kill it, and return its journal."""
        os.kill(self._pid, signal.SIGKILL)
        with os.fdopen(self._journal) as journal:
            lines = journal.read().splitlines()
        _, status = os.waitpid(self._pid, 0)
        self.was_at_work = os.waitstatus_to_exitcode(status) == -signal.SIGKILL
        return lines


def main(folder: str, kills: int) -> None:
    manager = Manager(FileProvider(folder))
    session = manager.start({})
    session["name"] = SHARED
    shared = manager.release(session).token
    assert shared is not None
    dice, journals = random.Random(kills), []
    for first in range(0, kills, AT_A_TIME):
        numbers = range(first, min(first + AT_A_TIME, kills))
        victims = [Victim(manager, number, shared) for number in numbers]
        for victim in victims:
            time.sleep(dice.uniform(0, LONGEST_LIFE))
            journals.append(victim.kill())
        assert all(victim.was_at_work for victim in victims), "one ended by itself"
    tell(json.dumps({"shared": shared, "journals": journals}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
