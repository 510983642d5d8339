"""Sessions as FastAPI dependencies.

`asgi.SessionMiddleware` puts the session into the scope.  With the dependencies of this module, a
path operation, another dependency or a WebSocket receives it as a parameter.  Receiving the session
does not count as an access: the `Vary` header is sent only if the session is then read or changed.

If all code receives its sessions in this way, give the middleware `quiet=True`: the store is then
asked only by the path operations that have such a parameter.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from sojourn.errors import ConfigError
from sojourn.session import Session
from sojourn.web._versions import require

# Since 0.118 a dependency with `yield` ends only after the response is sent.
require("fastapi", "0.118")


def session_from(key: str) -> Callable[[HTTPConnection], Awaitable[Session]]:
    """Return a dependency that provides the session started by the middleware with this `key`.

    It is meant for a second manager; for the default key use `CurrentSession`.  The dependency
    raises ConfigError if the scope has no session of Sojourn under `key`.
    """

    async def session_of(connection: HTTPConnection) -> Session:
        session = connection.scope.get(key)
        if isinstance(session, Session):
            await session.load()
            return session
        raise ConfigError(
            f"no session of Sojourn stands under {key!r}: install its middleware, with "
            f"app.add_middleware(sojourn.web.asgi.SessionMiddleware, manager=..., key={key!r}), "
            "in place of any other that stands there"
        )

    return session_of


CurrentSession = Annotated[Session, Depends(session_from("session"))]
"""The type of a parameter that receives the session of the request or the WebSocket.

It works in path operations, in dependencies and in WebSocket endpoints.
"""
