"""Cookies: what a request brought along, and the Set-Cookie that answers it.  Pure text.

`arrive` is the one reader.  Whatever a client sends is only text to it: it never raises for it, and
lets nothing through that is not spelled like a token.  `set_cookie` and `delete_cookie` share the
one renderer, so that a cookie is always deleted under the attributes it was set with, without
which a browser would keep it (RFC 6265 §5.3).
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
"""Headers of a request: a mapping or pairs, str or bytes; a mapping's value may be a list."""

MOST_CANDIDATES = 8
"""Tokens looked up for one request, from both ends of the header.

Cookies of another path or domain have the same name.  A page of a sibling host can set some that
come before the visitor's own, by a longer path, or after it, as newer ones (RFC 6265 §5.4), so
neither end alone may hide the other.
"""

PAST = "Thu, 01 Jan 1970 00:00:00 GMT"

# RFC 7239 §4: the pairs of the first element, a quoted string being opaque, up to its `proto`.
_says_https = re.compile(
    r'(?:(?:[^",;]|"(?:[^"\\]|\\.)*+")*+;)*[ \t]*proto=(?:https|"https")[ \t]*(?:[,;]|$)',
    re.IGNORECASE | re.DOTALL,
).match


class Arrival(NamedTuple):
    """What a request brought along."""

    tokens: tuple[str, ...]
    """Candidates in their order: spelled like tokens, each once, at most eight."""
    malformed: bool
    """Something of our name was there that is no token."""
    in_header: bool
    """The token travels in the session header: no cookie was read, and none is to be sent."""
    https: bool
    """The client speaks https with us, or with the proxy before us."""

    def __repr__(self) -> str:
        return (
            f"Arrival(tokens=<{len(self.tokens)}>, malformed={self.malformed},"
            f" in_header={self.in_header}, https={self.https})"
        )


def arrive(headers: Headers, https: bool, config: Config) -> Arrival:  # noqa: FBT001
    """Read the headers of a request.

    A request that carries the configured session header, even an empty one, is answered in that
    header, and its cookies are not read.  `https` is what the server knows about the connection; a
    header of a proxy can add to that, never take away.
    """
    found = _pick(headers, _wanted(config.header_name))
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
    """The value of a Set-Cookie header that gives the client a token.

    `max_age` counts seconds; browsers keep no cookie longer than 400 days (RFC 6265bis §5.5), so it
    is cut there.  None makes a cookie that ends with the browser's session.
    """
    lasting = "" if max_age is None else f"; Max-Age={min(max_age, COOKIE_LIMIT)}"
    return _render(config, token, lasting, https=https)


def delete_cookie(config: Config, https: bool) -> str:  # noqa: FBT001
    """The value of a Set-Cookie header that takes the cookie from the client."""
    return _render(config, "", f"; Max-Age=0; Expires={PAST}", https=https)


def _pick(headers: Headers, wanted: Mapping[str | bytes, str]) -> dict[str, str]:
    """The wanted headers as text; several of one name are joined in their order."""
    found: dict[str, str] = {}
    pairs = headers.items() if hasattr(headers, "items") else headers
    for name, value in pairs:
        key = wanted.get(name.lower())
        if key is not None:
            joint = "; " if key == "cookie" else ", "
            text = value if isinstance(value, str) else _text(value, joint)
            found[key] = f"{found[key]}{joint}{text}" if key in found else text
    return found


@lru_cache
def _wanted(header_name: str | None) -> dict[str | bytes, str]:
    """The lower-case names of the headers to look at, each as str and as bytes."""
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
    """Whether the proxy nearest to the client says so."""
    first = found.get("x-forwarded-proto", "").partition(",")[0]
    return first.strip().lower() == "https" or (
        "forwarded" in found and _says_https(found["forwarded"]) is not None
    )


def _cookie_tokens(text: str, name: str) -> tuple[tuple[str, ...], bool]:
    """What the cookies of that name hold: the candidates, and whether there was anything else."""
    values = _cookies_of(name)(f";{text}") if name in text else ()
    if len(values) == 1 and len(values[0]) in TOKEN_LENGTHS:  # nearly always
        return (Token(values[0]),), False
    tokens = [*dict.fromkeys(found.strip('"') for found in values if found)]
    if len(tokens) > MOST_CANDIDATES:
        half = MOST_CANDIDATES // 2
        tokens = [*tokens[:half], *tokens[-half:]]
    return tuple(map(Token, tokens)), "" in values


@lru_cache
def _cookies_of(name: str) -> Callable[[str], list[str]]:
    """A search for the cookies of that name: the token that each holds, or an empty text.

    It splits at ";", then at the first "=", and takes double quotes for a part of the value, as
    `str.split` would and in a fraction of the time.
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
