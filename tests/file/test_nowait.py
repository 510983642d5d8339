"""What an event loop reads without a thread: files that the system has in its cache."""

from __future__ import annotations

import errno
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sojourn.errors import CorruptRecord, StoreUnavailable
from sojourn.providers.file import FileProvider
from sojourn.providers.file.tree import supports_nowait
from sojourn.providers.threads import as_async
from sojourn.record import Record
from tests.hard.disk import open_descriptors
from tests.hard.disk_faults import MEMORY

ID = "ab" + "0" * 62
RECORD = Record(ID, {b"k": b"v"}, 1000.0, 1000.0, 2000.0)
Preadv = Callable[[int, Sequence[bytearray], int, int], int]

preadv: Preadv = os.preadv


def from_the_cache(fd: int, buffers: Sequence[bytearray], offset: int, flags: int) -> int:
    """Read as a file system does that knows the flag, on whichever the tests run."""
    assert flags == os.RWF_NOWAIT
    return preadv(fd, buffers, offset, 0)


@pytest.fixture(autouse=True)
def _cached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "preadv", from_the_cache)


@pytest.fixture
def provider(tmp_path: Path) -> FileProvider:
    provider = FileProvider(tmp_path / "sessions")
    provider.create(RECORD)
    return provider


def would_wait(provider: FileProvider, id: str = ID) -> bool:
    """Whether it leaves the read to a thread, and no descriptor open."""
    before = open_descriptors()
    try:
        provider.read_nowait(id)
    except BlockingIOError:
        return True
    finally:
        assert open_descriptors() == before
    return False


def test_what_is_in_the_cache_is_read_at_once(provider: FileProvider) -> None:
    assert provider.read_nowait(ID) == RECORD
    assert not would_wait(provider)


def test_what_is_absent_is_absent(provider: FileProvider) -> None:
    assert provider.read_nowait("ab" + "1" * 62) is None
    assert provider.read_nowait("cd" + "1" * 62) is None


def test_what_is_corrupt_is_corrupt(provider: FileProvider, tmp_path: Path) -> None:
    file = tmp_path / "sessions" / "a" / "b" / ID
    for data in (file.read_bytes()[:-1], b""):
        file.write_bytes(data)
        with pytest.raises(CorruptRecord):
            provider.read_nowait(ID)


@pytest.mark.parametrize("flag", ["BlockingIOError", "part"])
async def test_what_is_not_in_the_cache_is_read_in_a_thread(
    provider: FileProvider, monkeypatch: pytest.MonkeyPatch, flag: str
) -> None:
    tried = list[int]()

    def uncached(fd: int, buffers: Sequence[bytearray], offset: int, flags: int) -> int:
        tried.append(threading.get_ident())
        if flag == "part":
            return len(buffers[0]) - 1
        raise BlockingIOError

    monkeypatch.setattr(os, "preadv", uncached)
    assert would_wait(provider)
    store = as_async(provider)
    assert await store.read(ID) == RECORD
    assert await store.read(ID) == RECORD
    assert tried == [threading.get_ident()] * 3


def test_what_was_dropped_from_the_cache_is_not_waited_for(
    provider: FileProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the flag itself, on the file system of the tests: one answer or the other."""
    monkeypatch.undo()
    fd = os.open(tmp_path / "sessions" / "a" / "b" / ID, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)
    try:
        assert provider.read_nowait(ID) == RECORD
    except BlockingIOError:
        assert provider.read(ID) == RECORD


def test_a_file_system_without_the_flag_is_left_to_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that fetches files over a network, where even opening a file may wait."""
    calls = list[int]()

    def unsupported(*args: Any) -> int:
        calls.append(1)
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "preadv", unsupported)
    provider = FileProvider(tmp_path / "sessions")
    provider.create(RECORD)
    monkeypatch.setattr(os, "open", None)
    for _ in range(2):
        with pytest.raises(BlockingIOError):
            provider.read_nowait(ID)
    assert calls == [1]


def test_a_file_system_that_is_mounted_later_is_asked_once(
    provider: FileProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = list[int]()

    def unsupported(*args: Any) -> int:
        calls.append(1)
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "preadv", unsupported)
    assert would_wait(provider)
    assert would_wait(provider)
    assert calls == [1]
    assert provider.read(ID) == RECORD


async def test_every_file_system_serves_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """One in memory may know the flag or not."""
    monkeypatch.undo()
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        provider = FileProvider(folder)
        provider.create(RECORD)
        assert would_wait(provider) is not supports_nowait(folder)
        assert await as_async(provider).read(ID) == RECORD


def test_a_system_without_the_flag_uses_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "RWF_NOWAIT")
    provider = FileProvider(tmp_path)
    provider.create(RECORD)
    assert would_wait(provider)


def large(file: Path) -> None:
    file.write_bytes(b"x" * 70_000)


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def link(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))
    file.symlink_to("elsewhere")


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def place_of_a_folder(file: Path) -> None:
    file.parent.rename(file.parent.with_name("elsewhere"))
    file.parent.touch()


@pytest.mark.parametrize("put", [large, pipe, link, folder, place_of_a_folder])
def test_anything_unusual_is_left_to_a_thread(
    provider: FileProvider, tmp_path: Path, put: Callable[[Path], None]
) -> None:
    put(tmp_path / "sessions" / "a" / "b" / ID)
    assert would_wait(provider)


def test_a_folder_that_something_replaced_is_no_absent_session(
    provider: FileProvider, tmp_path: Path
) -> None:
    """A link that leads nowhere makes each file look absent, which would sign visitors out."""
    (tmp_path / "sessions" / "a" / "c").symlink_to("nowhere")
    with pytest.raises(StoreUnavailable, match="must be a folder"):
        provider.read_nowait("ac" + "1" * 62)


def test_a_full_disk_is_no_obstacle_to_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider finds out by writing one byte whether it can read from the cache."""

    def full(**_: object) -> Any:
        return open("/dev/full", "wb", buffering=0)  # noqa: PTH123

    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "TemporaryFile", full)
        assert not supports_nowait(str(tmp_path))


def test_a_folder_in_the_place_of_a_session_turns_nothing_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a folder Linux raises the error of a file system that does not support the flag."""
    monkeypatch.setattr(os, "preadv", preadv)
    provider = FileProvider(tmp_path)
    provider._nowait = True
    folder = tmp_path / ID[0] / ID[1] / ID
    folder.mkdir(parents=True)
    with pytest.raises(BlockingIOError):
        provider.read_nowait(ID)
    assert provider._nowait
