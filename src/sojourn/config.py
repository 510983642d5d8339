"""Configuration: every setting, its default and its check.

The fields of `Config` are the one place of all three.  A setting is checked and brought into one
form when a `Config` is made (a duration is float seconds from then on), so nothing behind it ever
meets a wrong one.  What is refused is refused by a `ConfigError` that names the key, the value and
the way out; the values of `hash_key` and `provider_config` are shown nowhere.

`Config.load` also takes the settings of Beego's session module, in Beego's spelling and with
Beego's defaults; the last part of this file turns them into ours.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from difflib import get_close_matches
from inspect import iscoroutinefunction
from typing import Any, Literal

from sojourn._tokens import TOKEN_LENGTH, Tokens
from sojourn.errors import ConfigError

HOUR, DAY = 3600, 86_400
COOKIE_LIMIT = 400 * DAY
"""Seconds: browsers keep no cookie longer (RFC 6265bis §5.5)."""
LONGEST_DURATION = 1e10
"""Seconds, 300 years: what every clock and store can count."""

_HIDDEN = frozenset({"hash_key", "provider_config", "sessionIDHashKey", "providerConfig"})
Check = Callable[[str, Any], Any]
"""Takes a key and its value; returns the value in its one form, or raises `ConfigError`."""


def _shown(key: str, value: object) -> str:
    return f"{key}=..." if key in _HIDDEN and value else f"{key}={value!r}"


def _refused(key: str, value: object, way_out: str) -> ConfigError:
    return ConfigError(f"{_shown(key, value):.120}: {way_out}")


def _must(
    way_out: str, holds: Callable[[Any], object], turn: Callable[[Any], Any] = lambda value: value
) -> Check:
    """A check of what `turn` makes of the value.  A value of a wrong type may fail in both."""

    def check(key: str, value: Any) -> Any:
        try:
            turned = turn(value)
            if holds(turned):
                return turned
        except (AttributeError, TypeError):
            pass
        raise _refused(key, value, way_out)

    return check


def _float(value: Any) -> float:
    """The seconds of a number or a timedelta; nan, which is in no span, of anything else."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    wrong = isinstance(seconds, bool) or not isinstance(seconds, int | float)
    return math.nan if wrong or abs(seconds) > LONGEST_DURATION else float(seconds)


def _seconds(span: str, holds: Callable[[float], bool]) -> Check:
    return _must(f"give {span} seconds, as a number or a timedelta", holds, _float)


def _optional(check: Check) -> Check:
    return lambda key, value: None if value is None else check(key, value)


_ANY = _must("", lambda _: True)
_FLAG = _must("give True or False", lambda v: isinstance(v, bool))
_SECURE = _must("give True, False or 'auto'", lambda v: isinstance(v, bool) or v == "auto")
_SITE = _must(
    "give 'Lax', 'Strict' or 'None', as text", ("Lax", "Strict", "None").__contains__, str.title
)
_OUTAGE = _must("give 'error' or 'anonymous'", ("error", "anonymous").__contains__)
_SIZE = _must("give a whole number above 0", lambda v: type(v) is int and v > 0)
_TYPES = _must("give a mapping of names to types", lambda v: isinstance(v, Mapping))
_PROVIDER = _must("give text or a mapping", lambda v: isinstance(v, str | Mapping))
_LISTENER = _must(
    "give a plain function of a name and an id",
    lambda v: callable(v) and not iscoroutinefunction(v),
)
_POSITIVE = _seconds("more than 0", lambda s: s > 0)
_TOUCH = _seconds("0 or more", lambda s: s >= 0)
_RETIRED = _seconds("1 to 3600", lambda s: 1 <= s <= HOUR)
_KEPT = _seconds("0 to 34560000 (400 days)", lambda s: 0 <= s <= COOKIE_LIMIT)

# Browsers ignore a cookie of more than 4,096 octets in name and value, and an attribute of more
# than 1,024 (RFC 6265bis §5.6, §5.7).  None of these can break out of its place in a header.
_TCHAR = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"  # RFC 9110 §5.6.2
_LABEL = r"(?!-)[0-9A-Za-z_-]{1,63}(?<!-)"
_NAME = _must(
    "give letters, digits or !#$%&'*+-.^_`|~, and leave room for the token in 4,096 octets",
    re.compile(f"{_TCHAR}{{1,{4096 - TOKEN_LENGTH}}}").fullmatch,
)
_PATH = _must(
    "give '/' and then printable ASCII without ';', at most 1,024 octets with 'Path='",
    re.compile(r"/[ -:<-~]{0,1018}").fullmatch,
)
_DOMAIN = _must(
    "give a bare host name in ASCII such as 'example.com', or None for this host alone",
    re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*").fullmatch,
    lambda v: v.removeprefix("."),
)
_HEADER = _must(
    "give the name of a header of your own such as 'X-Session-Token', or None for cookies",
    re.compile(rf"(?!(?i:(set-)?cookie)\Z){_TCHAR}{{1,200}}").fullmatch,
)


