"""Quart: its own signed cookie, and Sojourn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quart import Quart, request, session

from bench.asgi import Asgi, done
from bench.frameworks.common import QUIET_PAGE, SECRET, Ours, Subjects, over
from bench.stores import address
from bench.subject import QUIET, WORK
from sojourn.web.quart import install


async def _visited() -> str:
    scope: Any = request.scope
    await done(scope[WORK](session))
    return "ok"


async def _plain() -> str:
    return "ok"


def _application(view: Any, **config: Any) -> Quart:
    app = Quart(__name__)
    app.config.update(PROPAGATE_EXCEPTIONS=True, **config)
    app.add_url_rule("/", "view", view)
    app.add_url_rule(QUIET, "quiet", _plain)
    return app


class SignedCookie(Asgi):
    """The built-in sessions of Quart."""

    name = "Quart"
    store = "cookie"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.without = _application(_plain).asgi_app
        self.with_session = _application(_visited, SECRET_KEY=SECRET).asgi_app


class Sojourn(Ours, Asgi):
    """Sojourn provides `quart.session`."""

    settings = f"quiet={QUIET_PAGE}"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.without = _application(_plain).asgi_app
        app = _application(_visited)
        place = address(self.store, folder)
        self.manager = install(app, self.store, provider_config=place, quiet=QUIET_PAGE)
        self.with_session = app.asgi_app


SUBJECTS: Subjects = (SignedCookie, *over(Sojourn, "memory", "redis"))
