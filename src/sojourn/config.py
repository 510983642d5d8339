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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from sojourn import _checks as check
from sojourn._beego import KEYS as BEEGO_KEYS
from sojourn._beego import from_beego
from sojourn._tokens import Tokens
from sojourn.errors import ConfigError, SessionTooLarge
from sojourn.record import Fields


def _setting(its_check: check.Check, *, default: Any) -> Any:
    return field(default=default, metadata={"check": its_check})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Config:
    """All settings, checked.  Durations are seconds, and may be given as a timedelta."""

    cookie_name: str = _setting(check.NAME, default="sid")
    """A token of RFC 6265.  `__Host-` and `__Secure-` names are held to what they promise."""
    cookie_lifetime: float = _setting(check.KEPT, default=0)
    """How long the browser keeps the cookie; 0 is until it closes.  Says nothing of the session."""
    cookie_domain: str | None = _setting(check.optional(check.DOMAIN), default=None)
    """None: the cookie comes back to the host that set it.  Else to all hosts of the domain."""
    cookie_path: str = _setting(check.PATH, default="/")
    """The cookie comes with requests below this path only."""
    same_site: Literal["Lax", "Strict", "None"] = _setting(check.SITE, default="Lax")
    """Whether the cookie comes with requests that another site causes.  "None" needs Secure."""
    http_only: bool = _setting(check.FLAG, default=True)
    """The scripts of a page cannot read the cookie."""
    partitioned: bool = _setting(check.FLAG, default=False)
    """A cookie for each embedding site (CHIPS).  Needs Secure."""
    secure: bool | Literal["auto"] = _setting(check.SECURE, default="auto")
    """The cookie travels over https alone: always, never, or if it was set over https."""
    enable_set_cookie: bool = _setting(check.FLAG, default=True)
    """False: no cookie is sent; the token travels in the header, or the application sends it."""
    header_name: str | None = _setting(check.optional(check.HEADER), default=None)
    """A request header that may carry the token instead of the cookie, and carries the answer."""
    max_lifetime: float = _setting(check.POSITIVE, default=3600)
    """Idle lifetime: a session ends this long after it was last seen."""
    absolute_lifetime: float | None = _setting(
        check.optional(check.POSITIVE), default=30 * check.DAY
    )
    """A session ends this long after it began, however active.  None: no such limit."""
    touch_interval: float = _setting(check.optional(check.TOUCH), default=None)
    """How seldom "last seen" is written.  None becomes max_lifetime/60, at most a minute."""
    touch_on: Literal["request", "change"] = _setting(check.TOUCH_ON, default="request")
    """What counts as being seen: every request, or only one that changes something."""
    retired_for: float = _setting(check.RETIRED, default=10)
    """How long a regenerated token stays known, for requests that were under way with it."""
    gc_interval: float = _setting(check.POSITIVE, default=300)
    """The pause between two sweeps for expired sessions."""
    hash_func: str = _setting(check.ANY, default="sha256")  # `Tokens` checks it, and the key
    """The hash of `hashlib` that makes an id of a token."""
    hash_key: str | bytes = _setting(check.ANY, default="")
    """The key of that hash.  Another hash or key ends every session."""
    max_size: int = _setting(check.SIZE, default=1_048_576)
    """The largest record in bytes."""
    on_outage: Literal["error", "anonymous"] = _setting(check.OUTAGE, default="error")
    """When the store is down: fail the request, or go on with an empty session that is not kept."""
    provider_config: str | Mapping[str, Any] | None = _setting(
        check.optional(check.PROVIDER), default=None
    )
    """For a provider that is given by name."""
    types: Mapping[str, Any] | None = _setting(check.optional(check.TYPES), default=None)
    """Types of your own to store, by the name that is stored with them."""
    on_event: Callable[[str, str | None], object] | None = _setting(  # noqa: RUF009 - a field
        check.optional(check.LISTENER), default=None
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
        return f"Config({', '.join(check.shown(name, getattr(self, name)) for name in _NAMES)})"

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
        if any(key in BEEGO_KEYS and key not in _NAMES for key in given):
            given = from_beego(given, _NAMES)
        given = {**given, **settings}
        check.refuse_unknown(given, _NAMES)
        return cls(**given)

    def replace(self, **settings: Any) -> Config:
        """A copy with other settings, all checked again; an implied `touch_interval` follows."""
        check.refuse_unknown(settings, _NAMES)
        kept = {name: getattr(self, name) for name in _NAMES}
        if self.touch_interval == _implied_touch_interval(self):
            kept["touch_interval"] = None
        return Config(**{**kept, **settings})

    def check_size(self, fields: Fields) -> None:
        """Raise SessionTooLarge if a record of these fields would be over `max_size`."""
        size = sum(map(len, fields)) + sum(map(len, fields.values()))
        if size > self.max_size:
            raise SessionTooLarge(
                f"the session would be {size:,} bytes, max_size is {self.max_size:,}: "
                "keep large things elsewhere and their keys here, or raise max_size"
            )


_NAMES = tuple(setting.name for setting in fields(Config))


def _implied_touch_interval(config: Config) -> float:
    return min(config.max_lifetime / 60, 60.0)


def _touch_interval(config: Config) -> float:
    interval: float | None = config.touch_interval
    if interval is None:
        return _implied_touch_interval(config)
    if interval > config.max_lifetime / 2:
        raise check.refused(
            "touch_interval", interval, "give at most half of max_lifetime, or None"
        )
    return interval


def _secure(config: Config) -> bool | Literal["auto"]:
    """`secure`, made True by what browsers accept with Secure only (RFC 6265bis §5.7)."""
    prefix = config.cookie_name.lower()  # browsers know it in any case
    if prefix.startswith("__host-") and (config.cookie_path != "/" or config.cookie_domain):
        raise check.refused(
            "cookie_name", config.cookie_name, "needs cookie_path='/' and cookie_domain=None"
        )
    if prefix.startswith(("__host-", "__secure-")):
        reason = check.shown("cookie_name", config.cookie_name)
    elif config.same_site == "None":
        reason = "same_site='None'"
    elif config.partitioned:
        reason = "partitioned=True"
    else:
        return config.secure
    if config.secure is False:
        raise check.refused("secure", value=False, way_out=f"give True, which {reason} needs")
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
