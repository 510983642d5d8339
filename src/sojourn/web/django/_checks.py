"""System checks for Django, which report wrong settings before the first request.

sojourn.E001  a setting is missing or wrong
sojourn.E002  SESSION_ENGINE is not "sojourn.web.django"
sojourn.E003  there is no session middleware, or more than one
sojourn.E004  a middleware that needs the session comes before the session middleware
sojourn.E005  a setting is not supported by Django's own session middleware
sojourn.W001  the store is unsafe or does not answer (with --deploy)
sojourn.W002  the cookie name has a prefix that Django's middleware does not enforce (with --deploy)
sojourn.I001  a test runner is active; names the store of its sessions
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware as DjangosMiddleware
from django.core.checks import CheckMessage, Error, Info, Warning  # noqa: A004 - Django's name

from sojourn.errors import ConfigError, SessionError, StoreError
from sojourn.web.django._keys import middleware
from sojourn.web.django._managers import manager
from sojourn.web.django._middleware import SessionMiddleware
from sojourn.web.django._testing import is_testing

ENGINE = "sojourn.web.django"
OURS = "sojourn.web.django.SessionMiddleware"
NEED_SESSIONS = ("AuthenticationMiddleware", "MessageMiddleware", "LoginRequiredMiddleware")
UNKNOWN_TO_DJANGO: dict[str, Any] = {
    "partitioned": False,
    "header_name": None,
    "enable_set_cookie": True,
}
"""Settings that Django's middleware does not support, with the only value it can work with."""


def settings_are_right(**_: object) -> list[CheckMessage]:
    """E001, E002: check the settings, and the store that they name."""
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
    """E003 to E005: check the session middleware, its position and its support of the settings."""
    classes = list(middleware())
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
    """W001: report the warnings of the store itself, or that it does not answer."""
    try:
        return [Warning(said, id="sojourn.W001") for said in manager().check()]
    except ConfigError:
        return []  # reported as E001
    except StoreError as error:
        return [Warning(f"The session store does not answer: {error}", id="sojourn.W001")]


def prefix_is_kept(**_: object) -> list[CheckMessage]:
    """W002: warn of a cookie prefix that Django does not enforce.  It strips Unicode blanks around
    names, browsers do not, so a sibling host's page can set a cookie that Django takes for ours.
    """
    name = settings.SESSION_COOKIE_NAME
    ours = [each for each in middleware() if issubclass(each, SessionMiddleware)]
    if ours or not str(name).lower().startswith(("__host-", "__secure-", "__http-")):
        return []
    problem = (
        f"SESSION_COOKIE_NAME={name!r}: Django's own middleware lets other hosts get around it."
    )
    return [Warning(problem, hint=f"Put {OURS!r} in its place.", id="sojourn.W002")]


def tests_have_their_store(**_: object) -> list[CheckMessage]:
    """I001: report that the tests use a separate store, in memory."""
    if not is_testing() or "TEST" in getattr(settings, "SOJOURN", {}):
        return []
    said = "The sessions of these tests are in memory, and not in the store of SOJOURN."
    return [Info(said, hint="SOJOURN['TEST'] may name another store.", id="sojourn.I001")]


def _needs_it(middleware: type) -> bool:
    return any(each.__qualname__ in NEED_SESSIONS for each in middleware.__mro__)


def _not_kept() -> list[str]:
    """Return a problem for each setting that Django's own middleware does not support."""
    try:
        config = manager().config
    except SessionError:
        return []
    unknown = [key for key, kept in UNKNOWN_TO_DJANGO.items() if getattr(config, key) != kept]
    problems = [f"SOJOURN[{key!r}]: Django's own middleware does not know it." for key in unknown]
    if config.secure is True and not settings.SESSION_COOKIE_SECURE:
        problems.append("SESSION_COOKIE_SECURE: this cookie needs True, or no browser keeps it.")
    return problems
