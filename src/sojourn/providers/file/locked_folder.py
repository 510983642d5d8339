"""An open folder of the file provider, with its files, which are read and written whole.

Writers exclude each other with flock on the folder itself.  That includes threads of one process,
since each of them opens the folder again.  A file is written under a temporary name and then
renamed, so readers, which take no lock, see either the old or the new content.  Only the holder of
the lock writes the temporary file; one that exists when the lock is taken was left by a writer that
was killed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from typing import Self

from sojourn.errors import ConfigError, OutcomeUnknown, StoreError, StoreUnavailable
from sojourn.providers.owners import whose

try:
    import fcntl
except ImportError:  # Windows
    raise ConfigError(
        "the provider 'file' works on Linux and macOS alone, since it needs their locks and modes of "
        "folders: on Windows take 'sqlite', which keeps sessions in a file too, or 'redis'"
    ) from None

NEW = ".new"
"""The name of the temporary file, and the prefix of its other names."""
PATIENCE = 5.0
"""Seconds to wait for the lock."""

# Without O_NONBLOCK, opening a FIFO would block until another process opens it for writing.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
# O_EXCL fails for a name that exists, even for a symbolic link, so nothing is ever overwritten.
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
# LIST follows a symbolic link, for the root and for readers; FOLDER, for writers, does not.
LIST = os.O_RDONLY | os.O_DIRECTORY
FOLDER = LIST | os.O_NOFOLLOW
_CHUNK = 65536

NO_FOLDER = {errno.ENOTDIR, errno.ELOOP}
_FOREIGN = {errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP, errno.EAGAIN}
"""The errors of reading a symbolic link, a folder, a socket, a device or a FIFO."""


class InTheWay(StoreUnavailable):
    """Something else, such as a file or a link, is in the place of one of the store's folders."""


def refusal(error: OSError, folder: str) -> StoreUnavailable:
    """Return a StoreUnavailable that names the path which the system refused.

    A relative name in the error is taken as relative to `folder`.  For a permission error the
    message also names the owner of the path.
    """
    name = error.filename
    path = os.path.join(folder, name) if isinstance(name, str) else folder
    owner = whose(path) if isinstance(error, PermissionError) else ""
    return StoreUnavailable(f"the file system refused {path}: {error.strerror or error}{owner}")


