"""Sessions as a Litestar plugin.

The plugin inserts the session middleware before all others of the application, so that these,
guards and handlers find the session in `request.session`.  Handlers and dependencies can also
receive it as a parameter.  The manager is closed when the application shuts down.
"""

from __future__ import annotations

from operator import itemgetter
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
from sojourn.web._litestar import Sessions, refuse_other, refuse_two
from sojourn.web._quiet import Quiet, quiet_rule
from sojourn.web._versions import require

require("litestar", "2.23")  # the first that has `NamedDependency`

CurrentSession: TypeAlias = di.NamedDependency[Session]
"""The type of a parameter that receives the session.

The parameter must have the name that the plugin was given as `parameter` (by default: its `key`).
"""


class SessionPlugin(plugins.InitPlugin, plugins.ReceiveRoutePlugin):
    """Gives each request and each WebSocket of an application a session."""

    def __init__(
        self,
        manager: AsyncManager,
        *,
        key: str = "session",
        parameter: str | None = None,
        exclude: str | list[str] | None = None,
        exclude_opt_key: str = "skip_session",
        quiet: Quiet = False,
    ) -> None:
        """Make a plugin that serves the sessions of `manager`.

        key: the key of the session in the scope; a second manager needs another key.
        parameter: the name of the parameter in which handlers and dependencies receive the session;
            None means `key`.  A handler cannot use this name for any other parameter.
        exclude: regular expressions for paths that need no session; the store is not read for them.
        exclude_opt_key: the key that a handler sets in its `opt` if it needs no session.
        quiet: the requests that read their session only for a handler or dependency that has it as
            a parameter, or at `await session.load()`: True for all, paths such as "/static/*", or
            a function that is given the scope.

        Raises ConfigError if `manager` is not an AsyncManager, and for a wrong `quiet`.
        """
        if not isinstance(manager, AsyncManager):
            raise ConfigError(f"SessionPlugin needs an AsyncManager, not {type(manager).__name__}")
        self._manager = manager
        self._key, self._parameter = key, parameter or key
        self._provided = _provide(key)
        self._middleware = DefineMiddleware(
            Sessions,
            manager=manager,
            key=key,
            quiet=quiet_rule(quiet, itemgetter("path")),
            exclude=exclude,
            exclude_opt_key=exclude_opt_key,
        )

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Install the middleware, the dependency, the 503 response and the manager's lifespan.

        Litestar calls this.
        """
        app_config.middleware.insert(0, self._middleware)
        app_config.dependencies.setdefault(self._parameter, self._provided)
        app_config.exception_handlers.setdefault(StoreError, _unavailable)
        app_config.on_startup.insert(0, self._manager.start_gc)
        # Last, since other shutdown hooks may still use sessions.
        app_config.on_shutdown.append(self._manager.close)
        return app_config

    def receive_route(self, route: BaseRoute) -> None:
        """Check the handlers of a new route.  Litestar calls this.

        Raises ConfigError if a handler has two sessions under one key, or uses the session's
        parameter name for a parameter of another type.
        """
        for handler in getattr(route, "route_handlers", None) or [cast("Any", route).route_handler]:
            refuse_two(self._key, handler)
            refuse_other(self._parameter, self._provided, handler)


def _provide(key: str) -> di.Provide:
    async def session(scope: Scope) -> Session:
        if key not in scope:
            raise ConfigError(f"no session stands under {key!r}: this path is excluded from it")
        found = cast("Session", cast("Any", scope)[key])
        await found.load()
        return found

    return di.Provide(session)


def _unavailable(_: object, error: Exception) -> Response[bytes]:
    logger.error("answered 503: %s", error)
    return Response(UNAVAILABLE, status_code=503, headers=dict(UNAVAILABLE_HEADERS))
