"""Runs the tests of a Django project of its own, as anybody runs those of theirs."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.servers.process import BUSY

MIDDLEWARES = {
    "ours": "sojourn.web.django.SessionMiddleware",
    "djangos": "django.contrib.sessions.middleware.SessionMiddleware",
}


def run(project: str, middleware: str, *classes: str, **environment: str) -> None:
    """Run the `journeys` of a folder of `tests/web`, or these classes of them."""
    journeys = f"tests.web.{project}.journeys"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "django", "test", "--keepdb", "--noinput"),
            *([f"{journeys}.{each}" for each in classes] or [journeys]),
        ],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "DJANGO_SETTINGS_MODULE": f"tests.web.{project}.settings",
            "SESSION_MIDDLEWARE": MIDDLEWARES[middleware],
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60 + 10 * BUSY,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\nOK" in done.stderr
