"""What a sign-in may say: who, from where, for how long."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sojourn.errors import EncodeError, SessionTooLarge

MAX_USER = 255
"""Bytes of a user in UTF-8, so that every store can index it."""
MAX_ABOUT = 2048
"""Bytes of `about` in UTF-8, in all: it is read whenever sessions are listed."""


def seconds_of(duration: float | timedelta) -> float:
    """Return a duration as seconds."""
    return float(duration if isinstance(duration, int | float) else duration.total_seconds())


def check_user(user: object) -> None:
    """Refuse what not every store can keep and compare byte by byte."""
    if type(user) is not str:
        raise EncodeError(
            f"login: the user is a {type(user).__name__}, must be a str, such as str(user.id)"
        )
    try:
        size = len(user.encode())
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= MAX_USER or "\0" in user:
        raise EncodeError(f"login: the user must be 1 to {MAX_USER} bytes of UTF-8, without NUL")


def checked_about(about: Mapping[str, str]) -> dict[str, str]:
    """Return `about` as it is stored; refuse what is no small mapping of text."""
    pairs: dict[Any, Any] = dict(about)
    if any(type(text) is not str for pair in pairs.items() for text in pair):
        raise EncodeError(
            "login: `about` must be a mapping of str to str, such as {'device': 'Firefox'}"
        )
    try:
        size = sum(len(text.encode()) for pair in pairs.items() for text in pair)
    except UnicodeEncodeError:
        raise EncodeError(
            "login: `about` holds text that is no Unicode; decode it with errors='replace'"
        ) from None
    if size > MAX_ABOUT:
        raise SessionTooLarge(f"login: `about` may have {MAX_ABOUT} bytes in all, has {size}")
    return pairs
