"""Single requests, the building blocks of the tests of correctness."""

from __future__ import annotations

from typing import Any

from bench.subject import Subject, cookie_of


def begin(subject: Subject, **fields: Any) -> str:
    """Return the cookie of a new session with these fields."""

    def put(session: Any) -> bool:
        for key, value in fields.items():
            session[key] = value
        return True

    cookie = cookie_of(subject.serve(subject.request(None), put), None)
    assert cookie is not None
    return cookie


def look(subject: Subject, cookie: str | None, *keys: str) -> list[Any]:
    """Return the values of these keys as read by a request with the cookie."""
    found: list[Any] = []
    subject.serve(subject.request(cookie), lambda s: found.extend(s.get(key) for key in keys))
    return found
