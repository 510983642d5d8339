"""Django's settings, and what stands in SOJOURN, as a `Config`.

Where Django has a setting of its own, that is the one place for it, and keeps its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.safestring import SafeString, mark_safe

from sojourn._checks import COOKIE_LIMIT
from sojourn.config import Config
from sojourn.errors import ConfigError
from sojourn.web._versions import require

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
"""The keys of `Config` that Django has a setting for."""

MONTH = 30 * 86_400
TYPES = {"SafeString": (SafeString, lambda text: text + "", mark_safe)}
"""What Django hands out as text, and its messages hold."""


class Given(NamedTuple):
    """What the settings say."""

    provider: Any
    config: Config


def read() -> Given:
    """Return what the settings say.  Raises ConfigError, naming the setting that is wrong."""
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
    rest = {key: value for key, value in ours.items() if key != "provider"}
    return Given(_provider(ours["provider"], rest), _config(rest))


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
    """Django's own settings of the session, under the names that they have here."""
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
        "cookie_lifetime": 0
        if settings.SESSION_EXPIRE_AT_BROWSER_CLOSE
        else min(age, COOKIE_LIMIT),
        "cookie_domain": settings.SESSION_COOKIE_DOMAIN,
        "cookie_path": settings.SESSION_COOKIE_PATH,
        "secure": True if settings.SESSION_COOKIE_SECURE else "auto",
        "http_only": settings.SESSION_COOKIE_HTTPONLY,
        "same_site": settings.SESSION_COOKIE_SAMESITE,
        "max_lifetime": age,
        "absolute_lifetime": max(MONTH, age),
        "touch_on": "request" if settings.SESSION_SAVE_EVERY_REQUEST else "change",
    }


def _provider(given: Any, ours: Mapping[str, Any]) -> Any:
    """A provider, or the name of a registered one.

    A dotted path leads to a provider, or to what makes one of `provider_config`.
    """
    if not isinstance(given, str) or "." not in given:
        return given
    try:
        found = import_string(given)
    except (ImportError, ValueError) as error:
        raise ConfigError(f"SOJOURN['provider']={given!r}: {error}") from None
    return found(ours.get("provider_config")) if callable(found) else found
