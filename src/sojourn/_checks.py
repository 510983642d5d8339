"""The checks of the settings: each says what a value must be, and brings it into one form.

What is refused is refused by a `ConfigError` that names the key, the value and the way out; the
values of `hash_key` and `provider_config` are shown nowhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from inspect import iscoroutinefunction
from typing import Any

from sojourn._tokens import TOKEN_LENGTH
from sojourn.errors import ConfigError

HOUR, DAY = 3600, 86_400
COOKIE_LIMIT = 400 * DAY
"""Seconds: browsers keep no cookie longer (RFC 6265bis §5.5)."""
LONGEST_DURATION = 1e10
"""Seconds, 300 years: what every clock and store can count."""

_HIDDEN = frozenset({"hash_key", "provider_config", "sessionIDHashKey", "providerConfig"})
Check = Callable[[str, Any], Any]
"""Takes a key and its value; returns the value in its one form, or raises `ConfigError`."""


def shown(key: str, value: object) -> str:
    """Return a setting as errors and reprs show it."""
    return f"{key}=..." if key in _HIDDEN and value else f"{key}={value!r}"


def refused(key: str, value: object, way_out: str) -> ConfigError:
    """Return the error that refuses a value."""
    return ConfigError(f"{shown(key, value):.120}: {way_out}")


def must(
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
        raise refused(key, value, way_out)

    return check


def _float(value: Any) -> float:
    """The seconds of a number or a timedelta; nan, which is in no span, of anything else."""
    count = value.total_seconds() if isinstance(value, timedelta) else value
    wrong = isinstance(count, bool) or not isinstance(count, int | float)
    return math.nan if wrong or abs(count) > LONGEST_DURATION else float(count)


def seconds(span: str, holds: Callable[[float], bool]) -> Check:
    """Return the check of a duration."""
    return must(f"give {span} seconds, as a number or a timedelta", holds, _float)


def optional(check: Check) -> Check:
    """Return the same check, with None allowed."""
    return lambda key, value: None if value is None else check(key, value)


ANY = must("", lambda _: True)
FLAG = must("give True or False", lambda v: isinstance(v, bool))
SECURE = must("give True, False or 'auto'", lambda v: isinstance(v, bool) or v == "auto")
SITE = must(
    "give 'Lax', 'Strict' or 'None', as text", ("Lax", "Strict", "None").__contains__, str.title
)
OUTAGE = must("give 'error' or 'anonymous'", ("error", "anonymous").__contains__)
TOUCH_ON = must("give 'request' or 'change'", ("request", "change").__contains__)
SIZE = must("give a whole number above 0", lambda v: type(v) is int and v > 0)
TYPES = must("give a mapping of names to types", lambda v: isinstance(v, Mapping))
PROVIDER = must("give text or a mapping", lambda v: isinstance(v, str | Mapping))
LISTENER = must(
    "give a plain function of a name and an id",
    lambda v: callable(v) and not iscoroutinefunction(v),
)
POSITIVE = seconds("more than 0", lambda s: s > 0)
TOUCH = seconds("0 or more", lambda s: s >= 0)
RETIRED = seconds("1 to 3600", lambda s: 1 <= s <= HOUR)
KEPT = seconds("0 to 34560000 (400 days)", lambda s: 0 <= s <= COOKIE_LIMIT)

# Browsers ignore a cookie of more than 4,096 octets in name and value, and an attribute of more
# than 1,024 (RFC 6265bis §5.6, §5.7).  None of these can break out of its place in a header.
_TCHAR = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"  # RFC 9110 §5.6.2
_LABEL = r"(?!-)[0-9A-Za-z_-]{1,63}(?<!-)"
NAME = must(
    "give letters, digits or !#$%&'*+-.^_`|~, and leave room for the token in 4,096 octets",
    re.compile(f"{_TCHAR}{{1,{4096 - TOKEN_LENGTH}}}").fullmatch,
)
PATH = must(
    "give '/' and then printable ASCII without ';', at most 1,024 octets with 'Path='",
    re.compile(r"/[ -:<-~]{0,1018}").fullmatch,
)
DOMAIN = must(
    "give a bare host name in ASCII such as 'example.com', or None for this host alone",
    re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*").fullmatch,
    lambda v: v.removeprefix("."),
)
HEADER = must(
    "give the name of a header of your own such as 'X-Session-Token', or None for cookies",
    re.compile(rf"(?!(?i:(set-)?cookie)\Z){_TCHAR}{{1,200}}").fullmatch,
)


def refuse_unknown(given: Iterable[object], known: Iterable[str]) -> None:
    """Refuse keys that are not known, naming the nearest; their values are not shown."""
    by_lower = {name.lower(): name for name in known}
    for key in set(given).difference(known):
        near = get_close_matches(str(key).lower(), by_lower, n=1)
        hint = f"did you mean {by_lower[near[0]]!r}?" if near else f"there are {', '.join(known)}"
        raise ConfigError(f"unknown setting {key!r:.80}: {hint}")
