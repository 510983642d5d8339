"""The session middleware in the form that Litestar and its plugins expect.

Litestar's `set_session` and `clear_session` put another value in the place of the session.  Here
they change the existing session immediately instead, so that no change to it is lost.
"""

from __future__ import annotations

from typing import Any, cast

from litestar.di import Provide
from litestar.middleware import AbstractMiddleware, DefineMiddleware
from litestar.middleware.session import SessionMiddleware
from litestar.security.session_auth.middleware import MiddlewareWrapper
from litestar.types import ASGIApp, Empty, Receive, Scope, Send

from sojourn.errors import ConfigError
from sojourn.manager import AsyncManager
from sojourn.session import Session
from sojourn.web import _lifespan, asgi
from sojourn.web._quiet import Quiet


class Sessions(SessionMiddleware[Any]):
    """`asgi.SessionMiddleware` as a subclass of Litestar's own, which its FlashPlugin requires."""

    def __init__(
        self, app: ASGIApp, manager: AsyncManager, key: str, quiet: Quiet, **excluded: Any
    ) -> None:
        # Litestar's SessionMiddleware.__init__ needs a backend, and we have none.
        AbstractMiddleware.__init__(self, app, **excluded)

        # The application gets a scope in which it cannot replace the session by another value.
        async def refillable(scope: Any, receive: Any, send: Any) -> None:
            await app(cast("Scope", _Refillable(scope)), receive, send)

        self._serve: _lifespan.App = asgi.SessionMiddleware(
            refillable, manager, key=key, quiet=quiet
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._serve(cast("Any", scope), cast("Any", receive), cast("Any", send))


class _Refillable(dict[str, Any]):
    """A scope whose session is kept: `set_session` replaces its data, `clear_session` ends it."""

    def __setitem__(self, key: str, value: Any) -> None:
        session = self.get(key)
        if not isinstance(session, Session):
            super().__setitem__(key, value)
        elif value is Empty:
            session.destroy()
        elif value is not session:
            given = dict(value)  # a wrong value raises before the session is cleared
            session.clear()
            session.update(given)


def refuse_two(key: str, handler: Any) -> None:
    """Raise ConfigError if the layers of a route handler define two sessions under one key."""
    # `resolve_middleware` joins the middlewares of all layers, from the application to the handler.
    found = [each for each in handler.resolve_middleware() if _key_of(each) == key]
    if len(found) > 1:
        makers = " and ".join(each.middleware.__module__.partition(".")[0] for each in found)
        raise ConfigError(
            f"{handler} has two session middlewares under {key!r}, of {makers}: take one away, or "
            "give that of another manager another key. (SessionAuth of Litestar brings one along: "
            "let a guard ask who is signed in, in its place.)"
        )


def refuse_other(parameter: str, provided: Provide, handler: Any) -> None:
    """Raise ConfigError if a handler's parameter has the session's name but another type.

    It may be meant as a query parameter: Litestar finds these by the parameter's name, too, and the
    session's dependency would take precedence.
    """
    field = handler.parsed_fn_signature.parameters.get(parameter)
    ours = handler.resolve_dependencies().get(parameter)
    if field is None or ours is None or ours.dependency is not provided.dependency:
        return
    kind = field.annotation
    if isinstance(kind, type) and kind is not Any and not issubclass(Session, kind):
        raise ConfigError(
            f"{handler}: its parameter {parameter!r} is a {kind.__name__}, and would receive the "
            f"session. Name it otherwise, or the session: SessionPlugin(..., parameter='visitor')"
        )


def _key_of(middleware: object) -> str | None:
    """Return the scope key of a session middleware, also a foreign one; None for any other."""
    kinds = (SessionMiddleware, MiddlewareWrapper, asgi.SessionMiddleware)
    kind = middleware.middleware if isinstance(middleware, DefineMiddleware) else None
    if not isinstance(kind, type) or not issubclass(kind, kinds):
        return None
    return cast("str", cast("DefineMiddleware", middleware).kwargs.get("key", "session"))
