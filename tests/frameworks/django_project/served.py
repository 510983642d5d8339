"""The project behind a server, and what one does there without a browser."""

from __future__ import annotations

import itertools
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from sojourn import Manager
from tests.servers.certificates import Certificate
from tests.servers.process import Process, free_port

ROOT = Path(__file__).parents[3]
NAME = "tests.frameworks.django_project"
COOKIE = "sessionid"
GUNICORN = ("--workers", "2", "--threads", "4", "--no-control-socket")
PASSWORD = "wander-0"
REMEMBERED = 21 * 24 * 3600  # seconds

USERS = """
from django.contrib.auth.models import User
for number in range(1, {many} + 1):
    User.objects.create_superuser(f"user{{number}}", password="{password}", pk=number)
"""


class Person(NamedTuple):
    """Somebody who may do everything in the admin."""

    pk: int

    @property
    def name(self) -> str:
        return f"user{self.pk}"

    @property
    def id(self) -> str:
        """Who that is to Sojourn."""
        return str(self.pk)


@dataclass
class Site:
    """The project with a store of its own, on a port of its own."""

    folder: Path
    provider: tuple[str, Any]
    server: str = "gunicorn"
    middleware: str = "sojourn"
    certificate: Certificate | None = None
    port: int = field(default_factory=free_port)

    @property
    def colour(self) -> str:
        return "async" if self.server == "uvicorn" else "sync"

    @property
    def address(self) -> str:
        return f"{'https' if self.certificate else 'http'}://localhost:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        plan = {
            "folder": str(self.folder),
            "provider": self.provider,
            "middleware": self.middleware,
            "colour": self.colour,
            "https": self.certificate is not None,
            "remembered": REMEMBERED,
        }
        return {"DJANGO_SETTINGS_MODULE": f"{NAME}.settings", "PROJECT": json.dumps(plan)}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve it for one block: gunicorn with two workers, or uvicorn."""
        with self._process, closing(self.manager):
            yield

    def log(self) -> str:
        """The end of what the server has said so far."""
        return self._process.log()

    @cached_property
    def _process(self) -> Process:
        if self.colour == "sync":
            words = [*GUNICORN, "--bind", f"127.0.0.1:{self.port}", f"{NAME}.wsgi"]
            keys = ("--certfile", "--keyfile")
        else:
            words = ["--port", str(self.port), f"{NAME}.asgi:application"]
            keys = ("--ssl-certfile", "--ssl-keyfile")
        if self.certificate:
            files = map(str, (self.certificate.certificate, self.certificate.key))
            words += itertools.chain.from_iterable(zip(keys, files, strict=True))
        command = (sys.executable, "-W", "error", "-m", self.server, *words)
        return Process(*command, port=self.port, cwd=ROOT, env=self.env)

    def command(self, *words: str) -> str:
        """What a command of Django's says; it fails if that fails."""
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "django", *words],
            cwd=ROOT, env={**os.environ, **self.env}, text=True, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def make_database(self, *, users: int) -> Path:
        """Django's tables, and people to sign in."""
        self.command("migrate")
        self.command("shell", "-v", "0", "-c", USERS.format(many=users, password=PASSWORD))
        return self.folder / "project.db"

    @cached_property
    def manager(self) -> Manager:
        """The same store, seen from here."""
        return self.manager_at(time.time)

    def manager_at(self, clock: Callable[[], float]) -> Manager:
        """The same store, seen from here at another time."""
        name, config = self.provider
        return Manager(name, clock=clock, provider_config=config, cookie_name=COOKIE)

    def ask(self, method: str, path: str, token: str, **form: str) -> httpx.Response:
        """Send what somebody who has this token would send."""
        ca = self.certificate.ca if self.certificate else None
        verify = ssl.create_default_context(cafile=ca)
        headers = {"Cookie": f"{COOKIE}={token}", "Origin": self.address}
        with httpx.Client(verify=verify, trust_env=False) as client:
            return client.request(method, self.address + path, headers=headers, data=form)

    def is_dead(self, token: str) -> bool:
        """Whether this token names nobody, and the answer leaves a newer cookie alone."""
        answer = self.ask("GET", "/", token)
        assert answer.status_code == 200
        return "Nobody is signed in." in answer.text and "Set-Cookie" not in answer.headers

    def sessions_of(self, person: Person) -> int:
        """How many sessions somebody has."""
        return len(list(self.manager.sessions(person.id)))
