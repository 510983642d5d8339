"""Adds the result of a release to a Django response, and builds the 503 response."""

from __future__ import annotations

from http.cookies import Morsel

from django.http import HttpResponse

from sojourn._events import logger
from sojourn.release import Release
from sojourn.web._headers import UNAVAILABLE, UNAVAILABLE_HEADERS
from sojourn.web._merging import merged


class _Cookie(Morsel[str]):
    """A cookie that is sent exactly as Sojourn wrote it, and can be read as one of Django's.

    Older Python versions do not support all attributes, such as Partitioned, in a Morsel.
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

    # Django pickles responses to cache them; the copy must be sent with the same line.
    def __reduce__(self) -> tuple[type[_Cookie], tuple[str]]:
        return _Cookie, (self.line,)

    def OutputString(self, attrs: object = None) -> str:  # noqa: N802 - Python's
        return self.line


def tell(release: Release, response: HttpResponse) -> HttpResponse:
    """Add the headers of a release to the response, and return the response."""
    # Django sends cookies from `response.cookies`; as a plain header there could be only one.
    cookies = [value for name, value in release.headers if name == "Set-Cookie"]
    others = [pair for pair in release.headers if pair[0] != "Set-Cookie"]
    if others:
        for name, value in merged(response.items(), others):
            response[name] = value
    for cookie in map(_Cookie, cookies):
        response.cookies[cookie.key] = cookie
    return response


def unavailable(error: Exception, instead_of: HttpResponse | None = None) -> HttpResponse:
    """Return the 503 response.

    instead_of: the response that it replaces, whose open resources are closed along with it.
    """
    logger.error("answered 503: %s", error)
    response = HttpResponse(UNAVAILABLE, status=503)
    for name, value in UNAVAILABLE_HEADERS:
        response[name] = value
    if instead_of is not None:
        response._resource_closers.extend(instead_of._resource_closers)  # type: ignore[attr-defined]
    return response
