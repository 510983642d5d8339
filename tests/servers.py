"""Servers and tools that tests need, each in a process of its own.

What is missing fails the test: a test that skips itself proves nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

LOG_SHOWN = 8_000  # characters


def free_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def tool(name: str) -> str:
    """The path of a command; Debian keeps servers where only root looks."""
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    assert path, f"{name} is not installed: `make test` installs it, or says how"
    return path


class Process:
    """A server: it listens on `port` when the block begins, and is gone when it ends.

    If it does not come up within `timeout` seconds, or the block fails, its log is added to the
    error.  It is ended by its own pid, and killed if that takes longer than `timeout` too.
    """

    def __init__(
        self,
        *command: str | Path,
        port: int,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 30.0,
    ) -> None:
        self.port = port
        self._command = [str(word) for word in command]
        self._env = {**os.environ, **(env or {})}
        self._cwd = cwd
        self._timeout = timeout

    def __enter__(self) -> Self:
        self._log = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._cwd,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
            )
        except OSError:
            self._log.close()
            raise
        try:
            self._wait_for_port()
        except BaseException as error:
            self.__exit__(type(error), error)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, *_: object
    ) -> None:
        self.stop()
        if error is not None:
            error.add_note(f"--- log of {self._command[0]} ---\n{self.log()}")
        self._log.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def log(self) -> str:
        """The end of what it has written so far."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-LOG_SHOWN:]

    def stop(self) -> None:
        """Ask it to end, and insist."""
        self._process.terminate()
        try:
            self._process.wait(self._timeout)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self._process.wait()

    def _wait_for_port(self) -> None:
        deadline = time.monotonic() + self._timeout
        while time.monotonic() < deadline:
            assert self._process.poll() is None, f"ended at once with {self._process.returncode}"
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), 1.0),
            ):
                return
            time.sleep(0.02)
        raise TimeoutError(f"nothing listens on port {self.port} after {self._timeout:g} s")
