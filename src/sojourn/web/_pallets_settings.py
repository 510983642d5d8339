"""The settings of Flask and Quart, in our words.

A setting that the framework has is said there alone.  So it is read from the application's
configuration, it is refused beside it, and an error about it names it as the framework does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from sojourn.config import Config
from sojourn.errors import ConfigError

_SETTINGS = {
    "cookie_name": "SESSION_COOKIE_NAME",
    "cookie_domain": "SESSION_COOKIE_DOMAIN",
    "cookie_path": "SESSION_COOKIE_PATH",
    "http_only": "SESSION_COOKIE_HTTPONLY",
    "secure": "SESSION_COOKIE_SECURE",
    "same_site": "SESSION_COOKIE_SAMESITE",
    "partitioned": "SESSION_COOKIE_PARTITIONED",
    "max_lifetime": "PERMANENT_SESSION_LIFETIME",
    "touch_on": "SESSION_REFRESH_EACH_REQUEST",
}
_KEPT_BY_THE_BROWSER = {"cookie_lifetime": "PERMANENT_SESSION_LIFETIME"}  # if it is `permanent`
_MARKUP = {"markup": (Markup, str, Markup)}
"""Flashed messages may be markup, and come back as such."""
_our_names = re.compile(rf"\b({'|'.join(_SETTINGS)})(?==)")


def config_of(theirs: Mapping[str, Any], settings: Mapping[str, Any]) -> Config:
    """Return what the framework's settings and `settings` come to, errors in their words."""
    for ours, name in {**_SETTINGS, **_KEPT_BY_THE_BROWSER}.items():
        if ours in settings:
            raise ConfigError(f"{ours}: say it in app.config[{name!r}], before `install`")
    try:
        config = Config.load(_translated(theirs))
        absolute = max(config.max_lifetime, config.absolute_lifetime or 0.0)
        config = config.replace(**{"absolute_lifetime": absolute, **settings})
        return config.replace(types={**_MARKUP, **(config.types or {})})
    except ConfigError as error:
        words = _our_names.sub(lambda name: _SETTINGS[name[0]], str(error))
        raise ConfigError(words) from None


def _translated(theirs: Mapping[str, Any]) -> dict[str, Any]:
    """The framework's settings in ours.  What is off or missing there is as safe as it can be."""
    given = {ours: theirs.get(name) for ours, name in _SETTINGS.items()}
    return given | {
        "cookie_domain": given["cookie_domain"] or None,
        "cookie_path": given["cookie_path"] or theirs["APPLICATION_ROOT"],
        "secure": given["secure"] or "auto",
        "same_site": given["same_site"] or "Lax",
        "partitioned": given["partitioned"] or False,
        "touch_on": "request" if given["touch_on"] else "change",
    }
