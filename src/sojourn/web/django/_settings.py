"""Builds a `Config` from Django's session settings and the setting SOJOURN.

A setting that Django has is read from Django's settings only, with Django's meaning; SOJOURN must
not contain it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.conf import settings
from django.utils.module_loading import import_string

from sojourn.config import Config
from sojourn.config.validators import COOKIE_LIMIT
from sojourn.errors import ConfigError
from sojourn.web._versions import require
from sojourn.web.django._testing import OWN, named
from sojourn.web.django._texts import TYPES

TAKEN = {
    "cookie_name": "SESSION_COOKIE_NAME",
    "max_lifetime": "SESSION_COOKIE_AGE",
    "cookie_lifetime": "SESSION_EXPIRE_AT_BROWSER_CLOSE and SESSION_COOKIE_AGE",
    "cookie_domain": "SESSION_COOKIE_DOMAIN",
    "cookie_path": "SESSION_COOKIE_PATH",
    "secure": "SESSION_COOKIE_SECURE",
    "http_only": "SESSION_COOKIE_HTTPONLY",
    "same_site": "SESSION_COOKIE_SAMESITE",
    "touch_on": "SESSION_SAVE_EVERY_REQUEST",
}
"""The keys of `Config` for which Django has a setting, with the name of that."""

MONTH = 30 * 86_400


class Given(NamedTuple):
    """The settings as they were read."""

    provider: Any
    config: Config
    own: bool
    """Whether the default store of tests is used, because SOJOURN["TEST"] does not name one."""


def read(*, testing: bool) -> Given:
    """Read and check the settings.  Raises ConfigError, which names the setting that is wrong.

    testing: whether a test runner is active.
    """
    require("django", "5.2")
    ours = getattr(settings, "SOJOURN", None)
    if not isinstance(ours, Mapping) or not ours.get("provider"):
        raise ConfigError(
            "SOJOURN: it must be a dict that names a provider, "
            "such as SOJOURN = {'provider': 'file', 'provider_config': './sessions'}"
        )
    taken = [key for key in ours if key in TAKEN]
    if taken:
        raise ConfigError(f"SOJOURN[{taken[0]!r}]: give {TAKEN[taken[0]]} instead")
    rest = dict(ours)
    test = named(rest.pop("TEST", None))
    if testing:
        rest.update({"provider_config": None, **(test or OWN)})
    provider = rest.pop("provider")
    return Given(_provider(provider, rest), _config(rest), testing and test is None)


def _config(ours: dict[str, Any]) -> Config:
    types = ours.get("types") or {}
    if isinstance(types, Mapping):
        ours["types"] = {**TYPES, **types}
    try:
        return Config.load(None, **{**_of_django(), **ours})
    except ConfigError as error:
        key = next((key for key in TAKEN if str(error).startswith(f"{key}=")), None)
        where = "SOJOURN" if key is None else TAKEN[key]
        raise ConfigError(f"{where}: {error}") from None


def _of_django() -> dict[str, Any]:
    """Return Django's session settings as arguments of Config, with the defaults for Django."""
    if settings.SESSION_COOKIE_SAMESITE is False:
        raise ConfigError(
            "SESSION_COOKIE_SAMESITE=False: browsers take that as 'Lax'; say 'Lax', 'Strict' or "
            "'None'"
        )
    age = settings.SESSION_COOKIE_AGE
    if not isinstance(age, int | float):
        raise ConfigError(f"SESSION_COOKIE_AGE={age!r}: give a number of seconds")
    return {
        "cookie_name": settings.SESSION_COOKIE_NAME,
        "cookie_lifetime": min(age, COOKIE_LIMIT) * (not settings.SESSION_EXPIRE_AT_BROWSER_CLOSE),
        "cookie_domain": settings.SESSION_COOKIE_DOMAIN,
        "cookie_path": settings.SESSION_COOKIE_PATH,
        "secure": True if settings.SESSION_COOKIE_SECURE else "auto",
        "http_only": settings.SESSION_COOKIE_HTTPONLY,
        "same_site": settings.SESSION_COOKIE_SAMESITE,
        "max_lifetime": age,
        "absolute_lifetime": max(MONTH, age),
        # Applications keep session keys in columns of 40 characters, as Django's own table does.
        "short_ids": True,
        "touch_on": "request" if settings.SESSION_SAVE_EVERY_REQUEST else "change",
    }


def _provider(given: Any, ours: Mapping[str, Any]) -> Any:
    """Return a provider, or a registered name or the URL of a store, as a manager accepts it.

    A dotted path is imported; a callable found there is called with `provider_config`.
    """
    if not isinstance(given, str) or "." not in given or not given.replace(".", "_").isidentifier():
        return given
    try:
        found = import_string(given)
    except (ImportError, ValueError) as error:
        raise ConfigError(f"SOJOURN['provider']={given!r}: {error}") from None
    return found(ours.get("provider_config")) if callable(found) else found
