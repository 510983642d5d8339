"""What works on Windows, as far as it can be told on another system.

A process takes away what Python lacks on Windows, says that it runs there, and then imports Sojourn.
What Windows itself does otherwise, such as refusing to delete a file that is open, shows only there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.redis import Redis, admit, fresh_prefix

ROOT = Path(__file__).parents[2]

WINDOWS = """
# Python's own library decides by the platform as it is imported, so this comes first.
import asyncio, concurrent.futures, ctypes, zoneinfo, logging, multiprocessing, pathlib, select, signal, socket
import sqlite3, ssl, subprocess, tempfile, threading, uuid
import os, sys
for module in ("fcntl", "grp", "posix", "pwd", "resource", "syslog", "termios", "tty"):
    sys.modules[module] = None
for module, names in {
    os: "O_CLOEXEC O_DIRECTORY O_NOCTTY O_NOFOLLOW O_NONBLOCK O_SYNC chown fchdir fchmod fchown fork"
        " forkpty getegid geteuid getgid getuid kill killpg mkfifo register_at_fork setsid uname"
        " waitid",
    select: "poll epoll",
    signal: "SIGALRM SIGHUP SIGKILL SIGUSR1 SIGUSR2 pthread_sigmask setitimer",
    socket: "SO_REUSEPORT",
}.items():
    for name in names.split():
        vars(module).pop(name, None)
for capability in (os.supports_dir_fd, os.supports_effective_ids, os.supports_follow_symlinks):
    capability.clear()
os.supports_fd.discard(os.chmod)
sys.platform = "win32"
assert "sojourn" not in sys.modules

from sojourn import ConfigError, Manager, AsyncManager


def sound(said):
    # The Redis of the tests keeps nothing on its disk, which is no fault here.
    return all("saves nothing to its disk" in line for line in said)


def lives(manager):
    session = manager.start({})
    session.login("ada")
    session["cart"] = ["apple"]
    headers = manager.release(session).headers
    again = manager.start({"Cookie": dict(headers)["Set-Cookie"].partition(";")[0]})
    assert (again.user, again["cart"]) == ("ada", ["apple"])
    again["cart"].append("pear")
    manager.release(again)
    assert [found.user for found in manager.sessions("ada")] == ["ada"]
    assert sound(manager.check())
    assert manager.destroy_user("ada") == 1
    assert manager.gc() == 0
    manager.close()


async def lives_async(manager):
    session = await manager.start({})
    session["cart"] = ["apple"]
    headers = (await manager.release(session)).headers
    again = await manager.start({"Cookie": dict(headers)["Set-Cookie"].partition(";")[0]})
    assert again["cart"] == ["apple"]
    assert sound(await manager.check())
    await manager.close()

"""


def run(script: str, *arguments: str) -> None:
    command = [sys.executable, "-Werror", "-c", WINDOWS + script, *arguments]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


EACH = """
import json
provider, config = sys.argv[1], json.loads(sys.argv[2])
lives(Manager(provider, provider_config=config))
asyncio.run(lives_async(AsyncManager(provider, provider_config=config)))
"""


def test_memory() -> None:
    run(EACH, "memory", "null")


def test_sqlite(tmp_path: Path) -> None:
    run(EACH, "sqlite", json.dumps({"path": f"{tmp_path}/sessions.db"}))


def test_redis(redis_server: Redis) -> None:
    prefix = fresh_prefix()
    address = redis_server.url(admit(prefix, redis_server))
    run(EACH, "redis", json.dumps({"address": address, "prefix": prefix}))


@pytest.mark.parametrize(
    "make",
    [
        "Manager('file', provider_config=sys.argv[1])",
        "AsyncManager('file', provider_config=sys.argv[1])",
        "__import__('sojourn.providers.file')",
    ],
)
def test_files_are_refused_with_what_to_take_instead(tmp_path: Path, make: str) -> None:
    script = f"""
try:
    {make}
except ConfigError as error:
    assert "Linux and macOS" in str(error) and "'sqlite'" in str(error), error
else:
    raise SystemExit("it was not refused")
"""
    run(script, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "module", ["sojourn.cli", "sojourn.testing", "sojourn.web.wsgi", "sojourn.web.asgi"]
)
def test_what_names_no_store_can_be_imported(module: str) -> None:
    run(f"import {module}")
