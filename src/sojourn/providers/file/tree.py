"""The folder tree of the file provider, from its root down.

Writers never go through a symbolic link: they open a folder step by step, and no step below the
root follows a link.  Readers do follow links among the folders on the way to a file, but not a link
in the file's own place.  Checking each step would make a read half as expensive again, and an
attacker who can place a link there could place a forged session there as well.
"""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

from sojourn.errors import ConfigError
from sojourn.providers.file.locked_folder import (
    FOLDER,
    LIST,
    NO_FOLDER,
    Folder,
    close_quietly,
    refusal,
)
from sojourn.providers.owners import whose

P = ParamSpec("P")
T = TypeVar("T")


def translated(verb: Callable[P, T]) -> Callable[P, T]:
    """Decorate a method so that an OSError is raised as StoreUnavailable."""

    @functools.wraps(verb)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return verb(*args, **kwargs)
        except OSError as error:
            raise refusal(error, "the session folder") from error

    return call


class Tree:
    """The folders below a root, each named by its relative path, such as "a/b"."""

    def __init__(self, root: str, *, fsync: bool) -> None:
        self.root = root
        self.fsync = fsync

    def open(self, name: str) -> Folder:
        """Open a folder for writing.

        Raises FileNotFoundError if it does not exist, and InTheWay, with the path in the message,
        if a link or a file is in its place or in that of a folder above it.
        """
        above, _, last = name.rpartition("/")
        try:
            outer = os.open(f"{self.root}/{above}", FOLDER)
            try:
                fd = os.open(last, FOLDER, dir_fd=outer)
            finally:
                close_quietly(outer)
        except FileNotFoundError:
            raise
        except OSError as error:
            # The fast way does not show which part of the path is wrong.  Walking it step by step
            # raises InTheWay, which names that part.
            if error.errno in NO_FOLDER:
                self._walked(name).close()
            raise refusal(error, f"{self.root}/{above}") from error
        return Folder(fd, f"{self.root}/{name}", fsync=self.fsync)

    def make(self, name: str) -> Folder:
        """Open a folder for writing; create it and the folders above it if they do not exist.

        The root is created here too, and not earlier: a command that only imports the application,
        perhaps as another user, must not create a folder that the server cannot write.
        """
        # The usual case first: after the first sessions all folders exist.
        with contextlib.suppress(FileNotFoundError):
            return self.open(name)
        with contextlib.suppress(FileNotFoundError):
            return self._walked(name, make=True)
        # The root is made like a folder below it, with mode 0700; those above it are not private.
        above, root = os.path.split(self.root)
        os.makedirs(above, exist_ok=True)
        with Folder(os.open(above, LIST), above, fsync=self.fsync) as folder:
            folder.make(root)
        return self._walked(name, make=True)

    def entries(self, name: str) -> Iterator[os.DirEntry[str]]:
        """Yield the entries of a folder; yield nothing if it does not exist.

        Raises InTheWay if something else is in its place.
        """
        try:
            fd = os.open(f"{self.root}/{name}", LIST)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno in NO_FOLDER:
                self.check(name)
            raise
        try:
            # Scanning the descriptor makes each `stat` relative to it, which is cheaper.
            with os.scandir(fd) as found:
                yield from found
        finally:
            close_quietly(fd)

    def statuses(self, name: str) -> Iterator[tuple[str, os.stat_result]]:
        """Yield name and status of each entry of a folder; skip those deleted in the meantime."""
        for entry in self.entries(name):
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            yield entry.name, status

    def check(self, name: str) -> None:
        """Raise InTheWay if something else is in the place of a folder, or of one above it.

        Does nothing if the folder does not exist.
        """
        with contextlib.suppress(FileNotFoundError):
            self.open(name).close()

    def _walked(self, name: str, *, make: bool = False) -> Folder:
        """Open a folder step by step from the root, without following symbolic links."""
        folder = Folder(os.open(self.root, LIST), self.root, fsync=self.fsync)
        try:
            # `with` closes each folder as soon as the one in it is open.
            for part in name.split("/"):
                with folder:
                    if make:
                        folder.make(part)
                    folder = folder.inner(part)
        except BaseException:
            folder.close()
            raise
        return folder


def usable(path: object) -> str:
    """Return the path of a folder for sessions as an absolute path.

    The folder need not exist, if this process could create it.  Raises ConfigError if it cannot
    hold sessions.
    """
    if not isinstance(path, str | os.PathLike) or not (name := os.fsdecode(path)) or "\0" in name:
        raise ConfigError(
            f"provider_config: {path!r} must be the path of a folder, such as './sessions'"
        )
    folder = os.path.abspath(name)
    there = _nearest(folder)
    try:
        # Writing a file is the only reliable test: mode bits do not show whether a disk is
        # read-only or full.
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        reason = error.strerror if os.path.isdir(there) else f"{there!r} is no folder"
        owner = whose(there) if isinstance(error, PermissionError) else ""
        raise ConfigError(
            f"provider_config: {folder!r} cannot hold sessions: {reason}{owner}. "
            "Name a folder in which this process may write"
        ) from error
    return folder


def supports_nowait(folder: str) -> bool:
    """Whether the file system reads from its cache alone if asked to, with RWF_NOWAIT.

    So do the usual file systems of local disks on Linux.  Those that fetch files over a network do
    not: there even opening a file may wait.
    """
    if not hasattr(os, "RWF_NOWAIT"):
        return False
    try:
        with tempfile.TemporaryFile(dir=_nearest(folder), buffering=0) as file:
            file.write(b"\0")  # now it is in the cache
            return os.preadv(file.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT) == 1
    except OSError:
        return False


def _nearest(folder: str) -> str:
    """Return the nearest folder on a path that exists; the others would be created in it."""
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    return folder
