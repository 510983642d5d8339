"""Where a database is, and how a text says it.

MySQL and MariaDB take the DSN of Go's driver, of which only the database may not be empty:

    username:password@protocol(address)/dbname?param=value

It is read from its end: the last `/` begins the database, the last `@` before it ends the password,
the first `:` begins that, so that it may hold them all.  The database and the values of parameters
have percent-escapes, the rest has none.  `_PARAMETERS` says what may be asked for; what `_FIELDS`
does not name makes no difference to sessions and is only checked.  A URL says the same, escaped all
over: `mysql://user:password@host:3306/dbname?param=value`.

PostgreSQL takes libpq's URLs and strings of `key=value`, whose form is checked and whose meaning is
the driver's affair.  SQLite takes the path of a file, as it is or after `sqlite:///`.  Errors show
a value only where no slip of the pen could have put a piece of a password.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from reprlib import repr as brief
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote

from sojourn.errors import ConfigError

Tls = Literal["off", "preferred", "unverified", "verified"]  # preferred: unverified, if at all


@dataclass(frozen=True, slots=True, kw_only=True)
class MySQL:
    """Where a MySQL or MariaDB is and how to speak to it.  Times are seconds; None: no limit."""

    host: str = "127.0.0.1"
    port: int = 3306
    socket: str | None = None  # the path of a unix socket, instead of host and port
    user: str = ""
    password: str = field(default="", repr=False)
    database: str
    connect_timeout: float | None = None
    read_timeout: float | None = None
    write_timeout: float | None = None
    tls: Tls = "off"
    ssl_ca: str | None = None  # these are files in PEM form
    ssl_cert: str | None = None
    ssl_key: str | None = None


@dataclass(frozen=True, slots=True)
class Postgres:
    """What to give to a driver for PostgreSQL."""

    text: str = field(repr=False)


_DSN = "'user:password@tcp(127.0.0.1:3306)/database?timeout=5s', with %2F for '/' in what follows"
_WHERE = f"give a host, IPv6 as [::1], and a port from 1 to 65535: {_DSN}"
_IPV6 = r"(?=.*:.*:)[0-9A-Fa-f:.]+(?:%\w+)?"
_ADDRESS = rf"([\w.-]{{0,253}}|\[{_IPV6}\]|{_IPV6})(?::(\d{{1,5}}))?"
_LIBPQ_PAIR = re.compile(r"(?s)\w+\s*=\s*('(?:[^'\\]|\\.)*'|(?!')(?:[^\s\\]|\\.?)*)\s*")
_LIBPQ_HOST = r"(\[[^\]]*\]|[^:,\[\]]*)(:\d*)?"


def mysql(text: str) -> MySQL:
    """Return the target that a DSN or a URL says; ConfigError names the part that is wrong."""
    url = _url(text, "mysql", "mariadb")
    if url is not None:
        return _of_url(url)
    head, slash, tail = text.rpartition("/")
    if not slash:
        raise _refused("there is no '/' before the database", f"write {_DSN}")
    credentials, _, place = head.rpartition("@")
    user, _, password = credentials.partition(":")
    name, _, query = tail.partition("?")
    # With a second '@' what follows the first may be the rest of a password.
    said = _place(place) | _parameters(query, shown=text.count("@") < 2)
    return _made(user, password, name, said)


def postgres(text: str) -> Postgres:
    """Return the target of a URL or a string for libpq, whose driver judges what it says."""
    url = _url(text, "postgres", "postgresql")
    if url is None and _LIBPQ_PAIR.sub("", text).strip():
        raise _refused("a word without '='", "write 'host=db user=ada', spaces only in quotes")
    if url is not None:
        _decoded(url)
        hosts = re.split("[/?]", url)[0].rpartition("@")[2]
        if not re.fullmatch(f"{_LIBPQ_HOST}(,{_LIBPQ_HOST})*", hosts):
            raise _refused("the hosts", "write 'postgres://user:password@host:5432/database'")
    return Postgres(text)


def sqlite(text: str) -> str:
    """Return the path that a text says."""
    url = _url(text, "sqlite")
    path = text if url is None else _decoded(url.removeprefix("/"))
    if path in ("", ":memory:"):
        raise _refused("there is no file", "the provider 'memory' keeps sessions in memory")
    if re.search(r"^file:|://|\0", path) or (url and re.match(r"[^/]|.*\?", url)):
        raise _refused("that is no path", "write 'sessions.db' or 'sqlite:////srv/sessions.db'")
    return path


# -- MySQL's parameters --------------------------------------------------------------------------


class _Check(NamedTuple):
    """What a value looks like, what to do instead of another, and what it means."""

    pattern: str
    way_out: str
    turn: Callable[[str], Any] = str


_YES, _NO = "1|true|TRUE|True", "0|false|FALSE|False"
_UNITS = {"h": 3600, "ms": 1e-3, "m": 60, "s": 1, "us": 1e-6, "\u00b5s": 1e-6, "ns": 1e-9}
_AMOUNT = rf"(\d{{1,9}}(?:\.\d*)?|\.\d+)({'|'.join(_UNITS)})"
_TLS: dict[str, Tls] = {
    **dict.fromkeys(_YES.split("|"), "verified"),
    **dict.fromkeys(_NO.split("|"), "off"),
    "skip-verify": "unverified",
    "preferred": "preferred",
}


def _seconds(text: str) -> float | None:
    amounts = re.findall(_AMOUNT, text)
    return round(sum(float(count) * _UNITS[unit] for count, unit in amounts), 9) or None


_DURATION = _Check(f"0|({_AMOUNT})+", "give a duration such as 30s, 1m30s or 500ms", _seconds)
_FLAG = _Check(f"{_YES}|{_NO}", "give true or false")
_FREE = _Check("(?s:.*)", "")
_TLS_WORDS = "give true, false, skip-verify or preferred; ssl_ca, ssl_cert and ssl_key name files"
_UTF8 = _Check(r"(\w+,)*utf8\w*(,\w+)*", "leave it out: sessions travel as utf8mb4")
_FIELDS = {
    "timeout": "connect_timeout",
    "readTimeout": "read_timeout",
    "writeTimeout": "write_timeout",
    "unix_socket": "socket",
    **{name: name for name in ("tls", "ssl_ca", "ssl_cert", "ssl_key")},
}
_PARAMETERS = {
    **dict.fromkeys(("timeout", "readTimeout", "writeTimeout"), _DURATION),
    **dict.fromkeys(("unix_socket", "ssl_ca", "ssl_cert", "ssl_key"), _Check(".+", "give a path")),
    "tls": _Check("|".join(_TLS), _TLS_WORDS, _TLS.__getitem__),
    # No time is read, no file sent, no statement joined to another: these change nothing.
    **dict.fromkeys(("allowAllFiles", "allowCleartextPasswords", "checkConnLiveness"), _FLAG),
    **dict.fromkeys(("clientFoundRows", "columnsWithAlias", "interpolateParams"), _FLAG),
    **dict.fromkeys(("multiStatements", "parseTime", "rejectReadOnly", "tinyInt1IsBool"), _FLAG),
    **dict.fromkeys(("connectionAttributes", "loc", "timeTruncate", "time_zone"), _FREE),
    **dict.fromkeys(("maxAllowedPacket", "transaction_isolation", "tx_isolation"), _FREE),
    "autocommit": _Check(_YES, "leave it out: each statement stands for itself"),
    **dict.fromkeys(("charset", "collation"), _UTF8),
    "compress": _Check(_NO, "leave it out: little is sent"),
    "allowFallbackToPlaintext": _Check(_NO, "write tls=preferred"),
    "allowNativePasswords": _Check(_YES, "leave it out: the account says how it signs in"),
    "allowOldPasswords": _Check(_NO, "leave it out: give the account a password of today's kind"),
    "serverPubKey": _Check("", "leave it out, and write tls=true"),
}


def _parameters(query: str, *, shown: bool) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for pair in filter(None, query.split("&")):
        name, mark, text = pair.partition("=")
        if not mark or name in said:
            raise _refused("a parameter twice, or without '='", "write '?name=value&name=value'")
        said[name] = _parameter(name, _decoded(text.replace("+", " ")), shown=shown)
    return {_FIELDS[name]: value for name, value in said.items() if name in _FIELDS}


def _parameter(name: str, text: str, *, shown: bool) -> Any:
    check = _PARAMETERS.get(name)
    if check is None:
        near = get_close_matches(name, _PARAMETERS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_FIELDS)};"
        hint += " variables of the server are set in the server"
        raise _refused("unknown parameter", hint, name if shown else None)
    if not re.fullmatch(check.pattern, text):
        raise _refused(f"the parameter {name}", check.way_out, text if shown else None)
    return check.turn(text)


def _of_url(url: str) -> MySQL:
    place, _, query = url.partition("?")
    authority, _, name = place.partition("/")
    credentials, at, address = authority.rpartition("@")
    user, _, password = credentials.partition(":")
    said = _tcp(address, shown=bool(at)) | _parameters(query, shown=True)
    return _made(_decoded(user), _decoded(password), name, said)


def _made(user: str, password: str, name: str, said: dict[str, Any]) -> MySQL:
    if not name:
        raise _refused("no database is named", f"write {_DSN}")
    if any(key.startswith("ssl_") for key in said) and said.setdefault("tls", "verified") == "off":
        raise _refused("ssl_ca, ssl_cert or ssl_key with tls=false", "write tls=true")
    return MySQL(user=user, password=password, database=_decoded(name), **said)


def _place(place: str) -> dict[str, Any]:
    protocol, bracket, address = place.partition("(")
    if bracket and not address.endswith(")"):
        raise _refused("the address does not end in ')'", f"write {_DSN}")
    if protocol == "unix":
        return {"socket": address[:-1] or "/tmp/mysql.sock"}  # noqa: S108 - where its servers listen
    if protocol not in ("", "tcp"):
        raise _refused("the protocol", f"give tcp or unix: {_DSN}")
    # What is not plain may be the rest of a password, from an '@' on.
    return _tcp(address[:-1], shown=re.fullmatch(r"[\w.-]*(:\d*)?", address[:-1]) is not None)


def _tcp(address: str, *, shown: bool) -> dict[str, Any]:
    found = re.fullmatch(_ADDRESS, address)
    if found is None or not 0 < int(found[2] or 3306) < 65_536:
        raise _refused("the address", _WHERE, address if shown else None)
    return {"host": found[1].strip("[]") or "127.0.0.1", "port": int(found[2] or 3306)}


def _url(text: str, *ours: str) -> str | None:
    """What follows the scheme; None if the text is no URL of a database."""
    found = re.match(r"(?i)((mysql|mariadb|postgres|postgresql|sqlite)(\+\w+)?)://", text)
    if found is None:
        return None
    if found[1].lower() not in ours:
        raise _refused("the scheme", f"write '{ours[0]}://…', whatever the driver", found[1])
    url = text[found.end() :]
    if found[1].lower() != "sqlite" and re.search("(?s)#|[/?@].*@", url):
        raise _refused("'@', '/', '?' or '#' out of its place", "write %40, %2F, %3F or %23 for it")
    return url


def _decoded(text: str) -> str:
    decoded = unquote(text, errors="surrogateescape")
    if re.search("%(?![0-9A-Fa-f]{2})", text) or re.search("[\ud800-\udfff]", decoded):
        raise _refused("what follows a '%'", "write two digits of UTF-8; '%' itself is %25")
    return decoded


def _refused(what: str, way_out: str, value: str | None = None) -> ConfigError:
    shown = "" if value is None else f" {brief(value)}"
    return ConfigError(f"provider_config: {what}{shown}: {way_out}")