def _setting(check: Check, *, default: Any) -> Any:
    return field(default=default, metadata={"check": check})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Config:
    """All settings, checked.  Durations are seconds, and may be given as a timedelta."""

    cookie_name: str = _setting(_NAME, default="sid")
    """A token of RFC 6265.  `__Host-` and `__Secure-` names are held to what they promise."""
    cookie_lifetime: float = _setting(_KEPT, default=0)
    """How long the browser keeps the cookie; 0 is until it closes.  Says nothing of the session."""
    cookie_domain: str | None = _setting(_optional(_DOMAIN), default=None)
    """None: the cookie comes back to the host that set it.  Else to all hosts of the domain."""
    cookie_path: str = _setting(_PATH, default="/")
    """The cookie comes with requests below this path only."""
    same_site: Literal["Lax", "Strict", "None"] = _setting(_SITE, default="Lax")
    """Whether the cookie comes with requests that another site causes.  "None" needs Secure."""
    http_only: bool = _setting(_FLAG, default=True)
    """The scripts of a page cannot read the cookie."""
    partitioned: bool = _setting(_FLAG, default=False)
    """A cookie for each embedding site (CHIPS).  Needs Secure."""
    secure: bool | Literal["auto"] = _setting(_SECURE, default="auto")
    """The cookie travels over https alone: always, never, or if it was set over https."""
    enable_set_cookie: bool = _setting(_FLAG, default=True)
    """False: no cookie is sent; the token travels in the header, or the application sends it."""
    header_name: str | None = _setting(_optional(_HEADER), default=None)
    """A request header that may carry the token instead of the cookie, and carries the answer."""
    max_lifetime: float = _setting(_POSITIVE, default=3600)
    """Idle lifetime: a session ends this long after it was last seen."""
    absolute_lifetime: float | None = _setting(_optional(_POSITIVE), default=30 * DAY)
    """A session ends this long after it began, however active.  None: no such limit."""
    touch_interval: float = _setting(_optional(_TOUCH), default=None)
    """How seldom "last seen" is written.  None becomes max_lifetime/60, at most a minute."""
    retired_for: float = _setting(_RETIRED, default=10)
    """How long a regenerated token stays known, for requests that were under way with it."""
    gc_interval: float = _setting(_POSITIVE, default=300)
    """The pause between two sweeps for expired sessions."""
    hash_func: str = _setting(_ANY, default="sha256")  # `Tokens` checks it, and the key
    """The hash of `hashlib` that makes an id of a token."""
    hash_key: str | bytes = _setting(_ANY, default="")
    """The key of that hash.  Another hash or key ends every session."""
    max_size: int = _setting(_SIZE, default=1_048_576)
    """The largest record in bytes."""
    on_outage: Literal["error", "anonymous"] = _setting(_OUTAGE, default="error")
    """When the store is down: fail the request, or go on with an empty session that is not kept."""
    provider_config: str | Mapping[str, Any] | None = _setting(_optional(_PROVIDER), default=None)
    """For a provider that is given by name."""
    types: Mapping[str, Any] | None = _setting(_optional(_TYPES), default=None)
    """Types of your own to store, by the name that is stored with them."""
    on_event: Callable[[str, str | None], object] | None = _setting(  # noqa: RUF009 - a field
        _optional(_LISTENER), default=None
    )
    """Called with the name of each event, and the id it is about."""

    def __post_init__(self) -> None:
        for setting in fields(self):
            value = setting.metadata["check"](setting.name, getattr(self, setting.name))
            object.__setattr__(self, setting.name, value)
        Tokens(self.hash_func, self.hash_key)
        object.__setattr__(self, "touch_interval", _touch_interval(self))
        object.__setattr__(self, "secure", _secure(self))

    def __repr__(self) -> str:
        return f"Config({', '.join(_shown(name, getattr(self, name)) for name in _NAMES)})"

    @classmethod
    def load(
        cls, config: str | Mapping[str, Any] | Config | None = None, /, **settings: Any
    ) -> Config:
        """Make a `Config` of JSON text, a mapping or another `Config`; keywords have priority.

        One key that only Beego has (`cookieName`, `maxLifetime` ...) makes text or mapping Beego's
        form: Beego's defaults hold, and our names are refused in it.  Keywords are always ours.
        """
        if isinstance(config, Config):
            return config.replace(**settings)
        given = _mapping(config)
        if any(key in _BEEGO and key not in _NAMES for key in given):
            given = _from_beego(given)
        given = {**given, **settings}
        _refuse_unknown(given, _NAMES)
        return cls(**given)

    def replace(self, **settings: Any) -> Config:
        """A copy with other settings, all checked again; an implied `touch_interval` follows."""
        _refuse_unknown(settings, _NAMES)
        kept = {name: getattr(self, name) for name in _NAMES}
        if self.touch_interval == _implied_touch_interval(self):
            kept["touch_interval"] = None
        return Config(**{**kept, **settings})


_NAMES = tuple(setting.name for setting in fields(Config))


