"""The `Address` of a Redis or Valkey server, and the parser of its two text forms.

In Beego's form the parts are separated by commas, and all but the first may be empty or missing.
Several addresses are the nodes of a cluster, or the sentinels of a service if part 5 names one:

    127.0.0.1:6379,100,secret,0,30            address, pool, password, database, idle timeout
    10.0.0.1:6379;10.0.0.2:6379,100,secret
    10.0.0.1:26379;10.0.0.2:26379,100,secret,0,mymaster

Beego's last two parts (the interval of idle checks, the number of retries) are validated and then
ignored: each idle connection is checked before its use, and whether a command may be repeated
depends on the command.  A URL can also set the options in `_OPTIONS`:

    redis://user:password@host:6379/0?pool=50        unix:///run/redis.sock?db=1
    redis+sentinel://host:26379,host:26379/mymaster/0?sentinel_password=secret
    redis+cluster://host:6379,host:6379              rediss: with TLS; valkey: the same

An error message shows a value only if no typing mistake could have put a part of a password there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from reprlib import repr as brief
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote

from sojourn.errors import ConfigError

Kind = Literal["single", "sentinel", "cluster"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The location of a Redis and the connection settings.

    None means that a setting is not given.  Times are seconds.
    """

    kind: Kind
    hosts: tuple[tuple[str, int], ...] = ()  # of the server, the cluster's nodes or the sentinels
    path: str | None = None  # of a unix socket, instead of hosts
    service: str | None = None  # the name of the master in the configuration of the sentinels
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    database: int = 0
    tls: Mapping[str, str | bool] | None = None  # the `ssl_…` keywords of redis-py; None: no TLS
    client_name: str | None = None
    pool: int | None = None  # the greatest number of connections
    timeout: float | None = None  # for the reply to a command
    connect_timeout: float | None = None
    idle_timeout: float | None = None  # a connection unused for so long is replaced before its use
    prefix: str | None = None  # the beginning of the name of every key
    wait: int | None = None  # the number of replicas that must confirm the end of a session


