"""The session middleware, as Litestar knows session middlewares.

Litestar's own verbs put another value into the session's place.  Here they change the session
that stands there, at once, so that nothing of what happens to it is lost.
"""

from __future__ import annotations

from typing import Any, cast

from litestar.middleware import AbstractMiddleware, DefineMiddleware
from litestar.middleware.session import SessionMiddleware
from litestar.security.session_auth.middleware import MiddlewareWrapper
from litestar.types import ASGIApp, Empty, Receive, Scope, Send

from sojourn.errors import ConfigError
from sojourn.manager import AsyncManager
from sojourn.session import Session
from sojourn.web import _lifespan, asgi


class Sessions(SessionMiddleware[Any]):
    """`asgi.SessionMiddleware`, of the class that Litestar's FlashPlugin asks for."""

    def __init__(self, app: ASGIApp, manager: AsyncManager, key: str, **excluded: Any) -> None:
        AbstractMiddleware.__init__(self, app, **excluded)

        async def refillable(scope: Any, receive: Any, send: Any) -> None:
            await app(cast("Scope", _Refillable(scope)), receive, send)

        self._serve: _lifespan.App = asgi.SessionMiddleware(refillable, manager, key=key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._serve(cast("Any", scope), cast("Any", receive), cast("Any", send))


class _Refillable(dict[str, Any]):
    """A scope whose sessions stay: `set_session` refills one, `clear_session` ends it."""

    def __setitem__(self, key: str, value: Any) -> None:
        session = self.get(key)
        if not isinstance(session, Session):
            super().__setitem__(key, value)
        elif value is Empty:
            session.destroy()
        elif value is not session:
            given = dict(value)  # refused before anything is dropped
            session.clear()
            session.update(given)


def refuse_two(key: str, handler: Any) -> None:
    """Raise ConfigError if any layers give a route handler two sessions under one key."""
    found = [each for each in handler.resolve_middleware() if _key_of(each) == key]
    if len(found) > 1:
        makers = " and ".join(each.middleware.__module__.partition(".")[0] for each in found)
        raise ConfigError(
            f"{handler} has two session middlewares under {key!r}, of {makers}: take one away, or "
            "give that of another manager another key. (SessionAuth of Litestar brings one along: "
            "let a guard ask who is signed in, in its place.)"
        )


def _key_of(middleware: object) -> str | None:
    """Where a session middleware of any make keeps its session; None for other middlewares."""
    kinds = (SessionMiddleware, MiddlewareWrapper, asgi.SessionMiddleware)
    kind = middleware.middleware if isinstance(middleware, DefineMiddleware) else None
    if not isinstance(kind, type) or not issubclass(kind, kinds):
        return None
    return cast("str", cast("DefineMiddleware", middleware).kwargs.get("key", "session"))
