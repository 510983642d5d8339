"""One folder of records under its lock: whole files in, whole files out.

Writers of a folder exclude each other by flock on the folder itself; threads too, since each
opens it anew.  A file is written beside its place and renamed into it, so that readers, who take
no lock, see it as of before or of after.  Only the holder of the lock writes the temporary file:
one that stands there while we hold the lock was left by a writer that was killed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import ParamSpec, Self, TypeVar

from sojourn.errors import ConfigError, StoreUnavailable

P = ParamSpec("P")
T = TypeVar("T")

NEW = ".new"
"""The temporary file's name."""
PATIENCE = 5.0
"""Seconds to wait for the lock."""

_READ = os.O_RDONLY | os.O_NOFOLLOW
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY
_CHUNK = 65536


def translated(verb: Callable[P, T]) -> Callable[P, T]:
    """Turn what the system refuses into StoreUnavailable."""

    @functools.wraps(verb)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return verb(*args, **kwargs)
        except OSError as error:
            raise StoreUnavailable(
                f"the session folder refused: {error.strerror or error}"
            ) from error

    return call


class Leaf:
    """A folder that is locked; use it as a context manager."""

    __slots__ = ("fd",)

    def __init__(self, path: str) -> None:
        """Open and lock; raise FileNotFoundError if there is no such folder."""
        self.fd = os.open(path, _FOLDER)
        try:
            _lock(self.fd)
        except BaseException:
            os.close(self.fd)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)  # and with it the lock

    def read(self, name: str) -> bytes | None:
        """Return what the file holds; None if there is none."""
        return read(name, self.fd)

    def has(self, name: str) -> bool:
        """Whether anything stands under the name."""
        try:
            os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def write(self, name: str, data: bytes, mode: int, mtime: float, *, fsync: bool) -> None:
        """Put a whole file in the place of what stands there."""
        fd = self._open_new(mode)
        try:
            try:
                _write_all(fd, data)
                os.utime(fd, (mtime, mtime))
                if fsync:
                    os.fsync(fd)
            finally:
                os.close(fd)
            os.rename(NEW, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        except BaseException:
            self.remove(NEW)
            raise
        if fsync:
            os.fsync(self.fd)

    def remove(self, name: str) -> None:
        """Take a file away, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.fd)

    def set_mtime(self, name: str, mtime: float) -> None:
        """Correct a file's time."""
        os.utime(name, (mtime, mtime), dir_fd=self.fd, follow_symlinks=False)

    def _open_new(self, mode: int) -> int:
        try:
            return os.open(NEW, _WRITE, mode, dir_fd=self.fd)
        except FileExistsError:  # left by a writer that was killed
            self.remove(NEW)
            return os.open(NEW, _WRITE, mode, dir_fd=self.fd)


def read(path: str, dir_fd: int | None = None) -> bytes | None:
    """Return what a file holds; None if there is none.  Follows no symbolic link."""
    try:
        fd = os.open(path, _READ, dir_fd=dir_fd)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return b""  # something foreign: no record
        raise
    try:
        data = os.read(fd, _CHUNK)
        if len(data) == _CHUNK:
            chunks = [data]
            while chunk := os.read(fd, _CHUNK):
                chunks.append(chunk)
            data = b"".join(chunks)
    except IsADirectoryError:
        return b""
    finally:
        os.close(fd)
    return data


def entries(path: str) -> Iterator[os.DirEntry[str]]:
    """Yield what is in a folder; nothing if there is no such folder."""
    try:
        fd = os.open(path, _FOLDER)
    except FileNotFoundError:
        return
    try:
        with os.scandir(fd) as found:  # beside an open folder a file's status costs less
            yield from found
    finally:
        os.close(fd)


def statuses(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield what is in a folder, each with its status; what is taken away meanwhile is not."""
    for entry in entries(path):
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        yield entry.name, status


def make_folder(path: str, *, fsync: bool) -> None:
    """Make a folder that only its owner can enter, if it is not there; its parent is."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    if fsync:
        sync_folder(os.path.dirname(path))


def sync_folder(path: str) -> None:
    """Wait until the disk knows what is in a folder."""
    fd = os.open(path, _FOLDER)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def usable(path: object) -> str:
    """Return a folder for sessions as an absolute path; ConfigError if it cannot hold any."""
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise ConfigError(
            f"provider_config: {path!r} must be the path of a folder, such as './sessions'"
        )
    folder = os.path.abspath(os.fsdecode(path))
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        reason = "it is no folder" if isinstance(error, FileExistsError) else error.strerror
        raise ConfigError(
            f"provider_config: {folder!r} cannot hold sessions: {reason}. "
            "Name a folder in which this process may write"
        ) from error
    return folder


def _write_all(fd: int, data: bytes) -> None:
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, memoryview(data)[written:])


def _lock(fd: int) -> None:
    """Take the lock.  Asks again and again, since a wait in flock itself has no bound."""
    pause, deadline = 0.0001, 0.0
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            now = time.monotonic()
            deadline = deadline or now + PATIENCE
            if now > deadline:
                raise StoreUnavailable(
                    f"another process held the lock of a session folder for {PATIENCE} seconds"
                ) from None
            time.sleep(pause)
            pause = min(pause * 2, 0.005)
        else:
            return
