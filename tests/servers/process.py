"""Servers and tools that tests need, each in a process of its own.

What is missing fails the test: a test that skips itself proves nothing.

Nothing outlives the run.  A block ends its server; and if the run itself is killed, a guard that
sees the pipe between them break ends all servers, by their process groups, and removes their folders.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

LOG_SHOWN = 8_000  # bytes
SETTLES_WITHIN = 30.0  # seconds
BUSY = 15.0
"""Seconds that a busy machine may add where something has to end in time, and not to hang."""

# Below those that the system lends to clients: none takes the port of a server that is down.
PORTS = range(15_000, 32_000)

# Debian keeps servers where only root looks, or where nobody does.
NEWEST_FIRST = sorted(Path("/usr/lib/postgresql").glob("[1-9][0-9]/bin"), reverse=True)
MORE_PATHS = ("/usr/sbin", "/usr/local/sbin", *map(str, NEWEST_FIRST))

# What the guard does once nothing writes to its input any more.
LAST_WILL = """
cat >/dev/null
for pid in "$1"/*.pid; do kill -9 "-$(basename "$pid" .pid)"; done
sleep 0.2
rm -rf "$1"
"""


_claims: list[socket.socket] = []


def free_port() -> int:
    """A port of this machine on which nothing listens, and that no run of the tests is given again.

    Until the run ends it holds the UDP port of the same number, which nothing else here uses: runs
    beside it leave the port alone, also while a test has its server down.
    """
    for port in random.SystemRandom().sample(PORTS, 1000):
        claim = socket.socket(type=socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", port))
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            claim.close()
        else:
            _claims.append(claim)
            return port
    raise OSError("no port is free")


def wait_until(settled: Callable[[], bool], wanted: str) -> None:
    """Give servers time until something is as it is wanted."""
    deadline = time.monotonic() + SETTLES_WITHIN
    while not settled():
        assert time.monotonic() < deadline, f"not within {SETTLES_WITHIN:g} s: {wanted}"
        time.sleep(0.02)


def tool(name: str) -> str:
    """The path of a command."""
    path = shutil.which(name, path=os.pathsep.join([os.environ["PATH"], *MORE_PATHS]))
    assert path, f"{name} is not installed: `make test` installs it, or says how"
    return path


@functools.cache
def workshop() -> Path:
    """The folder of this run: its servers' folders, and a mark for the pid of each."""
    folder = Path(tempfile.mkdtemp(prefix="sojourn-"))
    folder.chmod(0o711)  # servers run as users of their own
    guard = subprocess.Popen(
        [tool("sh"), "-c", LAST_WILL, "guard", folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the run
    )
    atexit.register(guard.communicate)
    return folder


class Process:
    """A server: it listens on `port` when the block begins, and is gone when it ends.

    If it does not come up within `timeout` seconds, or the block fails, its log is added to the
    error.  It is ended by its own pid, and killed if that takes longer than `timeout` too.
    Within the block it may be stopped, killed, and started again.
    """

    user: str | None = None  # who runs it, if not we
    farewell = signal.SIGTERM

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
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._log = tempfile.TemporaryFile()
        try:
            self.start()
        except BaseException as error:
            self.__exit__(type(error), error)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, *_: object
    ) -> None:
        self.stop()
        if error is not None:
            error.add_note(f"--- log of {type(self).__name__} ---\n{self.log()}")
        self._log.close()

    @property
    def pid(self) -> int:
        assert self._process, "it was not started"
        return self._process.pid

    def log(self) -> str:
        """The end of what it has written so far; to read it moves nothing for who writes there."""
        written = os.fstat(self._log.fileno()).st_size
        end = os.pread(self._log.fileno(), LOG_SHOWN, max(0, written - LOG_SHOWN))
        return end.decode(errors="replace")

    def start(self) -> None:
        """Start it, for the first time or after its end, and wait until it serves."""
        self._process = subprocess.Popen(
            self.command(),
            cwd=self._cwd,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            process_group=0,  # by which its workers are ended if they outlive it
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
        )
        self._mark.touch()
        self._wait_until_up()

    def stop(self) -> None:
        """Ask it to end, and insist."""
        if self._process is None:
            return
        self.resume()
        self._process.send_signal(self.farewell)
        try:
            self._process.wait(self._timeout)
        except subprocess.TimeoutExpired:
            self.kill()
        with contextlib.suppress(ProcessLookupError):  # as a rule they have ended before it
            os.killpg(self.pid, signal.SIGKILL)
        self._mark.unlink(missing_ok=True)

    def kill(self) -> None:
        """End it as a crash would."""
        self._signal(signal.SIGKILL)
        assert self._process
        self._process.wait()
        self._mark.unlink(missing_ok=True)

    def pause(self) -> None:
        """Let it hang: it keeps its connections, accepts more, and answers none."""
        self._signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)  # until all its threads stand still

    def resume(self) -> None:
        """Let it go on after a pause."""
        self._signal(signal.SIGCONT)

    def command(self) -> list[str]:
        """What starts it."""
        return self._command

    def is_up(self) -> bool:
        """Whether it serves."""
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), 1.0),
        ):
            return True
        return False

    @property
    def _mark(self) -> Path:
        """What tells the guard of it."""
        return workshop() / f"{self.pid}.pid"

    def _signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)

    def _wait_until_up(self) -> None:
        assert self._process
        deadline = time.monotonic() + self._timeout
        while time.monotonic() < deadline:
            assert self._process.poll() is None, f"ended at once with {self._process.returncode}"
            if self.is_up():
                return
            time.sleep(0.02)
        raise TimeoutError(f"nothing listens on port {self.port} after {self._timeout:g} s")


class Server(Process):
    """A server with a folder of its own, which goes when the block ends.

    `servant` runs it where we are root, since some servers refuse to be root's.
    """

    servant: str | None = None

    def __init__(self, **options: object) -> None:
        super().__init__(port=free_port())
        self.options = options
        self.folder = workshop() / f"{type(self).__name__.lower()}-{self.port}"
        self.user = self.servant if os.geteuid() == 0 else None

    def __enter__(self) -> Self:
        self.folder.mkdir(mode=0o700)
        self._cwd = self.folder
        try:
            self.prepare()
            self.give(self.folder)
            return super().__enter__()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, *_: object
    ) -> None:
        try:
            super().__exit__(kind, error)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def prepare(self) -> None:
        """Fill the folder."""

    def give(self, path: Path) -> None:
        """Make a path belong to who runs the server."""
        if self.user:
            shutil.chown(path, self.user, self.user)
