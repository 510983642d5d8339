"""Sessions in aiohttp applications: `setup` installs them, and `get_session` finds one."""

from __future__ import annotations

from aiohttp import web

from sojourn.errors import ConfigError
from sojourn.manager import AsyncManager
from sojourn.web._aiohttp import Key, Sessions
from sojourn.web._versions import require
from sojourn.web._words import Worded


class AiohttpSession(Worded):
    """A session that also knows the words of aiohttp-session."""

    __slots__ = ()

    @property
    def identity(self) -> str | None:
        """The id of the session, never its token; None as long as nothing is stored."""
        return None if self.is_new else self.id

    @property
    def empty(self) -> bool:
        """Whether it holds nothing."""
        return not self

    @property
    def max_age(self) -> int | None:
        """How many seconds it lives on, closed browser or not; None: it ends with the browser."""
        return round(self.lifetime) if self.persistent else None

    @max_age.setter
    def max_age(self, seconds: float | None) -> None:
        self.set_lifetime(seconds, persistent=seconds is not None)


def setup(app: web.Application, manager: AsyncManager, *, key: Key = "session") -> None:
    """Give each request its session, in `request[key]`, and the manager the life of `app`.

    Its middleware becomes the outermost.  Sub-applications have the session too.  A StoreError
    is answered with 503, and what else a release raises with 500.  Garbage collection starts with
    the application, and the manager is closed when that is cleaned up.

    key: where the session stands, a str or a `web.RequestKey`; "aiohttp_session" is where
        aiohttp-session looks for it.  A second manager needs another one.

    Raises ConfigError for a Manager, if aiohttp is older than 3.11, and if the application has
    started or belongs to another one already.
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
    sessions = Sessions(manager, key, AiohttpSession.adopt)
    app.middlewares.insert(0, sessions.serve)
    app.on_response_prepare.append(sessions.prepare)
    app.cleanup_ctx.append(sessions.live)


def get_session(request: web.Request, *, key: Key = "session") -> AiohttpSession:
    """Return the session of a request.  Raises ConfigError if `setup` gave it none under `key`."""
    session = request.get(key)
    if isinstance(session, AiohttpSession):
        return session
    raise ConfigError(
        f"this request has no session under {key!r}: call "
        f"sojourn.web.aiohttp.setup(app, manager, key={key!r}) when the application is made"
    )
