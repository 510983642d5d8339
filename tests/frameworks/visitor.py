"""Those who come to a site, and what they make of its answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from tests.frameworks.client import Answer
from tests.frameworks.site import Site
from tests.parallel.visits import Jar, set_cookies


class Visitor:
    """Somebody with a browser."""

    def __init__(self, site: Site, jar: Jar | None = None) -> None:
        self.site = site
        self.jar = jar or Jar()

    def copy(self) -> Visitor:
        """A browser with the cookies that this one has now, and keeps."""
        return Visitor(self.site, self.jar.copy())

    def ask(self, path: str, method: str = "GET", **query: str) -> Answer:
        return self.send(path, {}, method, **query)

    def send(
        self, path: str, headers: Mapping[str, str], method: str = "GET", **query: str
    ) -> Answer:
        """Ask with more headers, or others."""
        target = f"{path}?{urlencode(query)}" if query else path
        answer = self.site.door.ask(method, target, {**self.jar.headers, **headers})
        self.jar.take(answer.headers)
        self.site.tokens |= set(self.jar._cookies.values())
        return answer

    def do(self, deed: str, **query: str) -> Any:
        """Do a deed to the session; return its result."""
        return self.result(f"/do/{deed}", **query)

    def result(self, path: str, **query: str) -> Any:
        answer = self.ask(path, **query)
        assert answer.status == 200, answer
        return said(answer)

    @property
    def token(self) -> str:
        """What the cookie of the first manager says."""
        return self.jar._cookies.get("sid", "")

    def everything(self) -> dict[str, Any]:
        found: dict[str, Any] = self.do("everything")
        return found


def said(answer: Answer) -> Any:
    return json.loads(answer.body)


def attributes(line: str) -> set[str]:
    """What a Set-Cookie says besides the value and the time."""
    name, *rest = (part.strip() for part in line.split(";"))
    timeless = {part for part in rest if not part.lower().startswith(("max-age=", "expires="))}
    return {name.partition("=")[0], *timeless}


def cookies_of(answer: Answer) -> list[str]:
    return set_cookies(answer.headers)


def vary_of(answer: Answer) -> list[str]:
    """Every name in Vary, as often as it stands there."""
    lines = [value for name, value in answer.headers if name.lower() == "vary"]
    return sorted(name.strip().title() for line in lines for name in line.split(","))


def header(answer: Answer, name: str) -> list[str]:
    return [value for found, value in answer.headers if found.lower() == name.lower()]
