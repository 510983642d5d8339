"""Translates the settings of Flask and Quart into a `Config`.

A setting that the framework has is configured only there: it is read from `app.config`, it is
refused as an argument of `install`, and an error about it uses the framework's name.  The
frameworks read their settings at each request, and so does this module: a setting that an extension
changes after `install` takes effect too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Protocol, runtime_checkable

from flask.sansio.app import App
from markupsafe import Markup

from sojourn._manager_base import ManagerBase
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
_NAMES = (*_SETTINGS.values(), "APPLICATION_ROOT")
_KEPT_BY_THE_BROWSER = {"cookie_lifetime": "PERMANENT_SESSION_LIFETIME"}  # if it is `permanent`


@runtime_checkable
class _HasHTML(Protocol):
    """A value that Flask's own sessions store as HTML: a lazy string, or a subclass of Markup."""

    def __html__(self) -> str: ...


def _text(value: Any) -> str:
    """Return a value with an HTML form as text; raise TypeError if the HTML differs from it."""
    if isinstance(value, Markup):
        return Markup(value)  # noqa: S704 - it is markup already
    text = str(value)
    if value.__html__() != text:
        raise TypeError("its HTML is not its text")
    return text


_TYPES = {"markup": (Markup, str, Markup), "text": (_HasHTML, _text)}
"""Flashed messages may be Markup, restored as Markup, or lazy strings, stored as plain text."""
_our_names = re.compile(rf"\b({'|'.join(_SETTINGS)})(?==)")


class Settings:
    """The settings of an application; those in `app.config` may change at any time."""

    def __init__(self, app: App, ours: Mapping[str, Any]) -> None:
        """Read and check the current settings.  Raises ConfigError for a wrong one."""
        self._app, self._ours = app, ours
        self._said = self._say()
        self.config = _config_of(app.config, ours)

    def follow(self, manager: ManagerBase) -> None:
        """Apply settings changed since the last request; raise ConfigError for a wrong one."""
        said = self._say()
        if said == self._said:
            return
        # A wrong setting raises here, at each request until it is corrected.
        config = _config_of(self._app.config, self._ours)
        before, now = self.config, config
        manager._set(  # noqa: SLF001 - only the changed ones: others may be set on the manager
            **{
                setting.name: getattr(now, setting.name)
                for setting in fields(Config)
                if getattr(now, setting.name) != getattr(before, setting.name)
            }
        )
        self._said, self.config = said, config

    def _say(self) -> list[Any]:
        theirs = self._app.config
        return [theirs.get(name) for name in _NAMES]


def _config_of(theirs: Mapping[str, Any], settings: Mapping[str, Any]) -> Config:
    """Return the framework's settings and `settings` as a Config; errors use the former's names."""
    for ours, name in {**_SETTINGS, **_KEPT_BY_THE_BROWSER}.items():
        if ours in settings:
            raise ConfigError(f"{ours}: say it in app.config[{name!r}]")
    try:
        config = Config.load(_translated(theirs))
        # The absolute lifetime must not be shorter than the idle one, which the framework sets.
        absolute = max(config.max_lifetime, config.absolute_lifetime or 0.0)
        config = config.replace(**{"absolute_lifetime": absolute, **settings})
        return config.replace(types={**_TYPES, **(config.types or {})})
    except ConfigError as error:
        # Applications use the framework's name of a setting, so errors must use it too.
        words = _our_names.sub(lambda name: _SETTINGS[name[0]], str(error))
        raise ConfigError(words) from None


def _translated(theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the framework's settings; an unset or disabled one gets the safest value."""
    given = {ours: theirs.get(name) for ours, name in _SETTINGS.items()}
    return given | {
        "cookie_domain": given["cookie_domain"] or None,
        "cookie_path": given["cookie_path"] or theirs["APPLICATION_ROOT"],
        "secure": given["secure"] or "auto",
        "same_site": given["same_site"] or "Lax",
        "partitioned": given["partitioned"] or False,
        "touch_on": "request" if given["touch_on"] else "change",
    }
