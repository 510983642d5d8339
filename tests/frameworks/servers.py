"""The servers that applications are tried on, each in processes of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from tests.frameworks.frameworks import Kind
from tests.frameworks.probe import Plan
from tests.servers import Process, free_port

ROOT = Path(__file__).parents[2]
ENTRY = "tests.frameworks.serve:application"
WORDS: dict[str, Callable[[int], tuple[str, ...]]] = {
    "gunicorn": lambda port: (
        *("gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "2", "--threads", "8"),
        *("--no-control-socket", "--access-logfile", "-", ENTRY),
    ),
    "gunicorn-aiohttp": lambda port: (
        *("gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "2"),
        *("--worker-class", "aiohttp.GunicornWebWorker"),
        *("--no-control-socket", "--access-logfile", "-", ENTRY),
    ),
    "uvicorn": lambda port: ("uvicorn", "--port", str(port), ENTRY),
    "hypercorn": lambda port: (
        *("hypercorn", "--bind", f"127.0.0.1:{port}"),
        *("--access-logfile", "-", ENTRY),
    ),
    "granian": lambda port: (
        *("granian", "--interface", "asgi", "--port", str(port)),
        *("--access-log", ENTRY),
    ),
    "aiohttp": lambda port: ("tests.frameworks.serve", str(port)),
}

DROP_HEADERS_OF_HANDSHAKES = {"granian"}
"""Servers that leave away what `websocket.accept` wants to say, a cookie among it."""

USUAL = {Kind.WSGI: "gunicorn", Kind.ASGI: "uvicorn", Kind.AIOHTTP: "aiohttp"}


class Served(Process):
    """A server of one application."""

    def whole_log(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")


def served(server: str, name: str, plan: Plan) -> Served:
    """The server, to be entered, of the framework of that name."""
    port = free_port()
    env = {"FRAMEWORK": name, "PROBE": plan.to_env()}
    command = (sys.executable, "-m", *WORDS[server](port))
    return Served(*command, port=port, cwd=ROOT, env=env)
