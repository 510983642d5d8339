"""Flask, where something goes wrong beside the request."""

from __future__ import annotations

from secrets import token_hex
from typing import Any

import pytest
from flask import Flask
from werkzeug.debug import DebuggedApplication
from werkzeug.test import run_wsgi_app

from sojourn import StoreUnavailable
from sojourn.providers.memory import MemoryProvider
from sojourn.web.flask import install, session
from tests.web.test_wsgi import environ_of


class Down(MemoryProvider):
    """Cannot be swept or counted."""

    def gc(self, now: float, limit: int) -> int:
        raise StoreUnavailable("no store today")

    def count(self, now: float) -> int:
        raise StoreUnavailable("no store today")


@pytest.mark.parametrize("command", ["gc", "count"])
def test_a_command_says_in_one_line_that_the_store_is_down(command: str) -> None:
    app = Flask(__name__)
    install(app, Down())
    said = app.test_cli_runner().invoke(args=["sessions", command])
    assert (said.exit_code, said.stderr) == (1, "Error: no store today\n")


def test_the_debugger_shows_no_secret() -> None:
    app = Flask(__name__)
    key = token_hex()  # which no line of source shows
    manager = install(app, MemoryProvider(), hash_key=key)
    app.testing = True  # errors leave Flask

    def view() -> str:
        session.setdefault("things", []).append(object())
        return ""

    app.add_url_rule("/", view_func=view)
    with manager.open({}) as begun:
        begun["name"] = "Bo"
    assert begun.released is not None
    token = str(begun.released.token)
    environ: Any = environ_of(HTTP_COOKIE=f"session={token}")
    body, status, _ = run_wsgi_app(DebuggedApplication(app.wsgi_app), environ, buffered=True)
    page = b"".join(body).decode()
    assert status.startswith("500")
    assert "EncodeError" in page
    assert [secret for secret in (token, key) if secret in page] == []
