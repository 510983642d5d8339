"""Reads tokens from the headers of a request, and renders Set-Cookie headers.

`arrive` reads headers as untrusted text: no text of a client makes it raise, and it returns only
texts that have the form of a token.  `give` and `delete` render the same attributes: a browser keeps
a cookie unless it is deleted with those with which it was set (RFC 6265 §5.3).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from sojourn._tokens import TOKEN, TOKEN_LENGTHS, Token, is_token
from sojourn.config import Config
from sojourn.config.validators import COOKIE_LIMIT

Headers = Mapping[str, Any] | Mapping[bytes, Any] | Iterable[tuple[Any, Any]]
"""Request headers: a mapping or pairs, in str or bytes; the value in a mapping may be a list."""

MOST_CANDIDATES = 8
"""The largest number of tokens that are looked up for one request: half from each end of the header.

A request may carry several cookies of the same name, for different paths or domains.  A sibling
host can set some that come before the visitor's own cookie, because of a longer path, or after it,
because they are newer (RFC 6265 §5.4).  With tokens from both ends, neither hides the visitor's.
"""

MOST_NAMES = 256
"""The number of spellings of header names that are remembered."""
LONGEST_NAME = 64
"""The length of the longest header name that is remembered."""

PAST = "Thu, 01 Jan 1970 00:00:00 GMT"

# RFC 7239 §4: this matches the pairs of the first element up to its `proto`.  A quoted string may
# contain any character.  The possessive quantifiers (`*+`) do not backtrack, so that a hostile
# header cannot take more than linear time.
_says_https = re.compile(
    r'(?:(?:[^",;]|"(?:[^"\\]|\\.)*+")*+;)*[ \t]*proto=(?:https|"https")[ \t]*(?:[,;]|$)',
    re.IGNORECASE | re.DOTALL,
).match


class Arrival(NamedTuple):
    """The tokens of a request, and the way in which they came."""

    tokens: tuple[str, ...]
    """The candidates in the order of the header: of the form of a token, each once, at most eight."""
    malformed: bool
    """Whether a cookie or header of the configured name had a value that is not a token."""
    in_header: bool
    """Whether the client uses the session header: no cookie was read, and none is to be sent."""
    https: bool
    """Whether the client's connection, to this server or to its proxy, uses https."""

    def __repr__(self) -> str:
        return (
            f"Arrival(tokens=<{len(self.tokens)}>, malformed={self.malformed},"
            f" in_header={self.in_header}, https={self.https})"
        )


_arrival: Callable[[tuple[Any, ...]], Arrival] = partial(tuple.__new__, Arrival)
"""Makes an Arrival of a tuple of its values: the usual way costs a call of Python more."""


