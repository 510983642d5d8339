"""A visitor's browser, as far as its cookies go, and many of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds after which a test that waits for another thread fails, instead of waiting for ever."""

Headers = Iterable[tuple[str, str]]


class Jar:
    """The cookies of one browser, which takes answers in the order in which they arrive."""

    def __init__(self, cookies: Mapping[str, str] | None = None) -> None:
        self._cookies = dict(cookies or {})

    def copy(self) -> Jar:
        """A browser that holds now what this one does, and takes other answers."""
        return Jar(self._cookies)

    @property
    def headers(self) -> dict[str, str]:
        """What its next request brings along."""
        if not self._cookies:
            return {}
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}

    def take(self, headers: Headers) -> None:
        """Keep, replace and drop cookies as an answer says."""
        for value in set_cookies(headers):
            for name, morsel in SimpleCookie(value).items():
                if morsel["max-age"] == "0":
                    self._cookies.pop(name, None)
                else:
                    self._cookies[name] = morsel.value


def set_cookies(headers: Headers) -> list[str]:
    return [value for name, value in headers if name.lower() == "set-cookie"]


def at_once(work: Callable[[int], T], count: int) -> list[T]:
    """What `work(n)` returns for each n below `count`, each in a thread of its own."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))
