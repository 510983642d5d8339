"""Reads tokens from the headers of a request, and renders Set-Cookie headers.

`arrive` reads headers as untrusted text: no text of a client makes it raise, and it returns only
texts that have the form of a token.  `set_cookie` and `delete_cookie` share one renderer: a browser
keeps a cookie unless it is deleted with the attributes with which it was set (RFC 6265 §5.3).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
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


def arrive(headers: Headers, https: bool, config: Config) -> Arrival:  # noqa: FBT001
    """Read the headers of a request.

    If a request has the configured session header, even an empty one, its cookies are not read, and
    the response carries the token in that header.  https: whether the server's own connection uses
    https; headers of a proxy can only add that.
    """
    found = _pick(headers, _wanted(config.header_name))
    # If a cookie is all that was found, there is no header of a proxy to look at.
    if not https and config.secure == "auto" and (len(found) > 1 or "cookie" not in found):
        https = _asked_over_https(found)
    if config.header_name is not None and ("header" in found or not config.enable_set_cookie):
        token = found.get("header", "").strip(" \t")
        if is_token(token):
            return Arrival((Token(token),), malformed=False, in_header=True, https=https)
        return Arrival((), malformed=token != "", in_header=True, https=https)
    tokens, malformed = _cookie_tokens(found.get("cookie", ""), config.cookie_name)
    return Arrival(tokens, malformed, False, https)


def set_cookie(config: Config, token: str, max_age: int | None, https: bool) -> str:  # noqa: FBT001
    """Return the value of a Set-Cookie header that gives the client a token.

    max_age: in seconds; at most 400 days are sent, since browsers keep no cookie for longer (RFC
        6265bis §5.5).  None makes a cookie that ends with the browser's session.
    """
    lasting = "" if max_age is None else f"; Max-Age={min(max_age, COOKIE_LIMIT)}"
    return _render(config, token, lasting, https=https)


def delete_cookie(config: Config, https: bool) -> str:  # noqa: FBT001
    """Return the value of a Set-Cookie header that deletes the client's cookie."""
    # `Expires` is for clients that ignore `Max-Age`.
    return _render(config, "", f"; Max-Age=0; Expires={PAST}", https=https)


def _pick(headers: Headers, wanted: Mapping[str | bytes, str]) -> dict[str, str]:
    """Return the wanted headers as text; values of one name are joined in their order."""
    found: dict[str, str] = {}
    pairs = headers.items() if hasattr(headers, "items") else headers
    for name, value in pairs:
        key = wanted.get(name.lower())
        if key is not None:
            # HTTP/2 may split a Cookie header, and the parts are joined by "; " (RFC 9113 §8.2.3).
            joint = "; " if key == "cookie" else ", "
            text = value if isinstance(value, str) else _text(value, joint)
            found[key] = f"{found[key]}{joint}{text}" if key in found else text
    return found


@lru_cache
def _wanted(header_name: str | None) -> dict[str | bytes, str]:
    """Return the names of the headers to read, in lower case, each as str and as bytes."""
    wanted = {name: name for name in ("cookie", "forwarded", "x-forwarded-proto")}
    if header_name is not None:
        wanted[header_name.lower()] = "header"
    spelled: dict[str | bytes, str] = {name.encode(): key for name, key in wanted.items()}
    return spelled | wanted


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


def _cookie_tokens(text: str, name: str) -> tuple[tuple[str, ...], bool]:
    """Return the tokens in the cookies of a name, and whether one of these is not a token."""
    # The test by `in` is faster than the search.  With ";" in front, the first cookie looks like
    # the others.
    values = _cookies_of(name)(f";{text}") if name in text else ()
    # Nearly always there is one cookie without quotes; the rest of the function gives the same.
    if len(values) == 1 and len(values[0]) in TOKEN_LENGTHS:
        return (Token(values[0]),), False
    tokens = [*dict.fromkeys(found.strip('"') for found in values if found)]
    if len(tokens) > MOST_CANDIDATES:
        half = MOST_CANDIDATES // 2
        tokens = [*tokens[:half], *tokens[-half:]]
    return tuple(map(Token, tokens)), "" in values


@lru_cache
def _cookies_of(name: str) -> Callable[[str], list[str]]:
    """Return a function that finds the cookies of a name in a Cookie header.

    It returns for each the token, or an empty text if the value is not a token.  It gives the same
    result as splitting at ";" and then at the first "=", in a fraction of the time.  Double quotes
    are part of the value, so they do not protect a ";" between them.
    """
    value = rf'[ \t]*("{TOKEN}"|{TOKEN})[ \t]*(?![^;])'
    return re.compile(rf";[ \t]*{re.escape(name)}[ \t]*=(?:{value})?").findall


def _render(config: Config, value: str, lasting: str, *, https: bool) -> str:
    secure = https if config.secure == "auto" else config.secure
    return "".join(
        (
            f"{config.cookie_name}={value}; Path={config.cookie_path}",
            f"; Domain={config.cookie_domain}" if config.cookie_domain else "",
            lasting,
            "; HttpOnly" if config.http_only else "",
            "; Secure" if secure else "",
            f"; SameSite={config.same_site}",
            "; Partitioned" if config.partitioned else "",
        )
    )
