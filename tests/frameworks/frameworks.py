"""The frameworks that the suite is run on, and what the users of each rightly expect of it.

The defaults are the laws.  Where a framework has made another promise to its users, that stands
here beside its name, and the suite asks for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from typing import Any

from tests.frameworks.probe import Plan


class Kind(Enum):
    """What serves an application."""

    WSGI = "WSGI"
    ASGI = "ASGI"
    AIOHTTP = "aiohttp"


@dataclass(frozen=True, kw_only=True)
class Framework:
    """One framework: its application in `apps`, and what it promises."""

    app: str
    kind: Kind
    make: str = "make"
    settings_of_the_process: bool = False
    """Whether there can be but one application in a process."""

    only_requests: bool = False
    """Whether the application has neither WebSockets nor work after the response."""

    # -- what is promised ----------------------------------------------------------------------

    seen_by: str = "get"
    """A deed by which a session counts as seen."""
    keeps_errors: bool = False
    """Whether the framework turns what nobody handles into a response, which saves."""
    outage: int = 503
    """The status of a response while the store is down."""
    outage_in_view: int = 503
    """The same, where the view itself asked the store in vain: some frameworks know better than
    the middleware around them what becomes of an error."""
    late: int = 200
    """The status of a response whose session had ended before it was released."""
    after_first_byte: str = "SessionReleased"
    """What a change raises then."""
    short_ids: bool = False
    """Whether ids and tokens have 40 characters."""
    no_store: tuple[str, ...] = ("no-store, private",)
    """What Cache-Control says beside a cookie."""
    own_cookies: bool = False
    """Whether the framework reads and writes the cookie itself: of several it reads one, and the
    header of a proxy does not make it Secure."""
    decides_late: bool = True
    """Whether the cookie is decided on after the release, when it is known that nothing is left."""
    taken_without: frozenset[str] = frozenset()
    """What the cookie is not said to be when it is taken away."""

    @property
    def token_length(self) -> int:
        """How many characters a token has."""
        return 40 if self.short_ids else 43

    def application(self, plan: Plan) -> Any:
        """An application in that framework."""
        return getattr(import_module(f"tests.frameworks.apps.{self.app}"), self.make)(plan)


def _wsgi(app: str, **promises: Any) -> Framework:
    return Framework(app=app, kind=Kind.WSGI, only_requests=True, **promises)


def _asgi(app: str, **promises: Any) -> Framework:
    return Framework(app=app, kind=Kind.ASGI, **promises)


_DJANGO: dict[str, Any] = {
    "settings_of_the_process": True,
    "only_requests": True,
    "short_ids": True,
}

FRAMEWORKS = {
    "wsgi": _wsgi("wsgi_app"),
    "asgi": _asgi("asgi_app"),
    "flask": _wsgi("flask_app", keeps_errors=True),
    "quart": _asgi("quart_app", keeps_errors=True),
    "starlette": _asgi("starlette_app"),
    "fastapi": _asgi("fastapi_app"),
    "litestar": _asgi("litestar_app", keeps_errors=True),
    "falcon": _wsgi("falcon_app", keeps_errors=True, outage_in_view=500),
    "falcon-asgi": _asgi("falcon_asgi_app", keeps_errors=True, outage_in_view=500),
    "bottle": _wsgi("bottle_app", keeps_errors=True, outage_in_view=500),
    "pyramid": _wsgi("pyramid_app", outage_in_view=500),
    "aiohttp": Framework(app="aiohttp_app", kind=Kind.AIOHTTP),
    "django": Framework(app="django_app", kind=Kind.WSGI, **_DJANGO),
    "django-asgi": Framework(app="django_app", kind=Kind.ASGI, make="make_asgi", **_DJANGO),
    # Beneath Django's own middleware, which stores what changed, and sends its cookie with that.
    "django-engine": Framework(
        app="django_app",
        kind=Kind.WSGI,
        make="make_engine",
        seen_by="put",
        outage=500,
        outage_in_view=500,
        late=400,
        after_first_byte="",
        no_store=(),
        own_cookies=True,
        decides_late=False,
        taken_without=frozenset({"HttpOnly"}),
        **_DJANGO,
    ),
}
