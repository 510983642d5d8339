"""The stores that the demo shop can use.

A folder, or a Redis server if none is running, is set up here.  A database must exist already,
because only its administrator can grant access to it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sojourn import Manager, StoreError

HOST = "127.0.0.1"
USUAL_REDIS = f"redis://{HOST}:6379/0"
PREFIX = "sojourn-demo"
STARTS_WITHIN = 10.0  # seconds
NEED = Path(__file__).parents[2] / "scripts" / "need"
# Ends the server when this process ends, even by a crash: `read` returns once the pipe is closed.
GUARDED = '"$@" & read -r _; kill $!; wait'

WHERE = {
    "file": "in files, and survive a restart",
    "memory": "in the memory of the shop, and end with it",
    "mysql": "in MySQL or MariaDB, and survive a restart",
    "postgres": "in PostgreSQL, and survive a restart",
    "redis": "in Redis, and survive a restart",
    "sqlite": "in a file of SQLite, and survive a restart",
}
"""For each store, a description of the place where the sessions are kept."""

Config = str | dict[str, str] | None
"""The type of the manager's `provider_config` argument."""


@contextmanager
def config_of(store: str, address: str | None, folder: Path) -> Iterator[Config]:
    """Yield the `provider_config` of a store that is available during the block."""
    if store == "redis":
        with _redis(address or os.environ.get("REDIS_URL"), folder / "redis") as found:
            yield {"address": found, "prefix": PREFIX}
    elif store in ("mysql", "postgres") and address is None:
        raise SystemExit(f"say where it is: make demo PROVIDER={store} ADDRESS=…")
    elif store == "sqlite":
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield address or str(folder / "sessions.db")
    else:
        yield None if store == "memory" else address or str(folder)


@contextmanager
def _redis(address: str | None, folder: Path) -> Iterator[str]:
    """Yield the address of a Redis: the given one, the default one, or one started here."""
    if address is not None or _answers(USUAL_REDIS):
        yield address or USUAL_REDIS
        return
    if shutil.which("redis-server") is None:
        _install("redis-server")
    with _started(folder) as port:
        yield f"redis://{HOST}:{port}/0"


def _install(command: str) -> None:
    if subprocess.run([NEED, command], check=False).returncode != 0:  # noqa: S603 - ours
        raise SystemExit("or say where one is: make demo PROVIDER=redis ADDRESS=…")


@contextmanager
def _started(folder: Path) -> Iterator[int]:
    """Start a Redis server that keeps its data in the folder, and yield its port."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    options = {"port": port, "bind": HOST, "dir": folder, "appendonly": "yes", "logfile": "log"}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = ["sh", "-c", GUARDED, "sh", "redis-server", *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True):  # noqa: S603 - ours
        _wait_for(port, folder)
        print(f"It has a Redis of its own (redis-cli -p {port}), with the data in {folder}.")
        yield port


def _wait_for(port: int, folder: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while not _answers(f"redis://{HOST}:{port}/0"):
        if time.monotonic() > deadline:
            raise SystemExit(f"Redis does not start: {folder / 'log'} says why")
        time.sleep(0.05)


def _answers(address: str) -> bool:
    config = {"address": address, "timeout": 1.0}
    with suppress(StoreError), closing(Manager("redis", provider_config=config)) as manager:
        manager.active_count()
        return True
    return False