class SessionCookie:
    """The cookie, or the header, that carries the tokens of one configuration."""

    def __init__(self, config: Config) -> None:
        """Prepare all that does not depend on a request."""
        self._header_name = config.header_name
        self._reads_cookie = config.header_name is None or config.enable_set_cookie
        self._asks_proxy = config.secure == "auto"
        self._name = config.cookie_name
        self._values_of = _values_of(config.cookie_name)
        self._wanted = _Wanted(config.header_name)
        self._before = f"{config.cookie_name}="
        path = f"; Path={config.cookie_path}"
        self._after = f"{path}; Domain={config.cookie_domain}" if config.cookie_domain else path
        self._flags = _flags(config, https=False)
        self._flags_over_https = _flags(config, https=True)

    def arrive(self, headers: Headers, *, https: bool) -> Arrival:
        """Read the headers of a request.

        If a request has the configured session header, even an empty one, its cookies are not read,
        and the response carries the token in that header.  https: whether the server's own
        connection uses https; headers of a proxy can only add that.
        """
        found = self._pick(headers)
        # If a cookie is all that was found, there is no header of a proxy to look at.
        if found and not https and self._asks_proxy and (len(found) > 1 or "cookie" not in found):
            https = _asked_over_https(found)
        if self._header_name is not None and ("header" in found or not self._reads_cookie):
            token = found.get("header", "").strip(" \t")
            if is_token(token):
                return _arrival(((Token(token),), False, True, https))
            return _arrival(((), token != "", True, https))
        text = found.get("cookie")
        # The test by `in` is faster than the search.
        if text is None or self._name not in text:
            return _arrival(((), False, False, https))
        # With ";" in front, the first cookie looks like the others.
        values = self._values_of(f";{text}")
        # Nearly always there is one cookie without quotes; `_candidates` returns the same for it.
        if len(values) == 1 and len(values[0]) in TOKEN_LENGTHS:
            return _arrival(((Token(values[0]),), False, False, https))
        return _arrival((_candidates(values), "" in values, False, https))

    def give(self, token: str, max_age: int | None, *, https: bool) -> str:
        """Return the value of a Set-Cookie header that gives the client a token.

        max_age: in seconds; at most 400 days are sent, since browsers keep no cookie for longer
            (RFC 6265bis §5.5).  None makes a cookie that ends with the browser's session.
        """
        lasting = "" if max_age is None else f"; Max-Age={min(max_age, COOKIE_LIMIT)}"
        return self._render(token, lasting, https=https)

    def delete(self, *, https: bool) -> str:
        """Return the value of a Set-Cookie header that deletes the client's cookie."""
        # `Expires` is for clients that ignore `Max-Age`.
        return self._render("", f"; Max-Age=0; Expires={PAST}", https=https)

    def _render(self, value: str, lasting: str, *, https: bool) -> str:
        flags = self._flags_over_https if https else self._flags
        return f"{self._before}{value}{self._after}{lasting}{flags}"

    def _pick(self, headers: Headers) -> dict[str, str]:
        """Return the wanted headers as text; values of one name are joined in their order."""
        found: dict[str, str] = {}
        wanted = self._wanted
        pairs = headers.items() if hasattr(headers, "items") else headers
        for name, value in pairs:
            key = wanted[name]
            if key is not None:
                # HTTP/2 may split a Cookie header, and the parts are joined by "; " (RFC 9113
                # §8.2.3).
                joint = "; " if key == "cookie" else ", "
                text = value if isinstance(value, str) else _text(value, joint)
                found[key] = f"{found[key]}{joint}{text}" if key in found else text
        return found


class _Wanted(dict[str | bytes, str | None]):
    """The headers to read, by their names in any case, as str and as bytes; None for all others.

    Each name is put into lower case once, when it is first looked up.  A limit protects against
    clients that send ever new names.
    """

    def __init__(self, header_name: str | None) -> None:
        self._keys = {name: name for name in ("cookie", "forwarded", "x-forwarded-proto")}
        if header_name is not None:
            self._keys[header_name.lower()] = "header"

    def __missing__(self, name: str | bytes) -> str | None:
        lower = name.lower()
        key = self._keys.get(lower if isinstance(lower, str) else lower.decode("latin-1"))
        if len(name) <= LONGEST_NAME:
            if len(self) >= MOST_NAMES:
                self.clear()
            self[name] = key
        return key


def _text(value: str | bytes | Iterable[str | bytes], joint: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return joint.join(_text(part, joint) for part in value)


def _asked_over_https(found: Mapping[str, str]) -> bool:
    """Return whether, by its headers, the proxy nearest to the client was asked over https."""
    # Each proxy appends to these headers, so the first element is about the client's connection.
    first = found.get("x-forwarded-proto", "").partition(",")[0]
    return first.strip().lower() == "https" or (
        "forwarded" in found and _says_https(found["forwarded"]) is not None
    )


def _candidates(values: list[str]) -> tuple[str, ...]:
    """Return the tokens among the values of the cookies of one name: each once, at most eight."""
    tokens = [*dict.fromkeys(found.strip('"') for found in values if found)]
    if len(tokens) > MOST_CANDIDATES:
        half = MOST_CANDIDATES // 2
        tokens = [*tokens[:half], *tokens[-half:]]
    return tuple(map(Token, tokens))


def _values_of(name: str) -> Callable[[str], list[str]]:
    """Return a function that finds the cookies of a name in a Cookie header.

    It returns for each the token, or an empty text if the value is not a token.  It gives the same
    result as splitting at ";" and then at the first "=", in a fraction of the time.  Double quotes
    are part of the value, so they do not protect a ";" between them.
    """
    value = rf'[ \t]*("{TOKEN}"|{TOKEN})[ \t]*(?![^;])'
    return re.compile(rf";[ \t]*{re.escape(name)}[ \t]*=(?:{value})?").findall


def _flags(config: Config, *, https: bool) -> str:
    """Return the attributes of the cookie that are the same for each token."""
    secure = https if config.secure == "auto" else config.secure
    return "".join(
        (
            "; HttpOnly" if config.http_only else "",
            "; Secure" if secure else "",
            f"; SameSite={config.same_site}",
            "; Partitioned" if config.partitioned else "",
        )
    )
