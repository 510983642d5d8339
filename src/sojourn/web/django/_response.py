"""What a release says, in a response of Django's."""

from __future__ import annotations

from http.cookies import Morsel

from django.http import HttpResponse
from django.utils.cache import patch_vary_headers

from sojourn._events import logger
from sojourn.release import Release
from sojourn.session import Session
from sojourn.web._headers import UNAVAILABLE, UNAVAILABLE_HEADERS, merged
from sojourn.web.django._managers import manager


class _Cookie(Morsel[str]):
    """A Set-Cookie that is sent as Sojourn wrote it, and read as Django's own.

    Not every Python has a word for each of its attributes, such as Partitioned.
    """

    def __init__(self, line: str) -> None:
        super().__init__()
        self.line = line
        pair, *attributes = line.split("; ")
        name, _, value = pair.partition("=")
        self.set(name, value, value)
        for attribute in attributes:
            key, _, said = attribute.partition("=")
            if self.isReservedKey(key):
                self[key] = said or True

    def __reduce__(self) -> tuple[type[_Cookie], tuple[str]]:
        return _Cookie, (self.line,)

    def OutputString(self, attrs: object = None) -> str:  # noqa: N802 - Python's
        return self.line


def tell(release: Release, response: HttpResponse) -> HttpResponse:
    """Add the headers of a release."""
    cookies = [value for name, value in release.headers if name == "Set-Cookie"]
    others = [pair for pair in release.headers if pair[0] != "Set-Cookie"]
    if others:
        for name, value in merged(response.items(), others):
            response[name] = value
    for cookie in map(_Cookie, cookies):
        response.cookies[cookie.key] = cookie
    return response


def forgo(session: Session, response: HttpResponse) -> HttpResponse:
    """Save nothing; but what the response says may depend on who asked."""
    if session.accessed:
        names = ("Cookie", manager().config.header_name)
        patch_vary_headers(response, [name for name in names if name])
    return response


def unavailable(error: Exception, instead_of: HttpResponse | None = None) -> HttpResponse:
    """Return a 503; what the response it stands for holds open is closed with it."""
    logger.error("answered 503: %s", error)
    response = HttpResponse(UNAVAILABLE, status=503)
    for name, value in UNAVAILABLE_HEADERS:
        response[name] = value
    if instead_of is not None:
        response._resource_closers.extend(instead_of._resource_closers)  # type: ignore[attr-defined]
    return response
