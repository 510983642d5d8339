"""The configuration of a manager: all settings with their defaults and checks.

The fields of `Config` define all three.  Each value is checked and normalised when a `Config` is
created (a duration becomes a float in seconds), so other code can rely on valid values.  An
invalid value raises a `ConfigError` that names the key, the value and a remedy.  The values of
`hash_key` and `provider_config`, which may be secret, never appear in a message.

`Config.load` also accepts the settings of Beego's session module, with Beego's names and defaults;
`beego.py` converts them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from sojourn._tokens import Tokens
from sojourn.config import validators as check
from sojourn.config.beego import KEYS as BEEGO_KEYS
from sojourn.config.beego import from_beego
from sojourn.config.hints import answer
from sojourn.errors import ConfigError, SessionTooLarge
from sojourn.record import NO_FIELDS, Fields, size_of


def _setting(its_check: check.Check, *, default: Any) -> Any:
    """Return a dataclass field with a default and a check."""
    return field(default=default, metadata={"check": its_check})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Config:
    """All settings, checked and immutable.  Durations are seconds or a timedelta."""

    cookie_name: str = _setting(check.NAME, default="session")
    """The cookie's name, a token of RFC 6265.  A prefix such as `__Host-` adds its requirements."""
    cookie_lifetime: float = _setting(check.KEPT, default=0)
    """How long the browser keeps the cookie; 0: until it closes.  Does not affect the session."""
    cookie_domain: str | None = _setting(check.optional(check.DOMAIN), default=None)
    """The domain whose hosts all receive the cookie.  None: only the host that set it."""
    cookie_path: str = _setting(check.PATH, default="/")
    """The path below which requests carry the cookie."""
    same_site: Literal["Lax", "Strict", "None"] = _setting(check.SITE, default="Lax")
    """Whether requests caused by another site carry the cookie.  "None" requires Secure."""
    http_only: bool = _setting(check.FLAG, default=True)
    """Whether the cookie is hidden from the scripts of a page."""
    partitioned: bool = _setting(check.FLAG, default=False)
    """Whether the browser keeps a separate cookie per embedding site (CHIPS).  Requires Secure."""
    secure: bool | Literal["auto"] = _setting(check.SECURE, default="auto")
    """Whether the cookie is sent over https only.  "auto": if it was set over https."""
    enable_set_cookie: bool = _setting(check.FLAG, default=True)
    """False: no cookie is sent; the token travels in the header, or the application sends it."""
    header_name: str | None = _setting(check.optional(check.HEADER), default=None)
    """A request header that may carry the token instead of the cookie; the answer uses it too."""
    max_lifetime: float = _setting(check.POSITIVE, default=3600)
    """The idle lifetime: a session ends this long after it was last seen."""
    absolute_lifetime: float | None = _setting(
        check.optional(check.POSITIVE), default=30 * check.DAY
    )
    """A session ends this long after its creation, even if it is in use.  None: no such limit."""
    touch_interval: float = _setting(check.optional(check.DURATION), default=None)
    """The shortest time between two writes of "last seen".  None: max_lifetime/60, at most 60 s."""
    touch_on: Literal["request", "change"] = _setting(check.TOUCH_ON, default="request")
    """Which requests count as "seen": every one, or only those that change something."""
    retired_for: float = _setting(check.RETIRED, default=10)
    """How long a replaced token is still recognised, for requests that were already under way."""
    gc_interval: float = _setting(check.POSITIVE, default=300)
    """The pause between two sweeps that delete expired sessions."""
    hash_func: str = _setting(check.ANY, default="sha256")  # `Tokens` checks this and the key
    """The hash function of `hashlib` that turns a token into an id."""
    hash_key: str | bytes = _setting(check.ANY, default="")
    """The key of that hash.  Changing the hash function or the key ends every session."""
    short_ids: bool = _setting(check.FLAG, default=False)
    """Whether ids and tokens have at most 40 characters, for existing tables that store them."""
    max_size: int = _setting(check.SIZE, default=1_048_576)
    """The largest size of a record in bytes."""
    on_outage: Literal["error", "anonymous"] = _setting(check.OUTAGE, default="error")
    """When the store is down: fail the request, or continue with an empty session that is
    not kept."""
    provider_config: str | Mapping[str, Any] | None = _setting(
        check.optional(check.PROVIDER), default=None
    )
    """The configuration for a provider that is given by name."""
    types: Mapping[str, Any] | None = _setting(check.optional(check.TYPES), default=None)
    """The application's own types that can be stored, by the name that is stored with them."""
    derived_types: Literal["base", "refuse"] = _setting(check.DERIVED, default="base")
    """How to store a value of a subclass of a storable type, or a time zone without a key.
    "base": as the equal value of the base type, or as a fixed offset.  "refuse": raise an error."""
    on_event: Callable[[str, str | None], object] | None = _setting(  # noqa: RUF009 - a field
        check.optional(check.LISTENER), default=None
    )
    """A function called with the name of each event and the id of its session."""

    def __post_init__(self) -> None:
        for setting in fields(self):
            value = setting.metadata["check"](setting.name, getattr(self, setting.name))
            # The dataclass is frozen, so a normalised value cannot be assigned in the usual way.
            object.__setattr__(self, setting.name, value)
        # Created only for its checks of the hash function and the key.
        Tokens(self.hash_func, self.hash_key, short=self.short_ids)
        object.__setattr__(self, "touch_interval", _touch_interval(self))
        object.__setattr__(self, "secure", _secure(self))

    def __repr__(self) -> str:
        return f"Config({', '.join(check.shown(name, getattr(self, name)) for name in _NAMES)})"

    @classmethod
    def load(
        cls, config: str | Mapping[str, Any] | Config | None = None, /, **settings: Any
    ) -> Config:
        """Create a `Config` from JSON text, a mapping or another `Config`.

        Keyword arguments take priority.  If text or mapping contains a key that only Beego has
        (`cookieName`, `maxLifetime` ...), all of it is read as Beego's form: Beego's defaults
        apply, and Sojourn's names are refused in it.  Keyword arguments always use Sojourn's names.

        Raises ConfigError for an unknown key or an invalid value.
        """
        if isinstance(config, Config):
            return config.replace(**settings)
        given = _mapping(config)
        if any(key in BEEGO_KEYS and key not in _NAMES for key in given):
            given = from_beego(given, _NAMES)
        given = {**given, **settings}
        check.refuse_unknown(given, _NAMES, answer)
        return cls(**given)

    def replace(self, **settings: Any) -> Config:
        """Return a copy with other settings, all checked again.

        A `touch_interval` that was derived from `max_lifetime` is derived anew.
        """
        check.refuse_unknown(settings, _NAMES, answer)
        kept = {name: getattr(self, name) for name in _NAMES}
        if self.touch_interval == _implied_touch_interval(self):
            # None makes the copy compute the interval from its own max_lifetime.
            kept["touch_interval"] = None
        return Config(**{**kept, **settings})

    def check_size(self, fields: Fields, stored: Fields = NO_FIELDS) -> None:
        """Raise SessionTooLarge if a record with these fields would exceed `max_size`.

        stored: the fields that they replace.  If those are already too large, for instance because
        the limit was lowered, a record may still be made smaller.
        """
        size = size_of(fields)
        if size > self.max_size and size > size_of(stored):
            raise SessionTooLarge(
                f"the session would be {size:,} bytes, max_size is {self.max_size:,}: "
                "keep large things elsewhere and their keys here, or raise max_size"
            )


