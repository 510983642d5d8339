"""Merge the headers of a release with the headers that the application set.

Vary and Cache-Control are combined, since caches must heed both sides; all other headers are
appended.  This module does no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

Pairs = Iterable[tuple[str, str]]

_JOINED = {b"vary", b"cache-control"}
_DIRECTIVES = re.compile(r'([^\s,="]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]*))?').finditer
_LOOSER = {"public", "immutable", "must-understand", "stale-while-revalidate", "stale-if-error"}
"""Cache-Control directives that let a cache store a response, or store it for longer."""
_AGES = {"max-age", "s-maxage"}
"""Directives that do so unless their value is 0."""


def merged(theirs: Pairs, ours: Pairs) -> list[tuple[str, str]]:
    """Return the headers of the application (`theirs`) merged with those of a release (`ours`).

    The merged Vary lists all names of both (RFC 9110 §12.5.5).  The merged Cache-Control has the
    release's directives and those of the application that do not permit storing: `no-store` ought
    to be enough (RFC 9111 §5.2.2.5), but some caches heed only `private` or `max-age=0`.  Other
    headers of the release, such as Set-Cookie, are appended.
    """
    headers = list(theirs)
    present = {name.lower() for name, _ in headers} if ours else set()
    for name, value in ours:
        match name.lower():
            case key if key not in present:
                headers.append((name, value))
            case "vary":
                headers = [*_without(name, headers), (name, _vary(headers, value))]
            case "cache-control":
                headers = [*_without(name, headers), (name, _cache_control(headers, value))]
            case _:
                headers.append((name, value))
    return headers


def merged_bytes(theirs: Iterable[tuple[bytes, bytes]], ours: Pairs) -> list[tuple[bytes, bytes]]:
    """Merge headers in the form of ASGI: bytes, with names in lower case."""
    pairs = [(name.lower(), value) for name, value in theirs]
    # Most responses set neither header: they are spared the decoding and encoding.
    if not _JOINED.isdisjoint(name for name, _ in pairs):
        text = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]
        pairs, ours = [], merged(text, ours)
    return pairs + [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in ours
    ]


def _without(name: str, headers: Pairs) -> Pairs:
    return (pair for pair in headers if pair[0].lower() != name.lower())


def _values(wanted: str, headers: Pairs) -> list[str]:
    return [value for name, value in headers if name.lower() == wanted]


def _cache_control(headers: Pairs, ours: str) -> str:
    """Return our directives, followed by those of the application that do not permit storing."""
    named: dict[str, str] = {}
    # Ours come first, so that a directive named by both keeps our value.
    for each in _DIRECTIVES(",".join([ours, *_values("cache-control", headers)])):
        name, value = each[1].lower(), (each[2] or "").strip('"')
        if name not in _LOOSER and (name not in _AGES or value == "0"):
            named.setdefault(name, each[0])
    return ", ".join(named.values())


def _vary(headers: Pairs, ours: str) -> str:
    """Return each name once, in its first spelling; `*` alone if any value has it."""
    named: dict[str, str] = {}
    for name in ",".join([*_values("vary", headers), ours]).split(","):
        named.setdefault(name.strip().lower(), name.strip())
    named.pop("", None)
    return "*" if "*" in named else ", ".join(named.values())
