"""An application on its server, in processes of its own."""

from __future__ import annotations

import sys
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

from bench.serving.apps import SERVERS
from bench.serving.processor import group
from bench.subject import HEADERS, Answer, cookie_of
from tests.servers.process import Process, free_port

ROOT = Path(__file__).parents[2]
ENTRY = "bench.serving.entry:application"
COMMANDS = {
    "gunicorn": f"gunicorn {ENTRY} --workers 1 --no-control-socket --bind 127.0.0.1:{{port}}",
    "uvicorn": f"uvicorn {ENTRY} --workers 1 --no-access-log --log-level warning --port {{port}}",
}
"""The arguments of Python for each server, with one worker of its default kind."""
PROCESSES = {"gunicorn": 2, "uvicorn": 1}
"""How many processes each server has; the worker of gunicorn has a parent."""


class Site(Process):
    """The application of a framework with a session library, on the server of its framework."""

    def __init__(self, framework: str, library: str, store: str) -> None:
        """Describe the application, which keeps its sessions in the Redis with the URL `store`."""
        self.framework, self.library = framework, library
        port = free_port()
        words = COMMANDS[SERVERS[framework]].format(port=port).split()
        env = {"FRAMEWORK": framework, "LIBRARY": library, "STORE": store}
        super().__init__(sys.executable, "-m", *words, port=port, env=env, cwd=ROOT)

    def is_up(self) -> bool:
        """Return whether it serves, with all its processes."""
        return super().is_up() and len(group(self.pid)) == PROCESSES[SERVERS[self.framework]]

    def get(self, page: str, cookie: str | None = None) -> tuple[Answer, str]:
        """Return the response of a page, and its body."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", f"/{page}", headers=headers(cookie))
            return _answer(connection.getresponse())
        finally:
            connection.close()

    def visitor(self) -> str:
        """Begin a session, and return its cookie."""
        answer, _ = self.get("new")
        cookie = cookie_of(answer, None)
        assert answer.status == 200, answer.status
        assert cookie, f"{self.framework}, {self.library}: no cookie"
        return cookie


def headers(cookie: str | None) -> dict[str, str]:
    """Return the headers of a request by a browser."""
    return HEADERS if cookie is None else {**HEADERS, "Cookie": cookie}


def _answer(response: HTTPResponse) -> tuple[Answer, str]:
    body = response.read().decode()
    return Answer(response.status, response.getheaders()), body
