"""A site on Litestar that logs its requests.  A program, since that sets the process's logging up.

Its arguments are the code that makes `log`, a LoggingMiddlewareConfig, the cookie's name, and
whether the site logs by structlog.  It logs two requests and then prints the visitor's token.
"""

from __future__ import annotations

import sys
from typing import Any

from litestar import Litestar, Request, get
from litestar.logging import LoggingConfig
from litestar.plugins.structlog import StructlogConfig, StructlogPlugin
from litestar.testing import TestClient

from sojourn import AsyncManager
from sojourn.web.litestar import SessionPlugin


@get("/")
async def count(request: Request[Any, Any, Any]) -> int:
    request.session["count"] = request.session.get("count", 0) + 1
    return int(request.session["count"])


def site(source: str, name: str, by: str) -> Litestar:
    page: dict[str, Any] = {}
    exec(source, page)
    log, sessions = page["log"], SessionPlugin(AsyncManager("memory", cookie_name=name))
    if by == "structlog":
        structlog = StructlogPlugin(StructlogConfig(middleware_logging_config=log))
        return Litestar([count], plugins=[sessions, structlog])
    return Litestar(
        [count], plugins=[sessions], middleware=[log.middleware], logging_config=LoggingConfig()
    )


def main(source: str, name: str, by: str) -> None:
    with TestClient(site(source, name, by), base_url="https://shop.example") as client:
        client.cookies.set("theme", "dark")
        client.get("/")
        assert client.get("/").json() == 2
        sys.stdout.write(f"\n{client.cookies[name]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
