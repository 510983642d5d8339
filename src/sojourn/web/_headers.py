"""Helpers that the web integrations share.

They select the request headers from which a session is started, build the 503 response for a store
that is unavailable, and hold the texts about a middleware that is installed twice or a session that
was replaced.  This module does no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sojourn.config import Config
from sojourn.errors import SessionError
from sojourn.web._merging import merged_bytes

UNAVAILABLE = b"The session store is unavailable. Please try again in a moment.\n"
# Caches must not store the 503 (RFC 9111, §5.2.2.5); Retry-After is in seconds (RFC 9110, §10.2.3).
UNAVAILABLE_HEADERS = (
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Content-Length", str(len(UNAVAILABLE))),
    ("Cache-Control", "no-store"),
    ("Retry-After", "5"),
)


def unavailable_messages(scope: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the 503 response as ASGI messages.

    A WebSocket is answered with 503 if the server supports the "websocket.http.response" extension;
    otherwise it is closed with code 1013.
    """
    kind = "http.response"
    if scope["type"] == "websocket":
        kind = "websocket.http.response"
        if kind not in (scope.get("extensions") or {}):
            return [{"type": "websocket.close", "code": 1013}]  # "Try Again Later"
    headers = merged_bytes((), UNAVAILABLE_HEADERS)
    # A response to HEAD has the headers of the one to GET, Content-Length included, but no body.
    body = b"" if scope.get("method") == "HEAD" else UNAVAILABLE
    return [
        {"type": f"{kind}.start", "status": 503, "headers": headers},
        {"type": f"{kind}.body", "body": body, "more_body": False},
    ]


def promises_body(scope: Mapping[str, Any], status: int) -> bool:
    """Return whether an HTTP response with this status has a body (RFC 9110 §6.4.1)."""
    return scope.get("method") != "HEAD" and status not in (204, 304)


def failure(error: BaseException) -> Exception:
    """Return the exception that later calls on a failed response raise.

    A CancelledError or another BaseException concerns one task only, so other tasks that send to
    the same response get a SessionError in its place.
    """
    if isinstance(error, Exception):
        return error
    return SessionError(f"the response was given up because of {type(error).__name__}")


def reader(config: Config) -> Callable[[Mapping[str, Any]], dict[str, str]]:
    """Return a function that picks, from a WSGI environ, the headers a session is started from."""
    # The two after Cookie show whether a proxy received the request over https.
    names = ("Cookie", "Forwarded", "X-Forwarded-Proto", config.header_name or "Cookie")
    variables = {f"HTTP_{name.upper().replace('-', '_')}": name for name in names}
    return lambda environ: {
        name: environ[variable] for variable, name in variables.items() if variable in environ
    }


def taken(key: str) -> str:
    """Return the error message for a key under which the request already has a value."""
    return (
        f"something stands under {key!r} already: the middleware is installed twice. "
        "Take one away, or give that of another manager another key"
    )


def replaced(key: str) -> str:
    """Return the warning for a session that was replaced by another value during the request."""
    return (
        f"something else was put under {key!r}, and nothing stores it: change the session that "
        "stands there (`clear`, `update`). A session middleware of another make needs another key"
    )
