"""The checks of the arguments of `Session.login`: the user, and `about`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sojourn.errors import EncodeError, SessionTooLarge

MAX_USER = 255
"""The largest size of a user in bytes of UTF-8, so that every store can index it."""
MAX_ABOUT = 2048
"""The largest size of `about` in bytes of UTF-8: all of it is read when sessions are listed."""


def text_of(user: object, verb: str) -> str:
    """Return a user as a plain str, as stores compare it.  Raises EncodeError for any other type.

    verb: the name of the method, for the error message.
    """
    if not isinstance(user, str):
        raise EncodeError(
            f"{verb}: the user is a {type(user).__name__}, must be a str, such as str(user.id)"
        )
    # The method of str itself: a subclass, such as a StrEnum or a lazy text, may override its own.
    return str.__str__(user)


def checked_user(given: object) -> str:
    """Return a user in the form that is stored.

    Raises EncodeError unless every store can keep it: 1 to 255 bytes of UTF-8, without NUL.
    """
    user = text_of(given, "login")
    try:
        size = len(user.encode())
    except UnicodeEncodeError:
        size = 0  # lone surrogates have no UTF-8, and are refused like an empty user
    # Not every store has NUL in its texts; PostgreSQL refuses it.
    if not 0 < size <= MAX_USER or "\0" in user:
        raise EncodeError(f"login: the user must be 1 to {MAX_USER} bytes of UTF-8, without NUL")
    return user


def checked_about(about: Mapping[str, str]) -> dict[str, str]:
    """Return `about` in the form that is stored.

    Raises EncodeError unless it is a mapping of str to str in valid Unicode, and SessionTooLarge if
    it has more than 2,048 bytes in all.
    """
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