def _implied_touch_interval(config: Config) -> float:
    return min(config.max_lifetime / 60, 60.0)


def _touch_interval(config: Config) -> float:
    interval: float | None = config.touch_interval
    if interval is None:
        return _implied_touch_interval(config)
    if interval > config.max_lifetime / 2:
        raise _refused("touch_interval", interval, "give at most half of max_lifetime, or None")
    return interval


def _secure(config: Config) -> bool | Literal["auto"]:
    """`secure`, made True by what browsers accept with Secure only (RFC 6265bis §5.7)."""
    prefix = config.cookie_name.lower()  # browsers know it in any case
    if prefix.startswith("__host-") and (config.cookie_path != "/" or config.cookie_domain):
        raise _refused(
            "cookie_name", config.cookie_name, "needs cookie_path='/' and cookie_domain=None"
        )
    if prefix.startswith(("__host-", "__secure-")):
        reason = _shown("cookie_name", config.cookie_name)
    elif config.same_site == "None":
        reason = "same_site='None'"
    elif config.partitioned:
        reason = "partitioned=True"
    else:
        return config.secure
    if config.secure is False:
        raise _refused("secure", value=False, way_out=f"give True, which {reason} needs")
    return True


def _mapping(config: object) -> Mapping[str, Any]:
    if isinstance(config, str):
        try:
            config = json.loads(config)
        except ValueError as error:
            raise ConfigError(f"the configuration is no JSON: {error}") from None
    if config is None:
        return {}
    if isinstance(config, Mapping):
        return config
    kind = type(config).__name__
    raise ConfigError(f"the configuration is a {kind}: give an object of JSON, or a mapping")


def _refuse_unknown(given: Iterable[object], known: Iterable[str]) -> None:
    """Refuse keys that are not known, naming the nearest; their values are not shown."""
    by_lower = {name.lower(): name for name in known}
    for key in set(given).difference(known):
        near = get_close_matches(str(key).lower(), by_lower, n=1)
        hint = f"did you mean {by_lower[near[0]]!r}?" if near else f"there are {', '.join(known)}"
        raise ConfigError(f"unknown setting {key!r:.80}: {hint}")


# Beego's form -------------------------------------------------------------------------------------


def _or_empty(check: Check) -> Check:
    return lambda key, value: None if value == "" else check(key, value)


def _left_out(why: str) -> Check:
    return _must(f"leave it out: {why}", lambda value: not value)


_GO_SITES = {"0": "Lax", "1": "Lax", "2": "Lax", "3": "Strict", "4": "None"}  # of net/http

_BEEGO: dict[str, tuple[str | None, Check]] = {
    "cookieName": ("cookie_name", _NAME),
    "enableSetCookie": ("enable_set_cookie", _FLAG),
    "enableSetCookie,omitempty": ("enable_set_cookie", _FLAG),
    "gclifetime": ("gc_interval", _POSITIVE),
    "maxLifetime": ("max_lifetime", _POSITIVE),
    "secure": ("secure", _FLAG),
    "sessionIDHashFunc": ("hash_func", _ANY),
    "sessionIDHashKey": ("hash_key", _ANY),
    "cookieLifeTime": ("cookie_lifetime", _KEPT),
    "providerConfig": ("provider_config", _PROVIDER),
    "domain": ("cookie_domain", _or_empty(_DOMAIN)),
    "cookieSameSite": ("same_site", lambda k, v: _SITE(k, _GO_SITES.get(repr(v), v))),
    "disableHTTPOnly": ("http_only", lambda key, value: not _FLAG(key, value)),
    "SessionNameInHTTPHeader": ("header_name", _or_empty(_HEADER)),
    "EnableSidInHTTPHeader": (None, _FLAG),
    "EnableSidInURLQuery": (None, _left_out("a URL leaks a session through logs and Referer")),
    "sessionIDLength": (None, _left_out("a token always has 256 random bits")),
    "sessionIDPrefix": (None, _left_out("a token carries no meaning, so a prefix has no use")),
}
_BEEGO_DEFAULTS = {"secure": False, "hash_func": "sha1", "absolute_lifetime": None}


def _from_beego(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in Beego's spelling as ours, with Beego's defaults."""
    ours = [key for key in given if key in _NAMES and key not in _BEEGO]
    if ours:
        raise ConfigError(f"{ours[0]!r} stands among names in Beego's spelling: use one of the two")
    _refuse_unknown(given, _BEEGO)
    settings: dict[str, Any] = {}
    for key, value in given.items():
        name, check = _BEEGO[key]
        checked = check(key, value)
        if name is not None and settings.setdefault(name, checked) != checked:
            raise _refused(key, value, "contradicts the other spelling of this setting")
    if not given.get("EnableSidInHTTPHeader"):
        settings["header_name"] = None
    elif settings.get("header_name") is None:
        raise _refused("EnableSidInHTTPHeader", True, "name it in SessionNameInHTTPHeader")
    sweep = settings.setdefault("gc_interval", 3600.0)
    return {"max_lifetime": sweep, **_BEEGO_DEFAULTS, **settings}