class Folder:
    """An open folder and the files in it; a context manager that closes it at the end.

    An OSError that leaves the block is raised as a StoreUnavailable that names the file or folder.
    FileNotFoundError is passed on unchanged, since the caller may have an answer to it.
    """

    __slots__ = ("fd", "fsync", "is_locked", "path")

    def __init__(self, fd: int, path: str, *, fsync: bool) -> None:
        """Take over an open descriptor; the path is for messages.

        fsync: whether to wait for the disk after writing.
        """
        self.fd = fd
        self.path = path
        self.fsync = fsync
        self.is_locked = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self.close()
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            raise refusal(error, self.path) from error

    def close(self) -> None:
        """Release the lock and close the folder."""
        # Closing would not be enough to release the lock if a child was forked in the meantime: it
        # has inherited the descriptor, and the lock lasts until all copies of it are closed.
        if self.is_locked:
            self.is_locked = False
            with contextlib.suppress(OSError):
                fcntl.flock(self.fd, fcntl.LOCK_UN)
        if self.fd >= 0:
            close_quietly(self.fd)
            self.fd = -1

    def locked(self) -> Self:
        """Wait for the lock, and hold it until the folder is closed; return the folder.

        Raises StoreUnavailable if another process holds the lock for longer than `PATIENCE`.
        """
        try:
            _lock(self.fd, self.path)
        except OSError as error:
            self.close()
            raise refusal(error, self.path) from error
        except BaseException:
            self.close()
            raise
        self.is_locked = True
        return self

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; see the function `read`."""
        return read(name, self.fd)

    def has(self, name: str) -> bool:
        """Whether anything exists under the name."""
        try:
            os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def write(self, name: str, data: bytes, mode: int, mtime: float) -> None:
        """Write a whole file, replacing an existing one.

        Raises OSError if nothing was changed, and OutcomeUnknown if the system does not report
        whether the file was replaced.  The write is durable only after `settle`.
        """
        temporary, fd = self._open_new(name, mode)
        try:
            try:
                _write_all(fd, data)
                # Everything is set before the rename: readers and gc must never see a file that has
                # its new name, but not yet its mode and its mtime.
                os.utime(fd, (mtime, mtime))
                if os.fstat(fd).st_mode & mode != mode:  # an unusual umask removed some bits
                    os.fchmod(fd, mode)
                if self.fsync:
                    os.fsync(fd)
            finally:
                os.close(fd)
            self._rename(temporary, name)
        except BaseException:
            with contextlib.suppress(OSError, StoreError):
                self.remove(temporary)
            raise

    def remove(self, name: str) -> None:
        """Delete a file if it exists.  Raises the same errors as `write`."""
        try:
            os.unlink(name, dir_fd=self.fd)
        except FileNotFoundError:
            return
        # A network file system may report an error although it has deleted the file.
        except OSError as error:
            if self._has_after(error, name):
                raise

    def withdraw(self, name: str) -> None:
        """Delete a file; if that fails, give it the temporary name, which is never read."""
        try:
            self.remove(name)
        except (OSError, OutcomeUnknown):
            with contextlib.suppress(FileNotFoundError):
                os.rename(name, NEW, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def settle(self) -> None:
        """With `fsync`, wait until the renames and deletions in this folder are on disk.

        Raises OutcomeUnknown if the system reports an error, since they may or may not be on disk.
        """
        if self.fsync:
            try:
                os.fsync(self.fd)
            except OSError as error:
                raise _unknown(error, self.path) from error

    def set_mtime(self, name: str, mtime: float) -> None:
        """Set a file's modification time, in seconds since the epoch."""
        os.utime(name, (mtime, mtime), dir_fd=self.fd, follow_symlinks=False)

    def mark(self, name: str) -> None:
        """Create an empty file, unless something exists under the name."""
        with contextlib.suppress(FileExistsError):
            os.close(os.open(name, _WRITE, 0o600, dir_fd=self.fd))
        # Also for an existing file: the process that created it may have ended before its fsync.
        if self.fsync:
            os.fsync(self.fd)

    def make(self, name: str) -> None:
        """Create a folder in this one, with access for its owner only, unless it exists."""
        try:
            os.mkdir(name, 0o700, dir_fd=self.fd)
        except FileExistsError:
            return
        try:
            status = os.stat(name, dir_fd=self.fd, follow_symlinks=False)
            if status.st_mode & 0o700 != 0o700:  # an unusual umask removed some bits
                os.chmod(name, 0o700, dir_fd=self.fd)
            if self.fsync:
                os.fsync(self.fd)
        except OSError:
            # A folder that exists is not completed later, so one without its mode must not remain.
            with contextlib.suppress(OSError):
                os.rmdir(name, dir_fd=self.fd)
            raise

    def inner(self, name: str) -> Folder:
        """Open a folder in this one.

        Raises InTheWay if a symbolic link or something other than a folder is in its place.
        """
        path = os.path.join(self.path, name)
        try:
            fd = os.open(name, FOLDER, dir_fd=self.fd)
        except OSError as error:
            if error.errno in NO_FOLDER:
                raise InTheWay(
                    f"{path} must be a folder, and no symbolic link: take away what is there"
                ) from error
            raise
        return Folder(fd, path, fsync=self.fsync)

    def _open_new(self, name: str, mode: int) -> tuple[str, int]:
        """Create a temporary file; return its name and its descriptor."""
        try:
            return NEW, os.open(NEW, _WRITE, mode, dir_fd=self.fd)
        except FileExistsError:
            temporary = NEW
        try:
            self.remove(NEW)  # a writer that was killed left it
        except OSError:  # a folder has this name, and is left alone
            temporary = f"{NEW}.{name}"
            self.remove(temporary)
        return temporary, os.open(temporary, _WRITE, mode, dir_fd=self.fd)

    def _rename(self, temporary: str, name: str) -> None:
        try:
            os.rename(temporary, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        except OSError as error:
            if self._has_after(error, temporary):
                raise

    def _has_after(self, error: OSError, name: str) -> bool:
        """Whether a file still exists after a failed rename or deletion of it.

        If it does not, the operation succeeded in spite of the error.  Raises OutcomeUnknown if
        this cannot be found out.
        """
        try:
            return self.has(name)
        except OSError:
            raise _unknown(error, self.path) from error


def read(path: str, dir_fd: int | None = None) -> bytes | None:
    """Return the content of a file, None if it does not exist, b"" if it is not a regular file.

    A symbolic link as the last part of the path is not followed, and the call never blocks on a
    FIFO or a device.
    """
    try:
        fd = os.open(path, _READ, dir_fd=dir_fd)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in _FOREIGN:
            return b""
        raise
    try:
        data = os.read(fd, _CHUNK)
        # More is read only from a regular file, since a device may never end.
        if len(data) == _CHUNK and stat.S_ISREG(os.fstat(fd).st_mode):
            chunks = [data]
            while chunk := os.read(fd, _CHUNK):
                chunks.append(chunk)
            data = b"".join(chunks)
    except OSError as error:
        if error.errno in _FOREIGN:
            return b""
        raise
    finally:
        close_quietly(fd)
    return data


def read_nowait(path: str) -> bytes:
    """Return the content of a file of at most `_CHUNK` bytes, from the system's cache.

    Raises BlockingIOError for a larger file, for anything that is not a file, and if the content
    would have to be read from the disk; otherwise OSError.  Opening the file may still wait for its
    folder to be read, if that is not in the cache.
    """
    fd = os.open(path, _READ)
    try:
        status = os.fstat(fd)
        size = status.st_size
        # For a folder `preadv` raises the error of a file system that does not support the flag.
        if size > _CHUNK or not stat.S_ISREG(status.st_mode):
            raise BlockingIOError
        data = bytearray(size)
        # If only a part is in the cache, that part is read.
        if os.preadv(fd, [data], 0, os.RWF_NOWAIT) < size:
            raise BlockingIOError
    finally:
        close_quietly(fd)
    return bytes(data)


def _unknown(error: OSError, path: str) -> OutcomeUnknown:
    """Return the error for an operation that may or may not have happened."""
    return OutcomeUnknown(
        f"the file system does not say whether {path} was changed: {error.strerror or error}"
    )


def close_quietly(fd: int) -> None:
    """Close a descriptor of a folder, or of a file that was only read, and ignore errors.

    The system closes the descriptor even if it reports an error.
    """
    try:  # noqa: SIM105 - every read and write closes two: this costs a microsecond less
        os.close(fd)
    except OSError:
        pass


def _write_all(fd: int, data: bytes) -> None:
    """Write all of the data; os.write itself may write only a part."""
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, memoryview(data)[written:])


def _lock(fd: int, path: str) -> None:
    """Take the lock; raise StoreUnavailable after `PATIENCE` seconds.

    The lock is polled, since a blocking flock has no timeout.
    """
    # The lock is usually free, so the clock is read only after the first attempt.
    pause, deadline = 0.0001, 0.0
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            now = time.monotonic()
            deadline = deadline or now + PATIENCE
            if now > deadline:
                raise StoreUnavailable(
                    f"another process held the lock of {path} for {PATIENCE} seconds"
                ) from None
            time.sleep(pause)
            pause = min(pause * 2, 0.005)
        else:
            return
