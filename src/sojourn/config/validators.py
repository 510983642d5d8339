"""The checks of the settings; each one validates a value and normalises it.

An invalid value raises a `ConfigError` that names the key, the value and a remedy.  The values of
`hash_key` and `provider_config` never appear in a message.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from inspect import iscoroutinefunction
from typing import Any

from sojourn._tokens import TOKEN_LENGTH
from sojourn.errors import ConfigError

HOUR, DAY = 3600, 86_400
COOKIE_LIMIT = 400 * DAY
"""The longest time in seconds for which browsers keep a cookie (RFC 6265bis §5.5)."""
LONGEST_DURATION = 1e10
"""The longest duration in seconds, about 300 years, which every clock and store can represent."""

_HIDDEN = frozenset({"hash_key", "provider_config", "sessionIDHashKey", "providerConfig"})
Check = Callable[[str, Any], Any]
"""Takes a key and its value; returns the normalised value, or raises `ConfigError`."""


def shown(key: str, value: object) -> str:
    """Return a setting as text for errors and reprs, without the value if that may be secret."""
    return f"{key}=..." if key in _HIDDEN and value else f"{key}={value!r}"


def refused(key: str, value: object, way_out: str) -> ConfigError:
    """Return the error for an invalid value; `way_out` tells how to correct it."""
    return ConfigError(f"{shown(key, value):.120}: {way_out}")


def must(
    way_out: str, holds: Callable[[Any], object], turn: Callable[[Any], Any] = lambda value: value
) -> Check:
    """Return a check: `turn` normalises the value, and `holds` decides whether the result is valid.

    A value of a wrong type may raise AttributeError or TypeError in either function, and is then
    invalid.
    """

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
    """Return a number or a timedelta in seconds.

    Anything else, and a number that is too large, becomes NaN, which lies in no range.
    """
    count = value.total_seconds() if isinstance(value, timedelta) else value
    # A bool is an int in Python, but True is hardly meant as one second.
    wrong = isinstance(count, bool) or not isinstance(count, int | float)
    return math.nan if wrong or abs(count) > LONGEST_DURATION else float(count)


def seconds(span: str, holds: Callable[[float], bool]) -> Check:
    """Return a check of a duration."""
    return must(f"give {span} seconds, as a number or a timedelta", holds, _float)


def optional(check: Check) -> Check:
    """Return the same check, but with None allowed."""
    return lambda key, value: None if value is None else check(key, value)


ANY = must("", lambda _: True)
FLAG = must("give True or False", lambda v: isinstance(v, bool))
SECURE = must("give True, False or 'auto'", lambda v: isinstance(v, bool) or v == "auto")
SITE = must(
    "give 'Lax', 'Strict' or 'None', as text", ("Lax", "Strict", "None").__contains__, str.title
)
OUTAGE = must("give 'error' or 'anonymous'", ("error", "anonymous").__contains__)
TOUCH_ON = must("give 'request' or 'change'", ("request", "change").__contains__)
DERIVED = must("give 'base' or 'refuse'", ("base", "refuse").__contains__)
SIZE = must("give a whole number above 0", lambda v: type(v) is int and v > 0)
TYPES = must("give a mapping of names to types", lambda v: isinstance(v, Mapping))
PROVIDER = must("give text or a mapping", lambda v: isinstance(v, str | Mapping))
LISTENER = must(
    "give a plain function of a name and an id",
    lambda v: callable(v) and not iscoroutinefunction(v),
)
POSITIVE = seconds("more than 0 and at most 1e10", lambda s: s > 0)
DURATION = seconds("0 or more and at most 1e10", lambda s: s >= 0)
RETIRED = seconds("1 to 3600", lambda s: 1 <= s <= HOUR)
KEPT = seconds("0 to 34560000 (400 days)", lambda s: 0 <= s <= COOKIE_LIMIT)

# Browsers ignore a cookie whose name and value together exceed 4,096 octets, and an attribute of
# more than 1,024 (RFC 6265bis §5.6, §5.7).  No character that the patterns below allow can end the
# name or attribute early, so a setting cannot inject another attribute or header.
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
# Header fields to which HTTP or proxies give a meaning (RFC 9110 and its companions).  A token in
# one of these would break the message, or be logged, cached or removed.
_OF_HTTP = (
    "accept(-.+)?|access-control-.+|age|allow|alt-svc|authentication-info|authorization"
    "|cache-control|clear-site-data|connection|content-.+|cookie|date|etag|expect|expires|forwarded|from|host|if-.+|keep-alive"
    "|last-modified|link|location|max-forwards|mime-version|nel|origin|pragma|prefer|priority|proxy-.+|range"
    "|referer|referrer-policy|refresh|report-to|retry-after|sec-.+|server|server-timing|set-cookie"
    "|strict-transport-security|te|trailer|transfer-encoding|upgrade|user-agent|vary|via|warning"
    "|www-authenticate|x-(accel-.+|content-type-options|forwarded-.+|frame-options|real-ip|request-id"
    "|http-method-override|requested-with|sendfile|xss-protection)"
)
HEADER = must(
    "give the name of a header of your own such as 'X-Session-Token', or None for cookies",
    re.compile(rf"(?!(?i:{_OF_HTTP})\Z){_TCHAR}{{1,200}}").fullmatch,
)


def refuse_unknown(
    given: Iterable[object],
    known: Iterable[str],
    answer: Callable[[str], str | None] = lambda _: None,
) -> None:
    """Raise ConfigError for an unknown key, with the most similar known one; never show its value.

    answer: returns a better hint for a key, or None.
    """
    by_lower = {name.lower(): name for name in known}
    for key in set(given).difference(known):
        from difflib import get_close_matches

        near = get_close_matches(str(key).lower(), by_lower, n=1)
        hint = answer(str(key)) or (
            f"did you mean {by_lower[near[0]]!r}?" if near else f"there are {', '.join(known)}"
        )
        raise ConfigError(f"unknown setting {key!r:.80}: {hint}")
