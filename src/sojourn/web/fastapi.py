"""Sessions as dependencies of FastAPI.

`asgi.SessionMiddleware` puts the session into the scope; here stands how a path operation, a
dependency or a WebSocket asks for it by its type.  A session that is asked for is not yet read:
`Vary` follows what is done with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from sojourn.errors import ConfigError
from sojourn.session import Session
from sojourn.web._versions import require

require("fastapi", "0.118")  # from which on a dependency with `yield` ends after the response


def session_from(key: str) -> Callable[[HTTPConnection], Awaitable[Session]]:
    """Return a dependency: the session that a middleware with this `key` started.

    For a second manager; that of the first is `CurrentSession`.  The dependency raises
    ConfigError where there is no such session.
    """

    async def session_of(connection: HTTPConnection) -> Session:
        session = connection.scope.get(key)
        if isinstance(session, Session):
            return session
        raise ConfigError(
            f"no session of Sojourn stands under {key!r}: install its middleware, with "
            f"app.add_middleware(sojourn.web.asgi.SessionMiddleware, manager=..., key={key!r}), "
            "in place of any other that stands there"
        )

    return session_of


CurrentSession = Annotated[Session, Depends(session_from("session"))]
"""The visitor's session, in path operations, in dependencies and in WebSockets."""
