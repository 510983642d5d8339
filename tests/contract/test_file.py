"""The contract over files, in both colours."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sojourn.providers.file import FileProvider
from sojourn.providers.file.tree import supports_nowait
from sojourn.providers.serialization import pack, unpack
from sojourn.record import Record
from sojourn.testing import AsyncProviderContract, ProviderContract
from tests.hard.disk_faults import Faults


@pytest.fixture(autouse=True)
def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the event loop read files itself, also where the file system does not know the flag."""
    if not supports_nowait(str(tmp_path)):
        preadv = os.preadv
        monkeypatch.setattr(os, "preadv", lambda fd, into, at, flags: preadv(fd, into, at))


class Files(ProviderContract):
    @property
    def place(self) -> Path:
        return self.folder / "sessions"

    def make(self) -> FileProvider:
        return FileProvider(self.place)

    def again(self) -> FileProvider:
        return FileProvider(self.place)

    def break_store(self) -> None:
        if self.place.exists():  # the first session makes it
            self.place.rename(self.folder / "moved")
        self.place.touch()

    def corrupt(self, id: str, field: bytes | None = None) -> None:
        file = self.place / id[0] / id[1] / id
        status, data = file.stat(), file.read_bytes()
        if field is None:
            data = data[:-1]
        else:
            record = unpack(id, data)
            data = pack(record._replace(fields={**record.fields, field: b"\xc1"}))
        file.write_bytes(data)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))

    def fail_at(self, step: int, *, done: bool) -> Callable[[], bool]:
        stack = contextlib.ExitStack()
        faults = Faults({step: errno.EIO}, after=done)
        stack.enter_context(faults.injected())

        def take_back() -> bool:
            stack.close()
            return bool(faults.hit)

        return take_back


class TestFile(Files):
    pass


class TestFileOnDisk(Files):
    def make(self) -> FileProvider:
        return FileProvider(self.place, fsync=True)


class TestAsyncFile(Files, AsyncProviderContract):
    pass


class Uncached(FileProvider):
    """One of whose files the system has none in its cache."""

    def read_nowait(self, id: str) -> Record | None:
        raise BlockingIOError


class TestAsyncFileInThreads(Files, AsyncProviderContract):
    def make(self) -> FileProvider:
        return Uncached(self.place)
