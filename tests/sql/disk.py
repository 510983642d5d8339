"""An application whose sessions are in a file of SQLite, on a disk that fails it.

As a program it runs one scenario in a folder: where it may mount a disk of its own, or as a user
without privileges, since modes hold for these alone.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sojourn import Manager, StoreUnavailable
from sojourn.providers.sql.sqlite import SQLiteProvider
from tests.hard.disk import NOBODY, mount
from tests.hard.disk import Application as OnFiles
from tests.servers.process import BUSY

LIMIT = 400_000
"""Bytes."""
BOUND = 2.0 + BUSY
"""Seconds that a request may take though nothing can be written."""


class Application(OnFiles):
    """Begins and changes sessions, and remembers what the store acknowledged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "sessions.db"
        self.manager = Manager(SQLiteProvider(self.file, timeout=1.0))
        self.acknowledged = dict[str, dict[str, object]]()

    def refuses_to_write(self) -> None:
        """Every write is refused in time, and changes nothing."""
        for write in self.writes():
            with refused():
                write()
        self.check()

    def refuses_or_writes(self) -> None:
        """What is refused changes nothing; for what is small there may still be room."""
        for write in self.writes():
            with contextlib.suppress(StoreUnavailable):
                write()
            self.check()

    def writes(self) -> list[Callable[[], object]]:
        token = next(iter(self.acknowledged))
        return [self.begin, lambda: self.change(token), lambda: self.end(token)]

    def is_full(self) -> None:
        """There is room for some sessions, and no more."""
        self.fill()
        assert len(self.acknowledged) > 10
        self.refuses_or_writes()

    def goes_on(self) -> None:
        """Everything can be done again."""
        first, second, *_ = self.acknowledged
        self.change(first)
        self.end(second)
        self.change(self.begin("ada"))
        self.check()


@contextlib.contextmanager
def refused() -> Iterator[None]:
    """The block raises StoreUnavailable in time, and says why."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"full|I/O|readonly|unable to open") as caught:
        yield
    assert isinstance(caught.value.__cause__, sqlite3.Error)
    assert time.monotonic() - began < BOUND


def full_disk(folder: Path) -> None:
    """Until somebody makes room."""
    mount(folder, "size=600k")
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(100_000))
    application = Application(folder)
    application.is_full()
    Application(folder).manager.close()
    ballast.unlink()
    application.goes_on()


def limited_size(folder: Path) -> None:
    """A limit that holds for a user without privileges too, until it is lifted."""
    application = Application(folder)
    application.begin("ada")
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, most))
    application.is_full()
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    application.goes_on()


def read_only(_: Path) -> None:
    """The file's mode forbids it, and then allows it again."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    with tempfile.TemporaryDirectory() as name:
        application = Application(Path(name))
        for user in (None, "ada", None):
            application.begin(user)
        application.manager.close()
        application.file.chmod(0o400)
        application.refuses_to_write()
        application.file.chmod(0o600)
        application.goes_on()
        application.manager.close()


SCENARIOS: list[Callable[[Path], None]] = [full_disk, limited_size, read_only]


if __name__ == "__main__":
    name, folder = sys.argv[1:]
    {known.__name__: known for known in SCENARIOS}[name](Path(folder))
