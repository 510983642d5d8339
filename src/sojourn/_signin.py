"""What a sign-in may say: who, from where, for how long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sojourn.errors import EncodeError, SessionTooLarge

MAX_USER = 255
"""Bytes of a user in UTF-8, so that every store can index it."""
MAX_ABOUT = 2048
"""Bytes of `about` in UTF-8, in all: it is read whenever sessions are listed."""


def text_of(user: object, verb: str) -> str:
    """Return a user as plain text, as stores compare it.  Raises EncodeError for what is no str."""
    if not isinstance(user, str):
        raise EncodeError(
            f"{verb}: the user is a {type(user).__name__}, must be a str, such as str(user.id)"
        )
    return str.__str__(user)


def checked_user(given: object) -> str:
    """Return a user as it is stored; refuse what not every store can keep."""
    user = text_of(given, "login")
    try:
        size = len(user.encode())
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= MAX_USER or "\0" in user:
        raise EncodeError(f"login: the user must be 1 to {MAX_USER} bytes of UTF-8, without NUL")
    return user


def checked_about(about: Mapping[str, str]) -> dict[str, str]:
    """Return `about` as it is stored; refuse what is no small mapping of text."""
    given: dict[Any, Any] = dict(about)
    if not all(isinstance(text, str) for pair in given.items() for text in pair):
        raise EncodeError(
            "login: `about` must be a mapping of str to str, such as {'device': 'Firefox'}"
        )
    pairs = {str.__str__(key): str.__str__(text) for key, text in given.items()}
    try:
        size = sum(len(text.encode()) for pair in pairs.items() for text in pair)
    except UnicodeEncodeError:
        raise EncodeError(
            "login: `about` holds text that is no Unicode; decode it with errors='replace'"
        ) from None
    if size > MAX_ABOUT:
        raise SessionTooLarge(f"login: `about` may have {MAX_ABOUT} bytes in all, has {size}")
    return pairs
