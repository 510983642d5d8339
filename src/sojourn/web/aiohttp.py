"""Sessions in aiohttp applications: `setup` installs them, `get_session` returns one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator
from functools import partial
from operator import attrgetter
from typing import Any, Self

from aiohttp import web

from sojourn.errors import ConfigError
from sojourn.manager import AsyncManager
from sojourn.web._aiohttp import Key, Sessions
from sojourn.web._aliases import Aliased
from sojourn.web._quiet import Quiet, quiet_rule
from sojourn.web._versions import require


class AiohttpSession(Aliased):
    """A session with the attributes of aiohttp-session's sessions."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, Self]:
        yield from self.load().__await__()
        return self

    @property
    def identity(self) -> str | None:
        """The id of the session, never its token; None as long as the session is not stored."""
        return None if self.is_new else self.id

    @property
    def empty(self) -> bool:
        """Whether the session has no data."""
        return not self

    @property
    def max_age(self) -> int | None:
        """The lifetime in seconds, even if the browser is closed; None: until that is closed."""
        return round(self.lifetime) if self.persistent else None

    @max_age.setter
    def max_age(self, seconds: float | None) -> None:
        self.set_lifetime(seconds, persistent=seconds is not None)


def setup(
    app: web.Application, manager: AsyncManager, *, key: Key = "session", quiet: Quiet = False
) -> None:
    """Install sessions: each request of `app` and its sub-applications has one, in `request[key]`.

    The session middleware becomes the outermost one.  If a release fails, the handler's response is
    not sent: a StoreError is answered with 503, and any other error with 500.  Garbage collection
    starts with the application, and the manager is closed when the application is cleaned up.

    key: the key of the session in a request, a str or a `web.RequestKey`; "aiohttp_session" is the
        key that aiohttp-session uses.  A second manager needs another key.
    quiet: the requests that read their session only at `await get_session(request)`: True for all,
        paths such as "/health" or "/static/*", or a function that is given the request.

    Raises ConfigError if `manager` is not an AsyncManager, for a wrong `quiet`, if aiohttp is older than 3.11, and if
    the application has already started or has been added to another one.
    """
    require("aiohttp", "3.11")
    if not isinstance(manager, AsyncManager):
        raise ConfigError(
            f"sojourn.web.aiohttp needs an AsyncManager, not {type(manager).__name__}"
        )
    if app.pre_frozen:
        raise ConfigError(
            "sojourn.web.aiohttp.setup comes too late: call it before the application is started, "
            "or added to another one"
        )

    # aiohttp runs the first part of a cleanup context at startup, and the rest at cleanup.
    async def live(_: web.Application) -> AsyncIterator[None]:
        manager.start_gc()
        yield
        await manager.close()

    is_quiet = quiet_rule(quiet, attrgetter("path"))

    sessions = Sessions(manager, key, partial(_start, manager, is_quiet))
    app.middlewares.insert(0, sessions.serve)
    app.on_response_prepare.append(sessions.prepare)
    app.cleanup_ctx.append(live)


async def _start(
    manager: AsyncManager, is_quiet: Callable[[web.Request], bool], request: web.Request
) -> AiohttpSession:
    headers, https = request.headers, request.secure
    if is_quiet(request):
        return AiohttpSession.adopt(manager.start_lazily(headers, https=https))
    return AiohttpSession.adopt(await manager.start(headers, https=https))


def get_session(request: web.Request, *, key: Key = "session") -> AiohttpSession:
    """Return the session of a request.  Raises ConfigError if it has none under `key`.

    `await get_session(request)` returns it, too, and reads it first if `quiet` covers the request.
    """
    session = request.get(key)
    if isinstance(session, AiohttpSession):
        return session
    raise ConfigError(
        f"this request has no session under {key!r}: call "
        f"sojourn.web.aiohttp.setup(app, manager, key={key!r}) when the application is made"
    )
