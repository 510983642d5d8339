"""The recognition of a provider's name, or of a store's URL, in the text given to a manager.

The text may contain a password.  Error messages therefore show it only if it has the form of a
provider's name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from sojourn.errors import ConfigError

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")

_SCHEMES = {
    **dict.fromkeys(("redis", "rediss", "valkey", "valkeys", "unix"), ("redis", "address")),
    **dict.fromkeys(("mysql", "mariadb"), ("mysql", "dsn")),
    **dict.fromkeys(("postgres", "postgresql"), ("postgres", "dsn")),
    "sqlite": ("sqlite", "path"),
}
"""Per URL scheme, without a suffix such as `+asyncpg`: the provider, and its keyword for a URL."""

_OTHER_NAMES = {
    **dict.fromkeys(("filesystem", "files", "disk", "folder"), "'file'"),
    **dict.fromkeys(("cache", "cached", "locmem", "simple", "dict", "ram"), "'memory'"),
    **dict.fromkeys(("db", "database", "sql", "sqlalchemy"), "'postgres', 'mysql' or 'sqlite'"),
    **dict.fromkeys(("valkey", "keydb", "aioredis", "redis_cluster"), "'redis'"),
    **dict.fromkeys(("postgresql", "pg", "psycopg", "psycopg2", "asyncpg"), "'postgres'"),
    **dict.fromkeys(("mariadb", "pymysql", "mysqlclient"), "'mysql'"),
    "sqlite3": "'sqlite'",
}
"""Names for a store in other libraries, and the matching names here."""

# Stores for which Sojourn has no provider.
_NONE_OF_OURS = {"memcache", "memcached", "mongodb", "mongo", "dynamodb", "cassandra"}


class Named(NamedTuple):
    """The name of a registered provider, and the configuration for its factory."""

    name: str
    config: Any


def named(text: str, config: str | Mapping[str, Any] | None) -> Named:
    """Return the provider that a text names, with the configuration for its factory.

    text: the name of a provider, or a URL.
    config: `provider_config`; beside a URL it may hold the provider's other keywords.

    Raises ConfigError for a URL with an unknown scheme, and for a configuration beside a URL that
    gives the address a second time.
    """
    url = _URL.match(text.strip())
    if url is None:
        return Named(text, config)
    # Schemes are case-insensitive (RFC 3986, §3.1); the factories expect lower case.
    scheme = url[1].lower()
    text = scheme + text.strip()[len(scheme) :]
    if scheme.partition("+")[0] not in _SCHEMES:
        raise ConfigError(
            f"no provider takes a URL that begins with {scheme:.40}://: there are redis://, "
            "mysql://, postgres:// and sqlite:///"
        )
    name, keyword = _SCHEMES[scheme.partition("+")[0]]
    # "" as well as None: Beego's settings contain "" for a provider without configuration.
    if not config:
        return Named(name, text)
    if isinstance(config, str) or keyword in config:
        raise ConfigError(
            f"provider_config: the provider is a URL already, so say here its other keywords alone, "
            f"or give the provider as {name!r}"
        )
    return Named(name, {keyword: text, **config})


def unknown(text: str, names: Collection[str]) -> ConfigError:
    """Return the error for a text that is not among `names`, with a hint at the right name."""
    # A text of any other form may be a DSN with a password in it, so the error must not repeat it.
    if not re.fullmatch(r"[\w.+-]{1,40}", text):
        return ConfigError(
            "the provider is a text that is neither a name nor a URL: give a path, a DSN or an "
            "address as `provider_config`, after a name as in Manager('file', "
            "provider_config='./sessions')"
        )
    from difflib import get_close_matches

    known = text.lower()
    near = get_close_matches(known, names, n=1)
    if known in _OTHER_NAMES:
        hint = f"did you mean {_OTHER_NAMES[known]}?"
    elif known in _NONE_OF_OURS:
        hint = (
            "there is none for it: derive one from sojourn.CompareAndSwapProvider, in four methods;"
        )
    else:
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(names))};"
    return ConfigError(f"no provider is called {text!r}: {hint} `register` adds your own")
