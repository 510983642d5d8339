"""The kinds of cookies that real clients are given, and where."""

from __future__ import annotations

from typing import Any

HOUR, DAY = 3_600, 86_400  # seconds

DOMAIN = "example.test"
SHOP, WWW = f"shop.{DOMAIN}", f"www.{DOMAIN}"
"""Two hosts of one site."""
OTHER, THIRD = "other.test", "third.test"
"""Other sites."""
HOSTS = (SHOP, WWW, OTHER, THIRD)

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "always": {"secure": True},
    "never": {"secure": False},
    "strict": {"same_site": "Strict"},
    "none": {"same_site": "None"},
    "host": {"cookie_name": "__Host-sid"},
    "prefixed": {"cookie_name": "__Secure-sid"},
    "chips": {"same_site": "None", "partitioned": True},
    "path": {"cookie_path": "/path"},
    "wide": {"cookie_domain": DOMAIN},
    "both": {"cookie_domain": DOMAIN, "cookie_path": "/both"},
    "readable": {"http_only": False},
    "lasting": {"cookie_lifetime": DAY, "max_lifetime": DAY, "touch_interval": 0},
    "forever": {"absolute_lifetime": None},
    # Of one name with another: as it was, before somebody changed the settings.
    "shorter": {"cookie_name": "lasting", "cookie_lifetime": HOUR},
    "narrow": {"cookie_name": "wide"},
}
"""How the settings of each kind differ."""


def name_of(kind: str) -> str:
    """The name of its cookie: that of the kind, unless its settings say otherwise."""
    name: str = KINDS[kind].get("cookie_name", kind)
    return name
