"""Django's system checks: what is wrong with the settings is said before the first request.

sojourn.E001  a setting is missing or wrong
sojourn.E002  SESSION_ENGINE is not ours
sojourn.E003  there is not one session middleware
sojourn.E004  a middleware that needs the session comes before it
sojourn.E005  a setting that Django's own middleware cannot keep
sojourn.W001  what is unsafe about the store (with --deploy)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware as DjangosMiddleware
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's name
from django.utils.module_loading import import_string

from sojourn.errors import ConfigError, SessionError, StoreError
from sojourn.web.django._managers import manager
from sojourn.web.django._middleware import SessionMiddleware

ENGINE = "sojourn.web.django"
OURS = "sojourn.web.django.SessionMiddleware"
NEED_SESSIONS = ("AuthenticationMiddleware", "MessageMiddleware", "LoginRequiredMiddleware")
UNKNOWN_TO_DJANGO: dict[str, Any] = {
    "partitioned": False,
    "header_name": None,
    "enable_set_cookie": True,
}
"""What Django's own middleware knows nothing of, and the one value that goes with it."""


def settings_are_right(**_: object) -> list[CheckMessage]:
    """E001, E002: what the settings say, and which store they name."""
    found: list[CheckMessage] = []
    try:
        manager()
    except SessionError as error:
        hint = "SOJOURN takes the keys of sojourn.Config, besides 'provider'."
        found.append(Error(str(error), hint=hint, id="sojourn.E001"))
    if settings.SESSION_ENGINE != ENGINE:
        why = "django.test.Client and clearsessions would look for sessions elsewhere."
        found.append(
            Error(f"SESSION_ENGINE must be {ENGINE!r}.", hint=why, id="sojourn.E002"),
        )
    return found


def middleware_is_right(**_: object) -> list[CheckMessage]:
    """E003 to E005: which middleware there is, where it stands, and what it can keep."""
    classes = list(_middleware())
    ours = [each for each in classes if issubclass(each, DjangosMiddleware)]
    if len(ours) != 1:
        names = [each.__module__ + "." + each.__qualname__ for each in ours] or "none"
        problem = f"MIDDLEWARE must hold one session middleware, there is {names}."
        return [Error(problem, hint=f"Take {OURS!r}, or Django's.", id="sojourn.E003")]
    early = [each.__qualname__ for each in classes[: classes.index(ours[0])] if _needs_it(each)]
    found: list[CheckMessage] = []
    if early:
        problem = f"In MIDDLEWARE {early[0]} comes before {ours[0].__qualname__}, which it needs."
        found.append(Error(problem, hint="Change their order.", id="sojourn.E004"))
    if not issubclass(ours[0], SessionMiddleware):
        hint = f"Or put {OURS!r} in its place in MIDDLEWARE."
        found += [Error(problem, hint=hint, id="sojourn.E005") for problem in _not_kept()]
    return found


def store_is_safe(**_: object) -> list[CheckMessage]:
    """W001: what the store itself says."""
    try:
        return [Warning(said, id="sojourn.W001") for said in manager().check()]
    except ConfigError:
        return []  # E001 says it
    except StoreError as error:
        return [Warning(f"The session store does not answer: {error}", id="sojourn.W001")]


def _middleware() -> Iterator[type]:
    for path in settings.MIDDLEWARE:
        with suppress(ImportError):  # which Django itself speaks of
            found = import_string(path)
            if isinstance(found, type):
                yield found


def _needs_it(middleware: type) -> bool:
    return any(each.__qualname__ in NEED_SESSIONS for each in middleware.__mro__)


def _not_kept() -> list[str]:
    """What Django's own middleware makes nothing of."""
    try:
        config = manager().config
    except SessionError:
        return []
    unknown = [key for key, kept in UNKNOWN_TO_DJANGO.items() if getattr(config, key) != kept]
    problems = [f"SOJOURN[{key!r}]: Django's own middleware does not know it." for key in unknown]
    if config.secure is True and not settings.SESSION_COOKIE_SECURE:
        problems.append("SESSION_COOKIE_SECURE: this cookie needs True, or no browser keeps it.")
    return problems
