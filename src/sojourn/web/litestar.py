"""Sessions as a plugin of Litestar.

The plugin puts the session middleware before all others of the application, so that they, guards
and handlers find the session in `request.session`.  It gives the session to handlers and
dependencies with a parameter of its name, and the manager lives as long as the application.
"""

from __future__ import annotations

from typing import Any, TypeAlias, cast

from litestar import di, plugins
from litestar.config.app import AppConfig
from litestar.middleware import DefineMiddleware
from litestar.response import Response
from litestar.routes import BaseRoute
from litestar.types import Scope

from sojourn._events import logger
from sojourn.errors import ConfigError, StoreError
from sojourn.manager import AsyncManager
from sojourn.session import Session
from sojourn.web._headers import UNAVAILABLE, UNAVAILABLE_HEADERS
from sojourn.web._litestar import Sessions, refuse_two
from sojourn.web._versions import require

require("litestar", "2.23")  # the first that has `NamedDependency`

CurrentSession: TypeAlias = di.NamedDependency[Session]
"""The visitor's session: the type of a parameter that is named as the key of a plugin."""


class SessionPlugin(plugins.InitPlugin, plugins.ReceiveRoutePlugin):
    """Gives each request and each WebSocket of an application its session."""

    def __init__(
        self,
        manager: AsyncManager,
        *,
        key: str = "session",
        exclude: str | list[str] | None = None,
        exclude_opt_key: str = "skip_session",
    ) -> None:
        """Serve the sessions of `manager`.  Raises ConfigError for a Manager.

        key: where the session stands in the scope, and the name of the parameter that handlers
            and dependencies receive it in; a second manager needs another one.
        exclude: regular expressions for paths that have no session, and cost no read of it.
        exclude_opt_key: what a handler that has no session sets in its `opt`.
        """
        if not isinstance(manager, AsyncManager):
            raise ConfigError(f"SessionPlugin needs an AsyncManager, not {type(manager).__name__}")
        self._manager = manager
        self._key = key
        self._middleware = DefineMiddleware(
            Sessions,
            manager=manager,
            key=key,
            exclude=exclude,
            exclude_opt_key=exclude_opt_key,
        )

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Install everything.  Litestar calls this."""
        app_config.middleware.insert(0, self._middleware)
        app_config.dependencies.setdefault(self._key, _provide(self._key))
        app_config.exception_handlers.setdefault(StoreError, _unavailable)
        app_config.on_startup.insert(0, self._manager.start_gc)
        app_config.on_shutdown.append(self._manager.close)  # once nothing else needs it
        return app_config

    def receive_route(self, route: BaseRoute) -> None:
        """Raise ConfigError if any layers give a handler two sessions under one key."""
        for handler in getattr(route, "route_handlers", None) or [cast("Any", route).route_handler]:
            refuse_two(self._key, handler)


def _provide(key: str) -> di.Provide:
    async def session(scope: Scope) -> Session:
        if key not in scope:
            raise ConfigError(f"no session stands under {key!r}: this path is excluded from it")
        return cast("Session", cast("Any", scope)[key])

    return di.Provide(session)


def _unavailable(_: object, error: Exception) -> Response[bytes]:
    logger.error("answered 503: %s", error)
    return Response(UNAVAILABLE, status_code=503, headers=dict(UNAVAILABLE_HEADERS))