_NAMES = tuple(setting.name for setting in fields(Config))


def _implied_touch_interval(config: Config) -> float:
    """Return the interval in seconds that applies if none is set."""
    return min(config.max_lifetime / 60, 60.0)


def _touch_interval(config: Config) -> float:
    """Return the interval that applies; refuse one that would let sessions in use expire."""
    interval: float | None = config.touch_interval
    if interval is None:
        return _implied_touch_interval(config)
    if interval > config.max_lifetime / 2:
        raise check.refused(
            "touch_interval", interval, "give at most half of max_lifetime, or None"
        )
    return interval


def _secure(config: Config) -> bool | Literal["auto"]:
    """Return `secure`, or True if another setting requires the Secure attribute.

    Browsers reject such cookies without it (RFC 6265bis §5.7).
    """
    name = config.cookie_name.lower()  # browsers match the prefixes in any case
    if name.startswith("__host-") and (config.cookie_path != "/" or config.cookie_domain):
        raise check.refused(
            "cookie_name", config.cookie_name, "needs cookie_path='/' and cookie_domain=None"
        )
    if name.startswith(("__http-", "__host-http-")) and not config.http_only:
        raise check.refused("cookie_name", config.cookie_name, "needs http_only=True")
    if name.startswith(("__host-", "__secure-", "__http-")):
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
    """Return the settings in JSON text, or in a mapping, as a mapping."""
    if isinstance(config, str):
        import json

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
