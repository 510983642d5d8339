"""What the modules of the web share: which headers a session is started from, those of a release
among the application's own, the answer while the store is down, and what is wrong with a second
middleware.  Pure text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sojourn.config import Config

Pairs = Iterable[tuple[str, str]]
_JOINED = {b"vary", b"cache-control"}

UNAVAILABLE = b"The session store is unavailable. Please try again in a moment.\n"
UNAVAILABLE_HEADERS = (
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Content-Length", str(len(UNAVAILABLE))),
    ("Cache-Control", "no-store"),
    ("Retry-After", "5"),
)


def reader(config: Config) -> Callable[[Mapping[str, Any]], dict[str, str]]:
    """Return what reads, of a WSGI environ, the headers that a session is started from."""
    names = ("Cookie", "Forwarded", "X-Forwarded-Proto", config.header_name or "Cookie")
    variables = {f"HTTP_{name.upper().replace('-', '_')}": name for name in names}
    return lambda environ: {
        name: environ[variable] for variable, name in variables.items() if variable in environ
    }


def merged(theirs: Pairs, ours: Pairs) -> list[tuple[str, str]]:
    """Return the application's headers with those of a release.

    Vary names everything that both name (RFC 9110 §12.5.5).  A Cache-Control of the release
    replaces the application's, for beside `no-store` no other directive has a meaning
    (RFC 9111 §5.2.2.5).  The rest is appended.
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
                headers = [*_without(name, headers), (name, value)]
            case _:
                headers.append((name, value))
    return headers


def merged_bytes(theirs: Iterable[tuple[bytes, bytes]], ours: Pairs) -> list[tuple[bytes, bytes]]:
    """Merge as ASGI wants it: bytes, names in lower case."""
    pairs = [(name.lower(), value) for name, value in theirs]
    if not _JOINED.isdisjoint(name for name, _ in pairs):
        text = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]
        pairs, ours = [], merged(text, ours)
    return pairs + [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in ours
    ]


def _without(name: str, headers: Pairs) -> Pairs:
    return (pair for pair in headers if pair[0].lower() != name.lower())


def _vary(headers: Pairs, ours: str) -> str:
    """Every name once, as it was spelled first; `*` says more than any name."""
    lines = [value for name, value in headers if name.lower() == "vary"]
    named: dict[str, str] = {}
    for name in ",".join([*lines, ours]).split(","):
        named.setdefault(name.strip().lower(), name.strip())
    named.pop("", None)
    return "*" if "*" in named else ", ".join(named.values())


def taken(key: str) -> str:
    """Say what to do about a session that stands under the key already."""
    return (
        f"something stands under {key!r} already: the middleware is installed twice. "
        "Take one away, or give that of another manager another key"
    )


def replaced(key: str) -> str:
    """Say what to do about something else that was put in the session's place."""
    return (
        f"something else was put under {key!r}, and nothing stores it: change the session that "
        "stands there (`clear`, `update`). A session middleware of another make needs another key"
    )