def parse(text: str) -> Address:
    """Return the address that a text describes.

    Raises ConfigError, which names the part of the text that is wrong.
    """
    scheme, mark, rest = text.strip().partition("://")
    if mark and re.fullmatch("[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return _of_url(scheme.lower().replace("valkey", "redis"), rest)
    if scheme.startswith("{"):
        raise _refused("JSON within a text", f"give a mapping, or write {_IN_PARTS}")
    return _of_parts(text.strip().split(","))


class _Check(NamedTuple):
    """The pattern of a valid value, the advice if it does not match, and its conversion."""

    pattern: str
    way_out: str
    turn: Callable[[str], Any] = str


# Lengths are limited, so that `int` and `float` cannot fail or return infinity.  An idle timeout of
# 0 means none in Beego's form.
_SECRET = _Check("(?s:.*)", "", lambda text: text or None)
_WORD = _Check(r"[^\x00-\x1f\x7f]+", "give printable text")
_WHOLE = _Check(r"\d{1,9}", "give a whole number, 0 or more", int)
_ABOVE_0 = _Check(r"(?=.*[1-9])\d{1,9}", "give a whole number above 0", int)
_INTEGER = _Check(r"-?\d{1,9}", "give a whole number, or leave it out", int)
_SECONDS = _Check(r"(?=.*[1-9])\d{1,9}(\.\d{1,9})?", "give seconds above 0, such as 0.5", float)
_IDLE = _Check(r"\d{1,9}", "give whole seconds", lambda text: float(text) or None)


def _checked(what: str, check: _Check, text: str, *, shown: bool) -> Any:
    if re.fullmatch(check.pattern, text) is None:
        raise _refused(what, check.way_out, text if shown else None)
    return check.turn(text)


def _refused(what: str, way_out: str, value: str | None = None) -> ConfigError:
    shown = "" if value is None else f" {brief(value)}"
    return ConfigError(f"provider_config: {what}{shown}: {way_out}")


def _host(text: str, kind: Kind, form: str, *, shown: bool) -> tuple[str, int]:
    found = re.fullmatch(r"([\w.-]{1,253}|\[(?=.*:)[0-9A-Fa-f:.]+(?:%\w+)?\])(?::(\d{1,5}))?", text)
    port = 26_379 if kind == "sentinel" else 6379
    if found is None or not 0 < int(found[2] or port) < 65_536:
        way_out = f"give a host, IPv6 as [::1], and a port from 1 to 65535: {form}"
        raise _refused("the address", way_out, text if shown else None)
    return found[1].strip("[]"), int(found[2] or port)


def _made(kind: Kind, said: dict[str, Any], **place: Any) -> Address:
    if kind == "cluster" and said.get("database"):
        raise _refused("the database", "a cluster has only 0: leave it out, and give a prefix")
    if kind == "sentinel" and "service" not in said:
        raise _refused("the service is missing", f"name what the sentinels watch: {_FORMS[kind]}")
    return Address(kind=kind, **said, **place)


# -- Beego's form --------------------------------------------------------------------------------

_IN_PARTS = "'127.0.0.1:6379,100,password,0,30' (address, pool, password, database, idle timeout)"
_PLAIN = r"[\w.-]*(:\d+)?"  # an address that is wrong, but nothing else
_PARTS = {
    "pool": _ABOVE_0,
    "password": _SECRET,
    "database": _WHOLE,
    "service": _WORD,  # of Sentinel alone
    "idle_timeout": _IDLE,
    "idle check": _INTEGER,
    "retries": _INTEGER,
}


def _of_parts(parts: list[str]) -> Address:
    is_path = parts[0].startswith("/")
    places = parts[:1] if is_path else parts[0].split(";")
    # Part 5 is Beego's idle timeout, a number.  Any other text is the name of a service of
    # sentinels, which shifts the following parts by one.
    names_service = re.search(r"\D", "".join(parts[4:5])) is not None
    kind: Kind = "single" if len(places) == 1 else "sentinel" if names_service else "cluster"
    said = _said_in_parts(parts[1:], kind)
    if is_path:
        return _made(kind, said, path=parts[0])
    hosts = (_host(at, kind, _IN_PARTS, shown=bool(re.fullmatch(_PLAIN, at))) for at in places)
    return _made(kind, said, hosts=tuple(hosts))


def _said_in_parts(parts: list[str], kind: Kind) -> dict[str, Any]:
    names = [name for name in _PARTS if name != "service" or kind == "sentinel"]
    if len(parts) > len(names):
        raise _refused(
            f"{len(parts) + 1} parts, of which {len(names) + 1} have a meaning",
            f"a password with a comma needs a URL: {_FORMS[kind]}, with %2C for ','",
        )
    said = {}
    for number, (name, part) in enumerate(zip(names, parts, strict=False), start=2):
        # A part that is not a short number may be a misplaced password, or the rest of a password
        # that contains a comma: the error must not show it.
        if part:
            shown = name == "pool" and re.fullmatch(r"-?\d{1,2}", part) is not None
            said[name] = _checked(f"part {number}, the {name},", _PARTS[name], part, shown=shown)
    return {name: value for name, value in said.items() if _PARTS[name] is not _INTEGER}


# -- URLs ----------------------------------------------------------------------------------------

_FORMS: dict[Kind, str] = {
    "single": "'redis://user:password@host:6379/0'",
    "sentinel": "'redis+sentinel://user:password@host:26379,host:26379/service/0'",
    "cluster": "'redis+cluster://user:password@host:6379,host:6379'",
}
_SCHEMES: dict[str, Kind] = {
    **dict.fromkeys(("redis", "rediss", "unix", "redis+unix"), "single"),
    **dict.fromkeys(("redis+sentinel", "rediss+sentinel"), "sentinel"),
    **dict.fromkeys(("redis+cluster", "rediss+cluster"), "cluster"),
}
_OPTIONS = {
    **dict.fromkeys(("username", "password", "sentinel_username", "sentinel_password"), _SECRET),
    **dict.fromkeys(("service", "prefix", "client_name"), _WORD),
    **dict.fromkeys(("database", "wait"), _WHOLE),
    **dict.fromkeys(("timeout", "connect_timeout", "idle_timeout"), _SECONDS),
    "pool": _ABOVE_0,
    **dict.fromkeys(("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"), _WORD),
    "ssl_cert_reqs": _Check("required|optional|none", "give required, optional or none"),
    "ssl_check_hostname": _Check("true|false", "give true or false", lambda text: text == "true"),
}
# Options that URLs of redis-py call by another name.
_NAMES_OF_REDIS_PY = {
    "db": "database",
    "max_connections": "pool",
    "socket_timeout": "timeout",
    "socket_connect_timeout": "connect_timeout",
}
# Options whose names begin like this require this part in the scheme.
_NEEDS = {"ssl_": "rediss", "sentinel_": "sentinel", "service": "sentinel"}


def _of_url(scheme: str, rest: str) -> Address:
    kind = _kind(scheme)
    # A password with one of these characters that is not encoded would divide the URL at the wrong
    # place, and a part of the password could appear in a message as a host.
    if re.search("(?s)#|[/?@].*@", rest):
        raise _refused("'@', '/', '?' or '#' out of its place", "write %40, %2F, %3F or %23 for it")
    place, _, query = rest.partition("?")
    authority, _, path = place.partition("/")
    credentials, at, hosts = authority.rpartition("@")
    username, _, password = credentials.partition(":")
    who = {"username": username, "password": password}
    if scheme.endswith("unix"):
        if hosts or not path:
            raise _refused("the socket", "write its path after three slashes: 'unix:///a/b.sock'")
        return _made(kind, _said(scheme, query, **who), path="/" + _decoded(path))
    if kind == "single" and "," in hosts:
        raise _refused("several hosts", f"write {_FORMS['cluster']} or {_FORMS['sentinel']}")
    # Without an "@", the text may be a password whose "@" was forgotten, so it is not shown.
    found = tuple(_host(host, kind, _FORMS[kind], shown=bool(at)) for host in hosts.split(","))
    service, _, database = path.partition("/") if kind == "sentinel" else ("", "", path)
    said = _said(scheme, query, **who, service=service, database=database)
    return _made(kind, said, hosts=found)


def _kind(scheme: str) -> Kind:
    if scheme not in _SCHEMES:
        near = get_close_matches(scheme, _SCHEMES, n=1)
        hint = f"did you mean '{near[0]}://'?" if near else f"write {_FORMS['single']}"
        raise _refused("the scheme", hint, scheme)
    return _SCHEMES[scheme]


def _said(scheme: str, query: str, **told: str) -> dict[str, Any]:
    pairs = [(name, _decoded(text)) for name, text in told.items() if text]
    for option in filter(None, query.split("&")):
        name, mark, text = option.partition("=")
        if not mark:
            raise _refused("an option without '='", "write '?name=value&name=value'")
        # A plus sign means a space in the query of a URL, but not in its other parts.
        pairs.append((_NAMES_OF_REDIS_PY.get(name, name), _decoded(text.replace("+", " "))))
    said: dict[str, Any] = {}
    for name, text in pairs:
        if name in said:
            raise _refused(f"the {name} is said twice", "say it once")
        said[name] = _option(name, text, scheme)
    # None means no TLS; an empty mapping means TLS with the default settings.
    tls = {name: said.pop(name) for name in [*said] if name.startswith("ssl_")}
    return {**said, "tls": tls if scheme.startswith("rediss") else None}


def _option(name: str, text: str, scheme: str) -> Any:
    if name not in _OPTIONS:
        near = get_close_matches(name, _OPTIONS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_OPTIONS)}"
        raise _refused("unknown option", hint, name)
    for start, needed in _NEEDS.items():
        if name.startswith(start) and needed not in scheme:
            raise _refused(f"the option {name}", f"it needs '{needed}' in the scheme")
    # If an "&" was forgotten, the value contains the next option, which may be a password.
    shown = _OPTIONS[name] is not _SECRET and "=" not in text
    return _checked(f"the {name}", _OPTIONS[name], text, shown=shown)


def _decoded(text: str) -> str:
    # With `surrogateescape`, bytes that are not UTF-8 become surrogates, which are refused.
    decoded = unquote(text, errors="surrogateescape")
    if re.search("%(?![0-9A-Fa-f]{2})", text) or re.search("[\ud800-\udfff]", decoded):
        raise _refused("what follows a '%'", "write two digits of UTF-8; '%' itself is %25")
    return decoded
