"""Applications on a disk that fails them, each in a process of its own.

As a program it runs one scenario in a folder.  A scenario that needs a disk of its own runs where
it may mount one; one that needs a user without privileges gives its own up.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sojourn import ConfigError, Manager, ReleaseOutcome, StoreUnavailable
from sojourn.providers.file import FileProvider

NOBODY = 65534
FILLER = 1000


class Application:
    """Begins and changes sessions, and remembers what the store acknowledged."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.manager = Manager(FileProvider(folder), **settings)
        self.acknowledged = dict[str, dict[str, object]]()

    def headers(self, token: str) -> dict[str, str]:
        return {"Cookie": f"{self.manager.config.cookie_name}={token}"}

    def begin(self, user: str | None = None) -> str:
        data: dict[str, object] = {"filler": os.urandom(FILLER), "n": 0}
        session = self.manager.start({})
        session.update(data)
        if user is not None:
            session.login(user)
        token = self.manager.release(session).token
        assert token is not None
        self.acknowledged[token] = data
        return token

    def change(self, token: str) -> None:
        session = self.manager.start(self.headers(token))
        session["n"] += 1
        changed = dict(session)
        self.manager.release(session)
        self.acknowledged[token] = changed

    def end(self, token: str) -> None:
        session = self.manager.start(self.headers(token))
        session.destroy()
        self.manager.release(session)
        del self.acknowledged[token]

    def check(self) -> None:
        """What was acknowledged stands, nothing more, and no file is left over."""
        for token, data in self.acknowledged.items():
            assert dict(self.manager.start(self.headers(token))) == data
        assert self.manager.active_count() == len(self.acknowledged)
        assert len(list(self.manager.sessions())) == len(self.acknowledged)
        assert not list(self.folder.rglob(".new*"))

    def fill(self) -> None:
        """Begin sessions until the store refuses."""
        for number in range(200):
            try:
                self.begin(f"user-{number}" if number % 2 else None)
            except StoreUnavailable:
                return
        raise AssertionError("the disk never got full")

    def refuses_to_write(self) -> None:
        """Every write is refused, and changes nothing."""
        token = next(iter(self.acknowledged))
        for write in (self.begin, lambda: self.change(token)):
            with refused():
                write()
        self.check()


@contextlib.contextmanager
def refused() -> Iterator[None]:
    """The block raises StoreUnavailable, which says why in its cause."""
    with pytest.raises(StoreUnavailable) as caught:
        yield
    assert isinstance(caught.value.__cause__, OSError)


def mount(folder: Path, options: str) -> None:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"this test mounts a small disk, and may not: {done.stderr}"


def full(folder: Path, options: str) -> None:
    mount(folder, options)
    application = Application(folder)
    application.fill()
    assert len(application.acknowledged) > 3
    application.check()
    with refused():
        application.begin()
    application.check()
    for token in list(application.acknowledged)[1:]:
        application.end(token)
    application.change(application.begin("ada"))
    application.check()


def full_of_data(folder: Path) -> None:
    full(folder, "size=64k")


def full_of_files(folder: Path) -> None:
    full(folder, "size=1m,nr_inodes=50")


def full_for_changes(folder: Path) -> None:
    """A change needs room beside what stands; without, what stands is not touched."""
    mount(folder, "size=64k")
    application = Application(folder)
    application.fill()
    application.refuses_to_write()


def read_only(folder: Path) -> None:
    mount(folder, "size=1m")
    application = Application(folder)
    tokens = [application.begin(), application.begin("ada")]
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    application.refuses_to_write()
    with refused():
        application.end(tokens[0])
    with refused():
        application.manager.destroy_user("ada")
    application.check()
    lenient = Manager(application.manager._provider, on_outage="anonymous")
    session = lenient.start({})
    session["n"] = 1
    assert lenient.release(session).outcome is ReleaseOutcome.OUTAGE
    subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
    for token in tokens:
        application.change(token)
    application.check()


def give_up_privileges() -> None:
    """Modes hold for those without privileges only."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def odd_umasks(_: Path) -> None:
    """Even one that takes the owner's own rights away."""
    give_up_privileges()
    for umask in (0o000, 0o077, 0o277, 0o477, 0o777):
        with tempfile.TemporaryDirectory() as name:
            os.umask(umask)
            application = Application(Path(name) / "sessions")
            application.change(application.begin())
            application.change(application.begin("ada"))
            application.check()
            os.umask(0o077)
            application.check()


def denied(_: Path) -> None:
    give_up_privileges()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "sessions"
        application = Application(folder)
        token = application.begin("ada")
        [file] = folder.glob("?/?/*")
        with mode(file.parent, 0o500):
            with refused():
                application.change(token)
            application.check()
        with mode(file, 0o000), refused():
            application.manager.start(application.headers(token))
        with mode(file.parent, 0o000):
            for reading in (application.manager.active_count, application.manager.gc):
                with refused():
                    reading()
        with mode(folder, 0o500):
            application.fill()
        with mode(folder, 0o500), pytest.raises(ConfigError):
            FileProvider(folder)
        application.change(token)
        application.check()


@contextlib.contextmanager
def mode(path: Path, wanted: int) -> Iterator[None]:
    """Another mode for the block."""
    before = path.stat().st_mode & 0o777
    path.chmod(wanted)
    try:
        yield
    finally:
        path.chmod(before)


def no_descriptors(folder: Path) -> None:
    application = Application(folder)
    tokens = [application.begin(), application.begin("ada")]
    used = open_descriptors()
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 20, used + 20))
    for spare in range(4):
        with exhausted(spare):
            for call in (lambda: application.change(tokens[0]), application.begin):
                with contextlib.suppress(StoreUnavailable):
                    call()
            with contextlib.suppress(StoreUnavailable):
                application.manager.gc()
        assert open_descriptors() == used
        application.check()
    with exhausted(0), refused():
        application.manager.start(application.headers(tokens[1]))
    with exhausted(0), refused():
        application.manager.active_count()


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@contextlib.contextmanager
def exhausted(spare: int) -> Iterator[None]:
    """Only so many descriptors are left in the block."""
    held = list[int]()
    with contextlib.suppress(OSError):
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    for fd in held[len(held) - spare :]:
        os.close(fd)
    try:
        yield
    finally:
        for fd in held[: len(held) - spare]:
            os.close(fd)


SCENARIOS: list[Callable[[Path], None]] = [
    full_of_data,
    full_of_files,
    full_for_changes,
    read_only,
    denied,
    odd_umasks,
    no_descriptors,
]

if __name__ == "__main__":
    for scenario in SCENARIOS:
        if scenario.__name__ == sys.argv[1]:
            scenario(Path(sys.argv[2]))
