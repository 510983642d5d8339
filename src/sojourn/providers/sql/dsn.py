"""The addresses of databases: parsing a DSN, a URL or a path.

MySQL and MariaDB accept the DSN of Go's driver, in which only the database is required:

    username:password@protocol(address)/dbname?param=value

It is parsed from its end: the last `/` begins the database, the last `@` before it ends the
password, and the first `:` begins the password, which may therefore contain all three characters.
The database and the values of parameters are percent-encoded, the rest is not.  `_PARAMETERS` lists
the accepted parameters; those that `_FIELDS` does not name have no effect on sessions and are only
checked.  A URL holds the same parts, all percent-encoded:
`mysql://user:password@host:3306/dbname?param=value`.

PostgreSQL accepts libpq's URLs and strings of `key=value`; their form is checked here, their
content by the driver.  SQLite accepts the path of a file, alone or after `sqlite:///`.

An error message shows a value only if it cannot be a part of the password, even if a character of
the address is misplaced.
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

Tls = Literal["off", "unverified", "verified"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MySQL:
    """The address of a MySQL or MariaDB server and the settings of a connection.

    Timeouts are seconds; None means that the provider's `timeout` applies.
    """

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
    """An address of PostgreSQL, as its driver takes it."""

    text: str = field(repr=False)


_DSN = "'user:password@tcp(127.0.0.1:3306)/database?timeout=5s', with %2F for '/' in what follows"
_WHERE = f"give a host, IPv6 as [::1], and a port from 1 to 65535: {_DSN}"
_IPV6 = r"(?=.*:.*:)[0-9A-Fa-f:.]+(?:%\w+)?"
_ADDRESS = rf"([\w.-]{{0,253}}|\[{_IPV6}\]|{_IPV6})(?::(\d{{1,5}}))?"
# A value is quoted, with backslash escapes, or has no spaces.
_LIBPQ_PAIR = re.compile(r"(?s)\w+\s*=\s*('(?:[^'\\]|\\.)*'|(?!')(?:[^\s\\]|\\.?)*)\s*")
_LIBPQ_HOST = r"(\[[^\]]*\]|[^:,\[\]]*)(:\d*)?"


def mysql(text: str) -> MySQL:
    """Return the address in a DSN or a URL; raise ConfigError, which names the invalid part."""
    url = _url(text, "mysql", "mariadb")
    if url is not None:
        return _of_url(url)
    head, slash, tail = text.rpartition("/")
    if not slash:
        raise _refused("there is no '/' before the database", f"write {_DSN}")
    credentials, _, place = head.rpartition("@")
    user, _, password = credentials.partition(":")
    name, _, query = tail.partition("?")
    # With a second '@', any text after the first one may be the rest of a password.
    said = _place(place) | _parameters(query, shown=text.count("@") < 2)
    return _made(user, password, name, said)


def postgres(text: str) -> Postgres:
    """Return the address in a URL or a string for libpq; the driver checks its content later.

    Raises ConfigError for a text that has the form of neither.
    """
    url = _url(text, "postgres", "postgresql")
    if url is None and _LIBPQ_PAIR.sub("", text).strip():
        raise _refused("a word without '='", "write 'host=db user=ada', spaces only in quotes")
    if url is not None:
        # Only to refuse a wrong escape: the driver decodes the URL itself.
        _decoded(url)
        hosts = re.split("[/?]", url)[0].rpartition("@")[2]
        if not re.fullmatch(f"{_LIBPQ_HOST}(,{_LIBPQ_HOST})*", hosts):
            raise _refused("the hosts", "write 'postgres://user:password@host:5432/database'")
    return Postgres(text)


def sqlite(text: str) -> str:
    """Return the path in a text: a path, or a URL; raise ConfigError if it names no file."""
    url = _url(text, "sqlite")
    path = text if url is None else _decoded(url.removeprefix("/"))
    # Each connection to :memory: has a database of its own, so a pool would lose sessions.
    if path in ("", ":memory:"):
        raise _refused("there is no file", "the provider 'memory' keeps sessions in memory")
    if re.search(r"^file:|://|\0", path) or (url and re.match(r"[^/]|.*\?", url)):
        raise _refused("that is no path", "write 'sessions.db' or 'sqlite:////srv/sessions.db'")
    return path


# -- MySQL's parameters --------------------------------------------------------------------------


class _Check(NamedTuple):
    """The check of a parameter."""

    pattern: str
    """The regular expression of a valid value."""
    way_out: str
    """The advice in the error message for an invalid value."""
    turn: Callable[[str], Any] = str
    """Converts a valid value."""


# Go's spellings of booleans and units of durations.
_YES, _NO = "1|true|TRUE|True", "0|false|FALSE|False"
_UNITS = {"h": 3600, "ms": 1e-3, "m": 60, "s": 1, "us": 1e-6, "\u00b5s": 1e-6, "ns": 1e-9}
_AMOUNT = rf"(\d{{1,9}}(?:\.\d*)?|\.\d+)({'|'.join(_UNITS)})"
_TLS: dict[str, Tls] = {
    **dict.fromkeys(_YES.split("|"), "verified"),
    **dict.fromkeys(_NO.split("|"), "off"),
    "skip-verify": "unverified",
}


def _seconds(text: str) -> float | None:
    amounts = re.findall(_AMOUNT, text)
    return round(sum(float(count) * _UNITS[unit] for count, unit in amounts), 9) or None


_DURATION = _Check(f"0|({_AMOUNT})+", "give a duration such as 30s, 1m30s or 500ms", _seconds)
_FLAG = _Check(f"{_YES}|{_NO}", "give true or false")
_FREE = _Check("(?s:.*)", "")
# Go's `preferred` is not among them: asyncmy and MariaDB's library cannot ask whether the server has
# TLS before they choose.
_TLS_WORDS = (
    "give true or skip-verify, or false for plain text; ssl_ca, ssl_cert and ssl_key name files"
)
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
    # These have no effect here: no column is a time, no file is sent, and each statement is sent by
    # itself.  They are accepted, so that the DSN of an application in Go can be used unchanged.
    **dict.fromkeys(("allowAllFiles", "allowCleartextPasswords", "checkConnLiveness"), _FLAG),
    **dict.fromkeys(("clientFoundRows", "columnsWithAlias", "interpolateParams"), _FLAG),
    **dict.fromkeys(("multiStatements", "parseTime", "rejectReadOnly", "tinyInt1IsBool"), _FLAG),
    **dict.fromkeys(("connectionAttributes", "loc", "timeTruncate", "time_zone"), _FREE),
    **dict.fromkeys(("maxAllowedPacket", "transaction_isolation", "tx_isolation"), _FREE),
    # Other values of these would promise an effect that Sojourn does not provide.
    "autocommit": _Check(_YES, "leave it out: each statement stands for itself"),
    **dict.fromkeys(("charset", "collation"), _UTF8),
    "compress": _Check(_NO, "leave it out: little is sent"),
    "allowFallbackToPlaintext": _Check(_NO, "write tls=skip-verify or tls=false"),
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
    # An address with other characters may be the rest of a password that contains an '@'.
    return _tcp(address[:-1], shown=re.fullmatch(r"[\w.-]*(:\d*)?", address[:-1]) is not None)


def _tcp(address: str, *, shown: bool) -> dict[str, Any]:
    found = re.fullmatch(_ADDRESS, address)
    if found is None or not 0 < int(found[2] or 3306) < 65_536:
        raise _refused("the address", _WHERE, address if shown else None)
    return {"host": found[1].strip("[]") or "127.0.0.1", "port": int(found[2] or 3306)}


def _url(text: str, *ours: str) -> str | None:
    """Return the part of a URL after `://`; None if the text is not the URL of a database.

    ours: the accepted schemes, the usual one first; ConfigError is raised for another database's.
    """
    # A scheme that also names a driver, such as SQLAlchemy's `mysql+pymysql`, is recognized as a
    # URL so that it is refused with advice, and not parsed as a DSN.
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
    # `unquote` leaves an invalid escape as it is, and turns invalid UTF-8 into surrogates.
    decoded = unquote(text, errors="surrogateescape")
    if re.search("%(?![0-9A-Fa-f]{2})", text) or re.search("[\ud800-\udfff]", decoded):
        raise _refused("what follows a '%'", "write two digits of UTF-8; '%' itself is %25")
    return decoded


def _refused(what: str, way_out: str, value: str | None = None) -> ConfigError:
    shown = "" if value is None else f" {brief(value)}"
    return ConfigError(f"provider_config: {what}{shown}: {way_out}")
