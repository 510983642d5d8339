"""The servers that applications are tried on, each in processes of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.frameworks.frameworks import Kind
from tests.frameworks.probe import Plan
from tests.servers.process import Process, free_port

ROOT = Path(__file__).parents[2]
ENTRY = "tests.frameworks.serve:application"
GUNICORN = f"gunicorn --workers 2 --no-control-socket --access-logfile - {ENTRY} --bind 127.0.0.1:"

COMMANDS = {
    "gunicorn": f"{GUNICORN}{{port}} --threads 8",
    "gunicorn-aiohttp": f"{GUNICORN}{{port}} --worker-class aiohttp.GunicornWebWorker",
    "uvicorn": f"uvicorn {ENTRY} --port {{port}}",
    "hypercorn": f"hypercorn {ENTRY} --access-logfile - --bind 127.0.0.1:{{port}}",
    "granian": f"granian {ENTRY} --interface asgi --access-log --port {{port}}",
    "granian-wsgi": f"granian {ENTRY} --interface wsgi --blocking-threads 16 --access-log "
    "--port {port}",
    "aiohttp": "tests.frameworks.serve {port}",
}
"""What starts each of them, as a module of Python."""

USUAL = {Kind.WSGI: "gunicorn", Kind.ASGI: "uvicorn", Kind.AIOHTTP: "aiohttp"}

DROP_HEADERS_OF_HANDSHAKES = {"granian"}
"""Servers that leave away what `websocket.accept` wants to say, a cookie among it."""

READY = "the application stands"
"""What each process says before it serves."""


class Served(Process):
    """A server of one application.  It is up when all of its processes are."""

    processes = 1

    def is_up(self) -> bool:
        return self.whole_log().count(READY) == self.processes and super().is_up()

    def whole_log(self) -> str:
        """All that it has written, read without moving to where it writes."""
        log = self._log.fileno()
        return os.pread(log, os.fstat(log).st_size, 0).decode(errors="replace")


def served(server: str, name: str, plan: Plan) -> Served:
    """The server, to be entered, of the framework of that name."""
    port = free_port()
    words = COMMANDS[server].format(port=port).split()
    env = {"FRAMEWORK": name, "PROBE": plan.to_env()}
    process = Served(sys.executable, "-m", *words, port=port, cwd=ROOT, env=env)
    process.processes = 2 if server.startswith("gunicorn") else 1
    return process
