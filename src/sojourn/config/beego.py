"""Converts the settings of Beego's session module, with Beego's defaults, to those of `Config`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sojourn.config import validators as check
from sojourn.config.validators import Check
from sojourn.errors import ConfigError


def _or_empty(its_check: Check) -> Check:
    """Return a check that turns "", Beego's form of an unset value, into None."""
    return lambda key, value: None if value == "" else its_check(key, value)


def _left_out(why: str) -> Check:
    """Return a check that refuses any value for a setting that Sojourn does not have."""
    return check.must(f"leave it out: {why}", lambda value: not value)


_GO_SITES = {"0": "Lax", "1": "Lax", "2": "Lax", "3": "Strict", "4": "None"}  # of net/http

# Per key of Beego: the matching setting of `Config`, if there is one, and the check of the value.
KEYS: dict[str, tuple[str | None, Check]] = {
    "cookieName": ("cookie_name", check.NAME),
    "enableSetCookie": ("enable_set_cookie", check.FLAG),
    "enableSetCookie,omitempty": ("enable_set_cookie", check.FLAG),
    "gclifetime": ("gc_interval", check.POSITIVE),
    "maxLifetime": ("max_lifetime", check.POSITIVE),
    "secure": ("secure", check.FLAG),
    "sessionIDHashFunc": ("hash_func", check.ANY),
    "sessionIDHashKey": ("hash_key", check.ANY),
    "cookieLifeTime": ("cookie_lifetime", check.KEPT),
    "providerConfig": ("provider_config", check.PROVIDER),
    "domain": ("cookie_domain", _or_empty(check.DOMAIN)),
    "cookieSameSite": ("same_site", lambda k, v: check.SITE(k, _GO_SITES.get(repr(v), v))),
    "disableHTTPOnly": ("http_only", lambda key, value: not check.FLAG(key, value)),
    "SessionNameInHTTPHeader": ("header_name", _or_empty(check.HEADER)),
    "EnableSidInHTTPHeader": (None, check.FLAG),
    "EnableSidInURLQuery": (None, _left_out("a URL leaks a session through logs and Referer")),
    "sessionIDLength": (None, _left_out("a token always has 256 random bits")),
    "sessionIDPrefix": (None, _left_out("a token carries no meaning, so a prefix has no use")),
}
DEFAULTS = {"secure": False, "hash_func": "sha1", "absolute_lifetime": None}


def from_beego(given: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return Beego's settings as settings of `Config`.

    names: the names of the settings of `Config`.  Raises ConfigError if one of them is mixed in,
    since the defaults of the two forms differ, and for unknown keys and invalid values.
    """
    ours = [key for key in given if key in names and key not in KEYS]
    if ours:
        raise ConfigError(f"{ours[0]!r} stands among names in Beego's spelling: use one of the two")
    check.refuse_unknown(given, KEYS)
    settings: dict[str, Any] = {}
    for key, value in given.items():
        name, its_check = KEYS[key]
        checked = its_check(key, value)
        if name is not None and settings.setdefault(name, checked) != checked:
            raise check.refused(key, value, "contradicts the other spelling of this setting")
    # Beego ignores the header's name unless the header is enabled.
    if not given.get("EnableSidInHTTPHeader"):
        settings["header_name"] = None
    elif settings.get("header_name") is None:
        raise check.refused("EnableSidInHTTPHeader", True, "name it in SessionNameInHTTPHeader")
    # In Beego a session without a lifetime of its own lives as long as the interval of the sweeps.
    sweep = settings.setdefault("gc_interval", 3600.0)
    return {"max_lifetime": sweep, **DEFAULTS, **settings}
